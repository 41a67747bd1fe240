package treefile

import (
	"encoding/json"
	"io/fs"

	"github.com/treewright/treewright/pkg/units"
)

// Treefile is a treefile with its includes merged, variables put in and defaults set.
type Treefile struct {
	Ref        string
	Basearch   string
	Releasever string
	RepoVars   map[string]string
	Metadata   map[string]any

	Repos           []string
	LockfileRepos   []string
	Packages        []string // sorted, each once
	RepoPackages    []RepoPackages
	ExcludePackages []string
	Recommends      bool
	Documentation   bool

	Units           []string
	DefaultTarget   string
	InitramfsArgs   []string
	NoInitramfs     bool
	MachineIDCompat bool
	TmpIsDir        bool
	Selinux         bool
	Container       bool
	OptUsrLocal     string

	AddFiles           []AddFile
	RemoveFiles        []string
	RemoveFromPackages []PackageFiles
	Postprocess        []string
	PostprocessScript  *External
	MutateOSRelease    string
	EtcGroupMembers    []string

	AddCommitMetadata map[string]any
	VersionPrefix     string
	VersionSuffix     string

	Images []Image
	Disk   Disk
	Deltas Deltas

	// Keys are the keys that the files set, in the order of the files, each once.
	Keys []KeyUse

	merged map[string]any // the flattened form
}

// RepoPackages is packages that one RPM repository must provide.
type RepoPackages struct {
	Repo     string   `json:"repo"`
	Packages []string `json:"packages"`
}

// PackageFiles is files that are left out of a package; patterns are regular
// expressions, matched anywhere in the path.
type PackageFiles struct {
	Package  string
	Patterns []string
}

// External is a file beside a treefile.
type External struct {
	Name string // as the treefile says
	Body []byte
	Mode fs.FileMode
}

// AddFile is a file that is put into the tree.
type AddFile struct {
	External
	Dest string // relative to the root
}

// Image is a disk image to make.
type Image struct {
	Format      string
	Size        units.Bytes // 0: the disk's
	Compression string      // "" is the format's default
}

// Disk is what disk images are like.
type Disk struct {
	Size       units.Bytes // 0: what the content needs
	Firmware   []string    // "bios", "uefi"; none: those that the tree has a boot loader for
	RootFS     string      // "ext4"
	KernelArgs []string
	Stateroot  string
}

// Deltas says which static deltas are made.
type Deltas struct {
	From  *int // from how many earlier commits; nil: 1
	Empty bool // also from nothing
}

// KeyUse is a key and where it is set.
type KeyUse struct {
	Key  string
	File string
	Line int
}

// JSON is the flattened form: the merged mapping, sorted and indented.
func (t *Treefile) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(t.merged, "", "  ")
	return append(b, '\n'), err
}
