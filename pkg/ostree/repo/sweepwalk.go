package repo

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/ostree"
)

// checksums is a set.
type checksums map[ostree.Checksum]struct{}

// add tells whether c is new.
func (s checksums) add(c ostree.Checksum) bool {
	n := len(s)
	s[c] = struct{}{}
	return len(s) > n
}

// sweepWalk finds all objects of many trees: level by level, each folder read once, by
// several goroutines. So neither deep trees nor ones whose folders share all they have
// take more than what is there.
type sweepWalk struct {
	r       *Repo
	workers int
	// bad is told what cannot be read, in the order of checksums within a level. Its
	// error ends the walk.
	bad func(Object, error) error

	trees, metas, files checksums
	level               []ostree.Checksum // of folders to read
}

// root adds the tree of a commit.
func (w *sweepWalk) root(c *ostree.Commit) {
	if w.trees == nil {
		w.trees, w.metas, w.files = checksums{}, checksums{}, checksums{}
	}
	w.folder(c.Root, c.RootMeta)
}

func (w *sweepWalk) folder(tree, meta ostree.Checksum) {
	w.metas[meta] = struct{}{}
	if w.trees.add(tree) {
		w.level = append(w.level, tree)
	}
}

func (w *sweepWalk) run(ctx context.Context) error {
	for depth := 0; len(w.level) > 0; depth++ {
		level := w.level
		w.level = nil
		slices.SortFunc(level, ostree.Checksum.Compare)
		if depth > maxDepth {
			return w.bad(Object{ostree.TypeDirTree, level[0]}, objectError(ostree.TypeDirTree, level[0], errTooDeep))
		}
		for len(level) > 0 { // so that not all folders of a level are in memory
			n := min(len(level), 4096)
			if err := w.read(ctx, level[:n]); err != nil {
				return err
			}
			level = level[n:]
		}
	}
	return nil
}

// read reads folders and takes over what is in them.
func (w *sweepWalk) read(ctx context.Context, level []ostree.Checksum) error {
	const batch = 16
	trees, errs := make([]*ostree.DirTree, len(level)), make([]error, len(level))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(w.workers)
	for at := 0; at < len(level); at += batch {
		group.Go(func() error {
			for i := at; i < min(at+batch, len(level)); i++ {
				trees[i], errs[i] = w.r.readDirTree(level[i])
			}
			return context.Cause(gctx)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, dt := range trees {
		if errs[i] != nil {
			if err := w.bad(Object{ostree.TypeDirTree, level[i]}, errs[i]); err != nil {
				return err
			}
			continue
		}
		for _, e := range dt.Files {
			w.files[e.Checksum] = struct{}{}
		}
		for _, d := range dt.Dirs {
			w.folder(d.Tree, d.Meta)
		}
	}
	return nil
}

// has tells whether the walk came by an object.
func (w *sweepWalk) has(o Object) (ok bool) {
	switch o.Type {
	case ostree.TypeDirTree:
		_, ok = w.trees[o.Checksum]
	case ostree.TypeDirMeta:
		_, ok = w.metas[o.Checksum]
	case ostree.TypeFile:
		_, ok = w.files[o.Checksum]
	}
	return ok
}

// rest lists the objects that the walk has found and not read.
func (w *sweepWalk) rest() []Object {
	out := make([]Object, 0, len(w.metas)+len(w.files))
	for c := range w.metas {
		out = append(out, Object{ostree.TypeDirMeta, c})
	}
	for c := range w.files {
		out = append(out, Object{ostree.TypeFile, c})
	}
	return out
}
