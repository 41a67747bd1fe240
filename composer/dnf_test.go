package composer_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/treewright/treewright/composer"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/repodata/index"
)

// request is what is asked of dnf, and of a treefile with these keys.
type request struct {
	Packages   []string `json:"packages,omitempty"`
	Exclude    []string `json:"exclude,omitempty"`
	Recommends bool     `json:"recommends,omitempty"`
	Enable     []string `json:"enable,omitempty"`  // modules
	Modules    []string `json:"modules,omitempty"` // to install
}

type repository struct {
	ID       string `json:"id"`
	Dir      string `json:"dir"`
	Priority int    `json:"priority"`
	Hotfixes bool   `json:"hotfixes"`
}

// askDNF returns what dnf installs for each request; nil where it does not.
func askDNF(t *testing.T, repos []repository, cases []request) [][]string {
	t.Helper()
	fixture.Tool(t, "dnf") // which brings the module, for the system's Python
	in, err := json.Marshal(map[string]any{"repos": repos, "cases": cases, "cache": t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "testdata/askdnf.py")
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("dnf: %v\n%s", err, errs.Bytes())
	}
	var answer [][]string
	if err := json.Unmarshal(out, &answer); err != nil || len(answer) != len(cases) {
		t.Fatalf("dnf's answer: %v: %s", err, out)
	}
	return answer
}

// resolve returns what a treefile with the request's keys installs.
func (r request) resolve(t *testing.T, repos []repository) ([]string, error) {
	t.Helper()
	dir := t.TempDir()
	quoted := make([]string, len(r.Packages))
	for i, w := range r.Packages {
		if quoted[i] = w; strings.ContainsAny(w, " ()") {
			quoted[i] = "'" + w + "'"
		}
	}
	tree, err := json.Marshal(map[string]any{"packages": quoted, "exclude-packages": r.Exclude, "recommends": r.Recommends,
		"modules": map[string]any{"enable": r.Enable, "install": r.Modules}})
	if err != nil {
		t.Fatal(err)
	}
	var conf strings.Builder
	for _, x := range repos {
		fmt.Fprintf(&conf, "[%s]\nbaseurl=%s\npriority=%d\nmodule_hotfixes=%v\n", x.ID, x.Dir, x.Priority, x.Hotfixes)
	}
	for name, b := range map[string][]byte{"t.json": tree, "t.repo": []byte(conf.String())} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	chosen, err := composer.Resolve(t.Context(), composer.ResolveOptions{
		Treefile: filepath.Join(dir, "t.json"), Config: composer.Config{Workdir: dir, Arch: "x86_64", Time: time.Unix(1700000000, 0)}})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, p := range chosen {
		n := p.NEVRA
		if n.Epoch == "" {
			n.Epoch = "0"
		}
		out = append(out, fmt.Sprintf("%s-%s:%s-%s.%s", n.Name, n.Epoch, n.Version, n.Release, n.Arch))
	}
	slices.Sort(out)
	return out, nil
}

func compareWithDNF(t *testing.T, repos []repository, cases []request) {
	t.Helper()
	solved := 0
	for i, want := range askDNF(t, repos, cases) {
		got, err := cases[i].resolve(t, repos)
		switch {
		case want == nil && err == nil:
			t.Errorf("%+v: %d packages, dnf refuses", cases[i], len(got))
		case want == nil && !errors.Is(err, composer.ErrNotFound) && !errors.Is(err, composer.ErrUnsolvable):
			t.Errorf("%+v: %v", cases[i], err)
		case want != nil && err != nil:
			t.Errorf("%+v: %v; dnf installs %d", cases[i], err, len(want))
		case !slices.Equal(got, want):
			t.Errorf("%+v: too many %q, missing %q", cases[i], without(got, want), without(want, got))
		case want != nil:
			solved++
		}
	}
	t.Logf("%d of %d requests solved alike", solved, len(cases))
}

