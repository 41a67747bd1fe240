package repo

import (
	"context"
	"errors"
	"fmt"

	"github.com/treewright/treewright/pkg/ostree"
)

// Bounds of a tree that is read: folders share objects, so that a few objects can
// spell a tree without end.
const (
	maxDepth   = 2048    // folders in folders; a path of Linux has no more
	maxEntries = 1 << 24 // files and folders
)

var errTooDeep = fmt.Errorf("more than %d folders in one another: %w", maxDepth, ostree.ErrUnsupported)

// budget counts the entries of a tree.
type budget struct{ entries int }

func (b *budget) take(depth int, dt *ostree.DirTree) error {
	if depth > maxDepth {
		return errTooDeep
	}
	return b.add(len(dt.Files) + len(dt.Dirs))
}

func (b *budget) add(n int) error {
	if b.entries += n; b.entries > maxEntries {
		return fmt.Errorf("tree of more than %d files: %w", maxEntries, ostree.ErrUnsupported)
	}
	return nil
}

// WalkObjects calls fn with each object that a commit leads to, once: the commit
// first, a folder's dirmeta and dirtree before what is in it. Parents are not followed.
// Content is not looked for.
func (r *Repo) WalkObjects(ctx context.Context, commit ostree.Checksum, fn func(Object) error) error {
	w := &objectWalk{ctx: ctx, r: r, fn: fn, seen: map[Object]bool{}}
	return w.commit(commit)
}

// Reachable returns the objects that commits lead to. Parents are not followed.
func (r *Repo) Reachable(ctx context.Context, commits ...ostree.Checksum) (map[Object]bool, error) {
	w := &objectWalk{ctx: ctx, r: r, fn: func(Object) error { return nil }, seen: map[Object]bool{}}
	for _, c := range commits {
		if err := w.commit(c); err != nil {
			return nil, err
		}
	}
	return w.seen, nil
}

type objectWalk struct {
	ctx  context.Context
	r    *Repo
	fn   func(Object) error
	seen map[Object]bool
}

// visit tells whether an object is new.
func (w *objectWalk) visit(t ostree.ObjectType, c ostree.Checksum) (bool, error) {
	o := Object{t, c}
	if w.seen[o] {
		return false, nil
	}
	w.seen[o] = true
	return true, w.fn(o)
}

func (w *objectWalk) commit(c ostree.Checksum) error {
	if isNew, err := w.visit(ostree.TypeCommit, c); err != nil || !isNew {
		return err
	}
	commit, err := w.r.ReadCommit(c)
	if err != nil {
		return err
	}
	return w.dir(commit.Root, commit.RootMeta, 0)
}

func (w *objectWalk) dir(tree, meta ostree.Checksum, depth int) error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	if depth > maxDepth {
		return errTooDeep
	}
	if _, err := w.visit(ostree.TypeDirMeta, meta); err != nil {
		return err
	}
	if isNew, err := w.visit(ostree.TypeDirTree, tree); err != nil || !isNew {
		return err
	}
	dt, err := w.r.readDirTree(tree)
	if err != nil {
		return err
	}
	for _, f := range dt.Files {
		if _, err := w.visit(ostree.TypeFile, f.Checksum); err != nil {
			return err
		}
	}
	for _, d := range dt.Dirs {
		if err := w.dir(d.Tree, d.Meta, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// LogEntry is a commit of a history.
type LogEntry struct {
	Checksum ostree.Checksum
	Commit   *ostree.Commit
}

// Log returns a commit and its ancestors, the newest first: at most n, or all when n
// is 0. whole is false when the history goes on with a commit that is not here.
func (r *Repo) Log(ctx context.Context, c ostree.Checksum, n int) (log []LogEntry, whole bool, err error) {
	for n == 0 || len(log) < n {
		if ctx.Err() != nil {
			return nil, false, context.Cause(ctx)
		}
		commit, err := r.ReadCommit(c)
		if errors.Is(err, ostree.ErrNotFound) && len(log) > 0 {
			return log, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		log = append(log, LogEntry{c, commit})
		if commit.Parent == nil {
			return log, true, nil
		}
		c = *commit.Parent
	}
	return log, true, nil
}
