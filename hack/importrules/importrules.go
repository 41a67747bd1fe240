// Package importrules holds the rule of who may import whom in this module, as a
// test. Data flows
//
//	treefile -> repodata -> solver -> rpm -> rootfs -> ostree/repo -+-> ostree/sysroot -> disk -> image
//	                                                                +-> ostree/delta
//
// and imports point down only: cmd, then composer, then stores and algorithms,
// then formats, then leaves.
package importrules

// Layers of the module, from the top down. A package imports only lower layers, and
// within its own layer only what Within allows.
var layers = [][]string{
	{"cmd/treewright", "cmd/treewright/ostreecmd", "hack/demo", "hack/debrpm", "hack/e2e", "hack/cross", "hack/conformance", "hack/bench"},
	{"composer"},
	{ // stores and algorithms
		"pkg/repodata/fetch", "pkg/repodata/index", "pkg/solver", "pkg/rootfs", "pkg/rootfs/sandbox", "pkg/rootfs/lua", "pkg/rpm/rpmdb",
		"pkg/ostree/repo", "pkg/ostree/source", "pkg/ostree/sign", "pkg/ostree/remote", "pkg/ostree/pull", "pkg/ostree/delta", "pkg/ostree/sysroot",
		"pkg/disk", "pkg/image", "pkg/qemu", "pkg/fixture/tinyrpm",
	},
	{ // formats
		"pkg/treefile", "pkg/rpm", "pkg/repodata", "pkg/repodata/modulemd", "pkg/ostree", "pkg/gvariant", "pkg/keyfile", "pkg/openpgp", "pkg/gnutar",
		"pkg/disk/gpt", "pkg/disk/ext4", "pkg/disk/fat", "pkg/disk/grub", "pkg/image/qcow2", "pkg/image/vdi", "pkg/selinux",
	},
	{"pkg/fsutil", "pkg/units", "pkg/digest", "pkg/compress", "pkg/compress/xz", "pkg/filetree", "pkg/segment", "pkg/nevra", "pkg/spelling", "pkg/datetime"},
}

// within lists the imports that stay in one layer.
var within = map[string][]string{
	"cmd/treewright":     {"cmd/treewright/ostreecmd"},
	"hack/cross":         {"cmd/treewright/ostreecmd"},
	"pkg/ostree/source":  {"pkg/ostree/repo"},
	"pkg/ostree/remote":  {"pkg/ostree/repo"},
	"pkg/ostree/pull":    {"pkg/ostree/repo", "pkg/ostree/remote", "pkg/ostree/sign", "pkg/ostree/delta"},
	"pkg/ostree/sign":    {"pkg/ostree/repo"},
	"pkg/rootfs":         {"pkg/rootfs/sandbox", "pkg/rootfs/lua"},
	"pkg/filetree":       {"pkg/digest", "pkg/segment"},
	"pkg/ostree":         {"pkg/gvariant"},
	"pkg/repodata/fetch": {"pkg/repodata/index"},
	"pkg/rpm":            {"pkg/openpgp"},
	"pkg/compress":       {"pkg/compress/xz"},
}

// libraries names, for each outside module that is not for everyone, the packages that
// may import it: one, or one for each format that is made of it.
var libraries = map[string][]string{
	"github.com/urfave/cli/v2":        {"cmd/treewright"},
	"github.com/spf13/pflag":          {"cmd/treewright/ostreecmd"},
	"github.com/klauspost/compress":   {"pkg/compress"},
	"github.com/ulikunitz/xz":         {"pkg/compress"},
	"github.com/cavaliergopher/rpm":   {"pkg/rpm"},
	"github.com/ProtonMail/go-crypto": {"pkg/openpgp"},
	"github.com/yuin/gopher-lua":      {"pkg/rootfs/lua"},
	"modernc.org/sqlite":              {"pkg/rpm/rpmdb"},
	"go.yaml.in/yaml/v3":              {"pkg/treefile", "pkg/repodata/modulemd"},
}
