package repo

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/ostree"
)

// Tree is one of two trees that are compared: [Repo.CommitTree] or [FolderTree].
type Tree struct {
	r      *Repo
	commit ostree.Checksum
	folder string // if not "", a folder on disk
}

// CommitTree is the tree of a commit.
func (r *Repo) CommitTree(c ostree.Checksum) Tree { return Tree{r: r, commit: c} }

// FolderTree is a folder on disk.
func FolderTree(path string) Tree { return Tree{folder: path} }

// DiffOptions tells what of a folder on disk is compared.
type DiffOptions struct {
	NoXattrs bool    // folders on disk have no extended attributes
	UID, GID *uint32 // owner of all of the second one, on disk; nil: as it is
}

// Diff is what is different in two trees. In a type that has changed, and in a folder
// that is gone, nothing more is looked at. Paths of a commit have a leading slash,
// those of a folder on disk have none.
type Diff struct {
	Modified []string // in both, with another type, owner, mode, attributes or content; as the first has them
	Removed  []string // in the first only
	Added    []string // in the second only, with all below it
}

// Compare tells how b differs from a. The order is ostree's: a folder before what is
// in it, what is new in it behind what is new below it; names in the order in which
// the tree has them, which for a folder on disk is that of its inodes.
//
// Content is read only where all else is the same, by several goroutines.
func Compare(ctx context.Context, a, b Tree, o DiffOptions) (*Diff, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	d := &differ{ctx: ctx, o: o, group: group}
	err := d.trees(a, b)
	if failed := group.Wait(); failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	out := &Diff{Removed: d.removed, Added: d.added}
	for _, p := range d.pairs {
		if p.differs {
			out.Modified = append(out.Modified, p.a.shown())
		}
	}
	return out, nil
}

type differ struct {
	ctx            context.Context
	o              DiffOptions
	group          *errgroup.Group
	budget         budget
	pairs          []*pair
	todo           []*pair // that must be looked at closer
	removed, added []string
}

// pair is what both trees have at a path.
type pair struct {
	a, b    entry
	differs bool
}

func (d *differ) trees(a, b Tree) error {
	x, err := a.root()
	if err != nil {
		return err
	}
	y, err := b.root()
	if err != nil {
		return err
	}
	y.second = true
	if err := d.dirs(x, y, 0); err != nil {
		return err
	}
	d.lookCloser()
	return nil
}

// dirs compares two folders.
func (d *differ) dirs(a, b entry, depth int) error {
	if d.ctx.Err() != nil {
		return context.Cause(d.ctx)
	}
	if a.r != nil && a.r == b.r && a.sum == b.sum {
		return nil
	}
	la, err := d.list(a, depth)
	if err != nil {
		return err
	}
	lb, err := d.list(b, depth)
	if err != nil {
		return err
	}
	names := make(map[string]int, len(lb))
	for i := range lb {
		names[lb[i].name] = i
	}
	for _, x := range la {
		i, ok := names[x.name]
		if !ok {
			d.removed = append(d.removed, x.shown())
			continue
		}
		delete(names, x.name)
		if err := d.both(x, lb[i], depth); err != nil {
			return err
		}
	}
	for _, y := range lb {
		if _, ok := names[y.name]; ok {
			if err := d.all(y, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// both compares what has the same path in both trees.
func (d *differ) both(x, y entry, depth int) error {
	p := &pair{a: x, b: y}
	d.pairs = append(d.pairs, p)
	switch {
	case x.isDir != y.isDir:
		p.differs = true
	case x.r != nil && y.r != nil && x.isDir:
		p.differs = x.meta != y.meta
	case x.r != nil && y.r != nil:
		p.differs = x.sum != y.sum
	default:
		if d.todo = append(d.todo, p); len(d.todo) == diffBatch {
			d.lookCloser()
		}
	}
	if !x.isDir || !y.isDir {
		return nil
	}
	return d.dirs(x, y, depth+1)
}

// diffBatch is how many files are looked at as one job.
const diffBatch = 64

// lookCloser has pairs compared that the walk cannot judge.
func (d *differ) lookCloser() {
	list := d.todo
	d.todo = nil
	d.group.Go(func() error {
		for _, p := range list {
			if d.ctx.Err() != nil {
				return context.Cause(d.ctx)
			}
			same, err := d.same(&p.a, &p.b)
			if err != nil {
				return err
			}
			p.differs = !same
		}
		return nil
	})
}

// all notes what is new: y and all below it.
func (d *differ) all(y entry, depth int) error {
	d.added = append(d.added, y.shown())
	if !y.isDir {
		return nil
	}
	list, err := d.list(y, depth+1)
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := d.all(e, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (d *differ) list(e entry, depth int) ([]entry, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	list, err := e.list()
	if err == nil {
		err = d.budget.add(len(list))
	}
	return list, err
}

// DiffStats counts the objects of two commits.
type DiffStats struct {
	A, B, Common int
	CommonSize   int64 // bytes, as the common ones lie in the repository
}

// CompareObjects counts the objects that two commits have, and have in common.
func (r *Repo) CompareObjects(ctx context.Context, a, b ostree.Checksum) (DiffStats, error) {
	var s DiffStats
	x, err := r.Reachable(ctx, a)
	if err != nil {
		return s, err
	}
	s.A = len(x)
	err = r.WalkObjects(ctx, b, func(o Object) error {
		s.B++
		if !x[o] {
			return nil
		}
		size, err := r.StoredSize(o.Type, o.Checksum)
		s.Common++
		s.CommonSize += size
		return err
	})
	return s, err
}