func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// distribution writes the repository of a real distribution; each package for which
// keep is false is left out.
func distribution(t *testing.T, keep func(*repodata.Package) bool) string {
	t.Helper()
	open := func(name string) *gzip.Reader {
		f, err := os.Open(filepath.Join("../pkg/solver/testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	pkgs, err := repodata.ParsePrimary(open("primary.xml.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var files map[string][]string // those that only the file lists have
	if err := json.NewDecoder(open("files.json.gz")).Decode(&files); err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for path, owners := range files {
		for _, p := range pkgs {
			if slices.Contains(owners, p.NEVRA.String()) {
				p.Files = append(p.Files, repodata.File{Path: path})
			}
		}
	}
	dir := t.TempDir()
	pkgs = slices.DeleteFunc(pkgs, func(p *repodata.Package) bool { return !keep(p) })
	if err := index.WritePackages(dir, pkgs, 1700000000); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestAsDNF compares with dnf over a real distribution.
func TestAsDNF(t *testing.T) {
	all := distribution(t, func(*repodata.Package) bool { return true })
	compareWithDNF(t, []repository{{ID: "base", Dir: all, Priority: 99}}, []request{
		{Packages: []string{"bash", "systemd", "kernel"}},
		{Packages: []string{"bash", "systemd", "kernel"}, Recommends: true},
		{Packages: []string{"glibc.i686"}},
		{Packages: []string{"NetworkManager*"}},
		{Packages: []string{"openssh-server", "/usr/bin/vi"}, Recommends: true},
		{Packages: []string{"/usr/share/dict/words", "/etc/fstab"}},
		{Packages: []string{"krb5-server-ldap"}},
		{Packages: []string{"libssl.so.3()(64bit)", "libcrypt.so.2()(64bit)"}},
		{Packages: []string{"config(bash) = 5.1.8-2.el9", "libz.so.1"}},
		{Packages: []string{"bash >= 5", "glibc"}},
		{Packages: []string{"bash >= 99"}},
		{Packages: []string{"nosuchthing"}},
		{Packages: []string{"systemd"}, Exclude: []string{"dbus-broker", "dbus-daemon"}},
		{Packages: []string{"(vim-minimal or nano)"}},
		{Packages: []string{"bash", "(chrony if bash)"}},
		{Packages: []string{"dnf-plugins*", "python3-dnf-plugin-[a-p]*"}},
		{Packages: []string{"dnf", "podman", "chrony"}, Recommends: true},
		{Packages: []string{"dnf"}, Exclude: []string{"python3-gpg"}},
		{Packages: []string{"dnf", "yum"}, Exclude: []string{"rpm-plugin-systemd-inhibit"}, Recommends: true},
		{Packages: []string{"python3*"}, Recommends: true},
		{Packages: []string{"grub2-efi-x64", "shim-x64", "efibootmgr", "lvm2", "cryptsetup", "xfsprogs"}, Recommends: true},
		{Packages: []string{"systemd-249-9.el9.x86_64", "systemd-libs"}},
	})
}

// TestPriorityAsDNF has a repository with some of the packages, and other versions,
// that is better or worse than the first.
func TestPriorityAsDNF(t *testing.T) {
	all := distribution(t, func(*repodata.Package) bool { return true })
	old := distribution(t, func(p *repodata.Package) bool {
		p.NEVRA.Release += ".0"
		for i, r := range p.Provides {
			if r.Name == p.NEVRA.Name && r.Flags == nevra.EQ {
				p.Provides[i].EVR.Release = p.NEVRA.Release
			}
		}
		return strings.HasPrefix(p.NEVRA.Name, "b") || strings.HasPrefix(p.NEVRA.Name, "c")
	})
	for _, priority := range []int{50, 99, 150} {
		compareWithDNF(t, []repository{{ID: "base", Dir: all, Priority: 99}, {ID: "more", Dir: old, Priority: priority}}, []request{
			{Packages: []string{"bash", "chrony", "curl"}},
			{Packages: []string{"bash", "coreutils", "systemd"}, Recommends: true},
		})
	}
}

var large = flag.String("large", "", "folder of a large RPM repository to compare over; hack/debrpm -whole makes one")

// TestLargeAsDNF compares over a repository of Debian's packages.
func TestLargeAsDNF(t *testing.T) {
	if *large == "" {
		t.Skip("-large is not given")
	}
	abs, err := filepath.Abs(*large)
	if err != nil {
		t.Fatal(err)
	}
	host := strings.Fields("filesystem systemd systemd-sysv udev linux-image-cloud-amd64 dracut ostree ostree-boot bash coreutils util-linux openssh-server podman cloud-init grub-efi-amd64-bin e2fsprogs")
	compareWithDNF(t, []repository{{ID: "deb", Dir: abs, Priority: 99}}, []request{
		{Packages: host},
		{Packages: host, Recommends: true},
		{Packages: []string{"nginx", "postgresql", "redis"}},
		{Packages: []string{"inkscape", "mpv"}},
		{Packages: []string{"/usr/bin/vim.tiny", "/usr/share/zoneinfo/Europe/Berlin"}},
		{Packages: []string{"python3-req*", "tmux"}},
		{Packages: []string{"mail-transport-agent"}},
		{Packages: []string{"libc6 >= 2.30", "default-jre-headless"}},
		{Packages: []string{"git"}},
		{Packages: []string{"network-manager"}, Exclude: []string{"wpasupplicant"}, Recommends: true},
		{Packages: []string{"gdm3"}},
		{Packages: []string{"apache2", "(php8.2-fpm or libapache2-mod-php8.2)"}},
		{Packages: []string{"bash", "strace", "lvm2", "cryptsetup", "xfsprogs", "btrfs-progs"}, Recommends: true},
	})
}

// TestModulesAsDNF compares over a repository with modules, and one without beside it.
func TestModulesAsDNF(t *testing.T) {
	abs, err := filepath.Abs("../pkg/repodata/modulemd/testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, hotfixes := range []bool{false, true} {
		repos := []repository{{ID: "modular", Dir: filepath.Join(abs, "modular"), Priority: 99}, {ID: "plain", Dir: filepath.Join(abs, "plain"), Priority: 99, Hotfixes: hotfixes}}
		compareWithDNF(t, repos, []request{
			{Packages: []string{"httpd"}},
			{Packages: []string{"httpd"}, Enable: []string{"httpd:2.2"}},
			{Packages: []string{"httpd", "bash"}, Enable: []string{"httpd:2.4"}},
			{Packages: []string{"glibc"}},
			{Packages: []string{"glibc", "kernel"}, Enable: []string{"base-runtime:f26"}},
			{Packages: []string{"glibc"}, Enable: []string{"base-runtime:rhel73"}},
			{Packages: []string{"systemd", "httpd"}, Enable: []string{"base-runtime:rhel73", "httpd:2.2"}},
			{Packages: []string{"httpd"}, Enable: []string{"base-runtime:rhel73", "httpd:2.4"}},
			{Modules: []string{"httpd:2.2/default"}},
			{Modules: []string{"httpd:2.4/doc"}},
			{Modules: []string{"httpd"}},
			{Modules: []string{"base-runtime:f26/minimal"}},
			{Packages: []string{"httpd-provides-name"}},
			{Packages: []string{"libnghttp2"}},
			{Packages: []string{"httpd"}, Enable: []string{"httpd:9"}},
		})
	}
}
