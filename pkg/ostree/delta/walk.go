package delta

import (
	"context"
	"fmt"

	"github.com/treewright/treewright/pkg/ostree"
)

// newObjects lists what TO has and FROM has not, metadata first, then files in the
// order of their paths, so that alike ones are near each other.
func (g *generator) newObjects(ctx context.Context) ([]ObjectName, error) {
	old := map[ObjectName]bool{}
	if g.o.From != nil {
		if _, err := g.walkCommit(ctx, *g.o.From, old); err != nil {
			return nil, err
		}
	}
	all, err := g.walkCommit(ctx, g.o.To, old)
	if err != nil {
		return nil, err
	}
	if g.sb.Commit, err = g.r.ReadObject(ostree.TypeCommit, g.o.To); err != nil {
		return nil, err
	}
	var meta, files []ObjectName
	for _, o := range all {
		if o.Type == ostree.TypeFile {
			files = append(files, o)
		} else {
			meta = append(meta, o)
		}
	}
	return append(meta, files...), nil
}

// walkCommit returns the objects of a commit's tree that are not in seen, each
// once, and adds them to it.
func (g *generator) walkCommit(ctx context.Context, c ostree.Checksum, seen map[ObjectName]bool) ([]ObjectName, error) {
	raw, err := g.r.ReadObject(ostree.TypeCommit, c)
	if err != nil {
		return nil, err
	}
	commit, err := ostree.ParseCommit(raw)
	if err != nil {
		return nil, fmt.Errorf("object %s.commit: %w", c, err)
	}
	w := walker{ctx: ctx, r: g.r, seen: seen}
	w.add(ostree.TypeDirMeta, commit.RootMeta)
	err = w.tree(commit.Root)
	return w.found, err
}

type walker struct {
	ctx   context.Context
	r     ObjectReader
	seen  map[ObjectName]bool
	found []ObjectName
}

func (w *walker) add(t ostree.ObjectType, c ostree.Checksum) bool {
	o := ObjectName{t, c}
	if w.seen[o] {
		return false
	}
	w.seen[o] = true
	w.found = append(w.found, o)
	return true
}

func (w *walker) tree(c ostree.Checksum) error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	if !w.add(ostree.TypeDirTree, c) {
		return nil
	}
	raw, err := w.r.ReadObject(ostree.TypeDirTree, c)
	if err != nil {
		return err
	}
	t, err := ostree.ParseDirTree(raw)
	if err != nil {
		return fmt.Errorf("object %s.dirtree: %w", c, err)
	}
	for _, f := range t.Files {
		w.add(ostree.TypeFile, f.Checksum)
	}
	for _, d := range t.Dirs {
		w.add(ostree.TypeDirMeta, d.Meta)
		if err := w.tree(d.Tree); err != nil {
			return err
		}
	}
	return nil
}
