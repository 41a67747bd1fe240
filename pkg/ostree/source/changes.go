package source

import (
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
)

// Changes tell what is changed of files and folders that are read, and which are left
// out. The zero Changes changes nothing.
type Changes struct {
	UID, GID *uint32 // owner of everything; nil: as it is
	NoXattrs bool    // leave extended attributes out

	// Canonical makes everything root's, without attributes, and keeps no bits of modes
	// but 0755, as a bare-user-only repository has it.
	Canonical bool
	// ReadOnlyPrograms takes the right to write from files that somebody may execute.
	ReadOnlyPrograms bool

	Modes *Modes // nil: none
	Skip  *Skip  // nil: none

	// Label is what SELinux calls a file: its path has a leading slash, its mode the
	// type bits. ok is false when there is none, and the file keeps what it has.
	Label func(path string, mode uint32) (label string, ok bool, err error)
}

// none tells whether nothing is changed.
func (c *Changes) none() bool {
	return c.UID == nil && c.GID == nil && !c.NoXattrs && !c.Canonical && !c.ReadOnlyPrograms && c.Modes == nil && c.Skip == nil && c.Label == nil
}

// bareXattrs tells whether extended attributes need not be read.
func (c *Changes) bareXattrs() bool { return c.NoXattrs || c.Canonical }

// labelXattr is where SELinux has a file's label. In a commit its value ends in a NUL.
const labelXattr = "security.selinux"

// apply changes a node that stands at path, of an archive or not. keep is false when
// it is left out.
//
// ostree passes over the folders of an archive once, over others twice, see [Modes];
// and Canonical does not reach the attributes in archives.
func (c *Changes) apply(path string, n *filetree.Node, archive bool) (keep bool, err error) {
	if c.Skip.take(path) {
		return false, nil
	}
	if c.UID != nil {
		n.UID = *c.UID
	}
	if c.GID != nil {
		n.GID = *c.GID
	}
	if n.Kind != filetree.Symlink {
		n.Mode = c.mode(path, n, !archive)
	}
	if c.Canonical {
		n.UID, n.GID = 0, 0
	}
	if c.NoXattrs || c.Canonical && !archive {
		n.Xattrs = nil
	}
	return true, c.label(path, n)
}

func (c *Changes) mode(path string, n *filetree.Node, twice bool) uint32 {
	mode := c.Modes.change(path, n, twice)
	if c.ReadOnlyPrograms && n.Kind == filetree.File && mode&0o111 != 0 {
		mode &^= 0o222
	}
	if c.Canonical {
		mode &= 0o755
	}
	return mode
}

func (c *Changes) label(path string, n *filetree.Node) error {
	if c.Label == nil {
		return nil
	}
	label, ok, err := c.Label(path, modeOf(n))
	if err != nil || !ok {
		return err
	}
	n.SetXattr(labelXattr, append([]byte(label), 0))
	return nil
}

// modeOf is a node's mode with the bits that tell its type.
func modeOf(n *filetree.Node) uint32 {
	switch n.Kind {
	case filetree.Dir:
		return 0o040000 | n.Mode
	case filetree.Symlink:
		return 0o120777
	}
	return 0o100000 | n.Mode
}

// unmatched tells what was named and did not come.
func (c *Changes) unmatched() error {
	if left := c.Modes.left(); len(left) > 0 {
		return &UnmatchedError{What: "statoverride", Paths: left}
	}
	if left := c.Skip.left(); len(left) > 0 {
		return &UnmatchedError{What: "skip-list", Paths: left}
	}
	return nil
}

// An UnmatchedError is about paths that were to be changed or left out and are not
// there.
type UnmatchedError struct {
	What  string // "statoverride" or "skip-list"
	Paths []string
}

func (e *UnmatchedError) Error() string {
	return e.What + ": not in the tree: " + strings.Join(e.Paths, ", ")
}

// keys are the keys of a set, sorted.
func keys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
