package repo

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/treewright/treewright/pkg/ostree"
)

// settle makes problems of what is bad: it finds the commits, and does to them and to
// the objects what the options say.
func (f *fsck) settle(ctx context.Context) error {
	if len(f.bad) == 0 {
		return nil
	}
	list := slices.SortedFunc(maps.Keys(f.bad), Object.compare)
	if f.o.First {
		list = f.untilFirst(list)
	}
	b := &blame{f: f, above: map[ostree.Checksum][]ostree.Checksum{}, holders: map[Object][]ostree.Checksum{}, commits: map[ostree.Checksum][]ostree.Checksum{}}
	if err := b.walk(ctx); err != nil {
		return err
	}
	for _, o := range list {
		p := FsckProblem{Object: o, Err: f.bad[o], Commits: b.of(o)}
		if err := f.act(&p); err != nil {
			return err
		}
		f.report.Problems = append(f.report.Problems, p)
	}
	return nil
}

// untilFirst leaves out the corrupt objects behind the first one.
func (f *fsck) untilFirst(list []Object) []Object {
	var out []Object
	found := false
	for _, o := range list {
		corrupt := !errors.Is(f.bad[o], ostree.ErrNotFound)
		if corrupt && found {
			continue
		}
		found = found || corrupt
		out = append(out, o)
	}
	return out
}

// act removes a bad object and marks commits.
func (f *fsck) act(p *FsckProblem) error {
	missing := p.Missing()
	if f.o.Delete && errors.Is(p.Err, ostree.ErrCorrupt) {
		if err := os.Remove(f.r.objectPath(p.Object.Type, p.Object.Checksum)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		p.Deleted = true
	}
	if !p.Deleted && !(missing && f.o.Mark) {
		return nil
	}
	for _, c := range p.Commits {
		marked, err := f.r.markDamaged(c)
		if err != nil {
			return err
		}
		if marked {
			p.Marked = append(p.Marked, c)
		}
	}
	return nil
}

// blame finds the commits that lead to bad objects.
type blame struct {
	f       *fsck
	above   map[ostree.Checksum][]ostree.Checksum // folder: the folders that it is in
	holders map[Object][]ostree.Checksum          // bad object: the folders that it is in
	commits map[ostree.Checksum][]ostree.Checksum // folder: the commits whose root it is
}

// walk reads all folders once more.
func (b *blame) walk(ctx context.Context) error {
	seen, level := checksums{}, []ostree.Checksum(nil)
	for _, c := range b.f.commits {
		commit := b.f.heads[c]
		if commit == nil {
			continue
		}
		b.commits[commit.Root] = append(b.commits[commit.Root], c)
		if meta := (Object{ostree.TypeDirMeta, commit.RootMeta}); b.f.bad[meta] != nil {
			b.holders[meta] = append(b.holders[meta], commit.Root)
		}
		if seen.add(commit.Root) {
			level = append(level, commit.Root)
		}
	}
	for depth := 0; len(level) > 0 && depth <= maxDepth; depth++ {
		var next []ostree.Checksum
		for _, tree := range level {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if b.f.bad[Object{ostree.TypeDirTree, tree}] != nil {
				continue
			}
			dt, err := b.f.r.readDirTree(tree)
			if err != nil {
				return err
			}
			for _, d := range b.folder(tree, dt) {
				if seen.add(d) {
					next = append(next, d)
				}
			}
		}
		level = next
	}
	return nil
}

// folder notes what a folder holds and returns the folders in it.
func (b *blame) folder(tree ostree.Checksum, dt *ostree.DirTree) (dirs []ostree.Checksum) {
	hold := func(o Object) {
		if b.f.bad[o] != nil && !slices.Contains(b.holders[o], tree) {
			b.holders[o] = append(b.holders[o], tree)
		}
	}
	for _, e := range dt.Files {
		hold(Object{ostree.TypeFile, e.Checksum})
	}
	for _, d := range dt.Dirs {
		hold(Object{ostree.TypeDirMeta, d.Meta})
		if !slices.Contains(dirs, d.Tree) {
			dirs = append(dirs, d.Tree)
			b.above[d.Tree] = append(b.above[d.Tree], tree)
		}
	}
	return dirs
}

// of returns the commits that lead to an object.
func (b *blame) of(o Object) []ostree.Checksum {
	var todo []ostree.Checksum
	switch o.Type {
	case ostree.TypeCommit, ostree.TypeCommitMeta, ostree.TypeTombstone:
		if slices.Contains(b.f.commits, o.Checksum) {
			return []ostree.Checksum{o.Checksum}
		}
		return nil
	case ostree.TypeDirTree:
		todo = []ostree.Checksum{o.Checksum}
	default:
		todo = slices.Clone(b.holders[o])
	}
	seen, found := checksums{}, checksums{}
	for len(todo) > 0 {
		tree := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !seen.add(tree) {
			continue
		}
		for _, c := range b.commits[tree] {
			found[c] = struct{}{}
		}
		todo = append(todo, b.above[tree]...)
	}
	return slices.SortedFunc(maps.Keys(found), ostree.Checksum.Compare)
}
