package source

import (
	"context"
	"fmt"
	"path"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// AddBase lays the tree of a commit over what has been read, and changes nothing in
// it.
func (t *Tree) AddBase(r *repo.Repo, c ostree.Checksum) error {
	commit, err := r.ReadCommit(c)
	if err != nil {
		return err
	}
	n, err := t.commitFolder(r, commit.Root, commit.RootMeta)
	if err != nil {
		return err
	}
	return t.overlay(n)
}

// AddCommit lays the tree of a commit over what has been read.
func (t *Tree) AddCommit(ctx context.Context, r *repo.Repo, c ostree.Checksum) error {
	if t.changes.none() {
		return t.AddBase(r, c)
	}
	root, err := r.ReadTree(ctx, c)
	if err != nil {
		return err
	}
	keep, err := t.change("/", root)
	if err != nil || !keep {
		return err
	}
	return t.overlay(root)
}

// change applies the changes to a node and to all below it.
func (t *Tree) change(at string, n *filetree.Node) (keep bool, err error) {
	keep, err = t.changes.apply(at, n, false)
	if err != nil || !keep || n.Kind != filetree.Dir {
		return keep, err
	}
	for _, name := range n.Names() {
		keep, err := t.change(path.Join(at, name), n.Child(name))
		if err != nil {
			return false, err
		}
		if !keep {
			n.Delete(name)
		}
	}
	return true, nil
}

// commitFolder is a node for a folder of a commit, whose entries are read later.
func (t *Tree) commitFolder(r *repo.Repo, tree, meta ostree.Checksum) (*filetree.Node, error) {
	raw, err := r.ReadObject(ostree.TypeDirMeta, meta)
	if err != nil {
		return nil, err
	}
	m, err := ostree.ParseDirMeta(raw)
	if err != nil {
		return nil, fmt.Errorf("object %s: %w", repo.Object{Type: ostree.TypeDirMeta, Checksum: meta}, err)
	}
	n := &filetree.Node{Kind: filetree.Dir, Mode: m.Mode, UID: m.UID, GID: m.GID, Xattrs: m.Xattrs}
	t.folders[n] = &folder{repo: r, tree: tree, meta: meta}
	return n, nil
}

// entries fills the node of a folder of a commit.
func (t *Tree) entries(n *filetree.Node, f *folder) error {
	raw, err := f.repo.ReadObject(ostree.TypeDirTree, f.tree)
	if err != nil {
		return err
	}
	d, err := ostree.ParseDirTree(raw)
	if err != nil {
		return fmt.Errorf("object %s: %w", repo.Object{Type: ostree.TypeDirTree, Checksum: f.tree}, err)
	}
	for _, e := range d.Files {
		file := &filetree.Node{Kind: filetree.File}
		t.objects[file] = e.Checksum
		if err := n.Set(e.Name, file); err != nil {
			return err
		}
	}
	for _, e := range d.Dirs {
		sub, err := t.commitFolder(f.repo, e.Tree, e.Meta)
		if err != nil {
			return err
		}
		if err := n.Set(e.Name, sub); err != nil {
			return err
		}
	}
	return nil
}
