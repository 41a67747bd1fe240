package rootfs

import (
	"fmt"
	"path"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
)

// Layer is a tree that is laid over the packages.
type Layer struct {
	Name     string // for messages
	Root     *filetree.Node
	Override bool // what is there already is replaced; else it has to be the same
}

// layers lays the layers over the tree. Their owners are numbers, which stay.
func (a *assembly) layers() error {
	for _, l := range a.o.Layers {
		if err := a.layer(l); err != nil {
			return fmt.Errorf("layer %s: %w", l.Name, err)
		}
	}
	return nil
}

func (a *assembly) layer(l Layer) error {
	return l.Root.Walk(func(p string, n *filetree.Node) error {
		if rest, ok := strings.CutPrefix(p, "usr/etc"); ok && (rest == "" || rest[0] == '/') {
			p = "etc" + rest
		}
		if p == "" || p == "sysroot" || mountPoints[topOf(p)] {
			return nil
		}
		if err := a.layOver(l, p, n); err != nil {
			return fmt.Errorf("/%s: %w", p, err)
		}
		return nil
	})
}

func (a *assembly) layOver(l Layer, p string, n *filetree.Node) error {
	dir, err := a.parent("/" + path.Dir(p))
	if err != nil {
		return err
	}
	name := path.Base(p)
	old := dir.Child(name)
	if n.Kind == filetree.Dir {
		if old != nil && old.Kind != filetree.Dir && l.Override {
			old = nil
		}
		if old == nil {
			made := filetree.NewDir(n.Mode)
			made.UID, made.GID, made.Xattrs = n.UID, n.GID, n.Xattrs
			return dir.Set(name, made)
		}
		if old.Kind != filetree.Dir {
			if at, err := a.root.Resolve("/" + p); err == nil {
				if to := a.root.Lookup(at); to != nil && to.Kind == filetree.Dir {
					return nil // such as /lib, which leads into /usr
				}
			}
			return fmt.Errorf("a folder in the layer, a file in the tree: %w", ErrConflict)
		}
		return nil
	}
	if old != nil && !l.Override {
		same, err := sameFile(old, n)
		if err == nil && !same {
			err = fmt.Errorf("differs from what is in the tree: %w", ErrConflict)
		}
		return err
	}
	return dir.Set(name, n.Clone())
}

// sameFile tells whether two files or links have the same content and mode.
func sameFile(a, b *filetree.Node) (bool, error) {
	if a.Kind != b.Kind || a.Target != b.Target || a.Size != b.Size || a.Mode != b.Mode && a.Kind != filetree.Symlink {
		return false, nil
	}
	if a.Kind != filetree.File || a.Size == 0 {
		return true, nil
	}
	x, err := sumOf(a)
	if err != nil {
		return false, err
	}
	y, err := sumOf(b)
	return x == y, err
}
