package source

import (
	"errors"
	"fmt"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// ErrEmpty is wrapped when nothing gives a tree's root its owner and mode.
var ErrEmpty = errors.New("tree is empty")

// A ReplaceError is a file that would take the place of a folder, or the reverse.
type ReplaceError struct {
	Name   string // of the entry, without its folder
	Folder bool   // a folder is in the place of a file
}

func (e *ReplaceError) Error() string {
	if e.Folder {
		return fmt.Sprintf("%s: a folder would take the place of a file", e.Name)
	}
	return fmt.Sprintf("%s: a file would take the place of a folder", e.Name)
}

// A KindError is a device, FIFO or socket, which no commit can have.
type KindError struct{ Path string }

func (e *KindError) Error() string {
	return fmt.Sprintf("%s: not a regular file or symbolic link: %v", e.Path, ostree.ErrUnsupported)
}

func (e *KindError) Unwrap() error { return ostree.ErrUnsupported }

// Tree is what has been read so far. It is used by one goroutine at a time.
type Tree struct {
	changes  Changes
	root     *filetree.Node // nil: nothing yet
	rootless bool           // nothing has told the root's owner and mode
	links    *Links         // nil: none
	hits     int
	objects  map[*filetree.Node]ostree.Checksum
	folders  map[*filetree.Node]*folder
}

// folder is a folder that is as it stands in a commit.
type folder struct {
	repo       *repo.Repo
	tree, meta ostree.Checksum
	read       bool // its entries are in the node
}

// New returns an empty tree, which changes all that is read into it.
func New(c Changes) *Tree {
	return &Tree{changes: c, objects: map[*filetree.Node]ostree.Checksum{}, folders: map[*filetree.Node]*folder{}}
}

// Root is the tree's root. The error wraps [ErrEmpty] when nothing has been read, and
// is an [*UnmatchedError] when the changes name files that did not come.
//
// Entries of folders that [Tree.Folder] knows may be missing.
func (t *Tree) Root() (*filetree.Node, error) {
	if err := t.changes.unmatched(); err != nil {
		return nil, err
	}
	if t.root == nil || t.rootless {
		return nil, ErrEmpty
	}
	return t.root, nil
}

// Object is the checksum of a file's object when it is known. Other fields of such a
// node than Kind may be missing.
func (t *Tree) Object(n *filetree.Node) (ostree.Checksum, bool) {
	c, ok := t.objects[n]
	return c, ok
}

// Folder has the checksums of a folder's dirtree and dirmeta when they are known.
func (t *Tree) Folder(n *filetree.Node) (tree, meta ostree.Checksum, ok bool) {
	f, ok := t.folders[n]
	if !ok {
		return tree, meta, false
	}
	return f.tree, f.meta, true
}

// overlay lays n over what has been read.
func (t *Tree) overlay(n *filetree.Node) error {
	t.rootless = false
	if t.root == nil {
		t.root = n
		return nil
	}
	return t.merge(t.root, n)
}

// merge lays the folder from over the folder to.
func (t *Tree) merge(to, from *filetree.Node) error {
	if err := errors.Join(t.expand(to), t.expand(from)); err != nil {
		return err
	}
	delete(t.folders, to)
	for _, name := range from.Names() {
		if err := t.put(to, name, from.Child(name)); err != nil {
			return err
		}
	}
	to.Mode, to.UID, to.GID, to.Xattrs = from.Mode, from.UID, from.GID, from.Xattrs
	return nil
}

// put lays n over the entry name of the folder to.
func (t *Tree) put(to *filetree.Node, name string, n *filetree.Node) error {
	old := to.Child(name)
	switch {
	case old == nil || old.Kind != filetree.Dir && n.Kind != filetree.Dir:
		return to.Set(name, n)
	case old.Kind != n.Kind && (old.Kind == filetree.Dir || n.Kind == filetree.Dir):
		return &ReplaceError{Name: name, Folder: n.Kind == filetree.Dir}
	}
	return t.merge(old, n)
}

// expand reads the entries of a folder of a commit.
func (t *Tree) expand(n *filetree.Node) error {
	f, ok := t.folders[n]
	if !ok || f.read {
		return nil
	}
	f.read = true
	return t.entries(n, f)
}

// touch reads the entries of a folder that will be changed, so that it is not any more
// as it stands in a commit.
func (t *Tree) touch(n *filetree.Node) error {
	err := t.expand(n)
	delete(t.folders, n)
	return err
}

// Lookup returns the node at a path of the tree, or nil. Links are not followed.
func (t *Tree) Lookup(elem ...string) (*filetree.Node, error) {
	n := t.root
	for _, e := range elem {
		if n == nil {
			return nil, nil
		}
		if err := t.expand(n); err != nil {
			return nil, err
		}
		n = n.Child(e)
	}
	if n == nil {
		return nil, nil
	}
	return n, t.expand(n)
}
