package repo

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

// LsEntry is a file, link or folder of a commit.
type LsEntry struct {
	Path     string          // with a leading slash
	Node     *filetree.Node  // without children and content
	Checksum ostree.Checksum // of the file object, or of the dirtree
	Meta     ostree.Checksum // of a folder's dirmeta
}

// LsOptions tells what [Repo.Ls] lists.
type LsOptions struct {
	Path      string // in the tree; empty: its root
	Recursive bool   // also what is in folders of the folder
	DirOnly   bool   // of a folder only itself
}

// Ls calls fn with the file at a path of a commit, or with the folder and what is in
// it, in ostree's order: files and links before folders, by name.
//
// The error wraps [ostree.ErrNotFound] when there is nothing at the path.
func (r *Repo) Ls(ctx context.Context, commit ostree.Checksum, o LsOptions, fn func(LsEntry) error) error {
	c, err := r.ReadCommit(commit)
	if err != nil {
		return err
	}
	top, err := r.lookup(c, o.Path)
	if err != nil {
		return err
	}
	l := &lister{ctx: ctx, r: r, o: o, fn: fn}
	at := "/" + strings.Join(splitPath(o.Path), "/")
	if top.isFile {
		return l.file(at, top.file)
	}
	return l.dir(at, top.tree, top.meta, 0)
}

type lister struct {
	ctx    context.Context
	r      *Repo
	o      LsOptions
	fn     func(LsEntry) error
	budget budget
}

func (l *lister) file(at string, c ostree.Checksum) error {
	h, err := l.r.StatFile(c)
	if err != nil {
		return err
	}
	return l.fn(LsEntry{Path: at, Node: h.Node(), Checksum: c})
}

func (l *lister) dir(at string, tree, meta ostree.Checksum, depth int) error {
	if l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	m, err := l.r.readDirMeta(meta)
	if err != nil {
		return err
	}
	if err := l.fn(LsEntry{Path: at, Node: dirNode(m), Checksum: tree, Meta: meta}); err != nil {
		return err
	}
	if l.o.DirOnly || depth > 0 && !l.o.Recursive {
		return nil
	}
	dt, err := l.r.readDirTree(tree)
	if err != nil {
		return err
	}
	if err := l.budget.take(depth, dt); err != nil {
		return err
	}
	for _, f := range dt.Files {
		if err := l.file(path.Join(at, f.Name), f.Checksum); err != nil {
			return err
		}
	}
	for _, d := range dt.Dirs {
		if err := l.dir(path.Join(at, d.Name), d.Tree, d.Meta, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func dirNode(m *ostree.DirMeta) *filetree.Node {
	return &filetree.Node{Kind: filetree.Dir, Mode: m.Mode, UID: m.UID, GID: m.GID, Xattrs: m.Xattrs}
}

// place is what is at a path of a tree.
type place struct {
	isFile     bool
	file       ostree.Checksum
	tree, meta ostree.Checksum
	name       string // the last component; empty: the root
}

// lookup finds the file or folder at a path of a commit. Links are not followed.
func (r *Repo) lookup(commit *ostree.Commit, at string) (place, error) {
	p := place{tree: commit.Root, meta: commit.RootMeta}
	names := splitPath(at)
	for i, name := range names {
		dt, err := r.readDirTree(p.tree)
		if err != nil {
			return p, err
		}
		if d, ok := dt.Dir(name); ok {
			p = place{tree: d.Tree, meta: d.Meta, name: name}
		} else if f, ok := dt.File(name); ok && i == len(names)-1 {
			p = place{isFile: true, file: f.Checksum, name: name}
		} else {
			return p, fmt.Errorf("/%s in the commit: %w", strings.Join(names, "/"), ostree.ErrNotFound)
		}
	}
	return p, nil
}

// splitPath splits a path of the tree into its components.
func splitPath(p string) []string {
	p = strings.Trim(path.Clean("/"+p), "/")
	if p == "" {
		return nil
	}
	return strings.Split(p, "/")
}
