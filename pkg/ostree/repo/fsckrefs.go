package repo

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
)

// refs looks at the refs of this repository and of remotes.
func (f *fsck) refs() error {
	f.o.Stage(FsckRefs, 0)
	ids, err := f.r.collectionIDs()
	if err != nil {
		return err
	}
	found := map[string]ostree.Checksum{}
	err = f.r.eachRef(func(name string, c ostree.Checksum, err error) error {
		if err != nil {
			return &FsckRefError{RefName{Name: name}, err}
		}
		found[name] = c
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		remote, ref, ok := strings.Cut(name, ":")
		if !ok {
			remote, ref = "", name
		}
		if err := f.ref(found[name], ref, ids[remote]); err != nil {
			return &FsckRefError{RefName{Name: name}, err}
		}
	}
	return nil
}

// collectionRefs looks at the refs of collections.
func (f *fsck) collectionRefs() error {
	f.o.Stage(FsckCollections, 0)
	refs, err := f.r.CollectionRefs()
	if err != nil {
		return err
	}
	names := slices.SortedFunc(maps.Keys(refs), RefName.compare)
	for _, n := range names {
		if err := f.ref(refs[n], n.Name, n.Collection); err != nil {
			return &FsckRefError{n, err}
		}
	}
	return nil
}

// ref looks at one ref. The commit's checksum is for later.
func (f *fsck) ref(c ostree.Checksum, name, collection string) error {
	if f.o.Bindings || f.o.BackRefs {
		commit, err := f.r.ReadCommit(c)
		if err != nil {
			return err
		}
		return commit.CheckBindings(c, name, collection)
	}
	there, err := f.r.Has(ostree.TypeCommit, c)
	if err == nil && !there {
		err = objectError(ostree.TypeCommit, c, ostree.ErrNotFound)
	}
	return err
}

// findCommits reads the commits that are to be whole.
func (f *fsck) findCommits(ctx context.Context) error {
	all, err := f.r.Commits()
	if err != nil {
		return err
	}
	for _, c := range all {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := f.commit(c); err != nil {
			return err
		}
	}
	f.report.Commits = len(f.commits)
	return nil
}

func (f *fsck) commit(c ostree.Checksum) error {
	marked, found, err := f.r.partial(c)
	if err != nil {
		return err
	}
	commit, err := f.r.ReadCommit(c)
	if err == nil {
		if err := f.backRefs(c, commit); err != nil {
			return err
		}
		if err := f.parent(commit); err != nil {
			return err
		}
	}
	if marked {
		f.report.Partial = append(f.report.Partial, c)
		if found {
			f.report.Damaged++
		}
		return nil
	}
	f.commits = append(f.commits, c)
	if err != nil {
		return f.note(Object{ostree.TypeCommit, c}, err)
	}
	f.heads[c] = commit
	if _, err := f.r.ReadDetached(c); err != nil {
		return f.note(Object{ostree.TypeCommitMeta, c}, err)
	}
	return nil
}

// backRefs looks for the refs that a commit is bound to.
func (f *fsck) backRefs(c ostree.Checksum, commit *ostree.Commit) error {
	if !f.o.BackRefs {
		return nil
	}
	collection := commit.Text(ostree.KeyCollectionBinding)
	refs, _ := commit.RefBindings()
	for _, ref := range refs {
		n := RefName{collection, ref}
		p, err := f.r.refPath(n)
		if err != nil {
			return err
		}
		at, err := readRef(p)
		if missing(err) {
			return &BackRefError{Commit: c, Ref: n, Missing: true}
		}
		if err != nil {
			return &FsckRefError{n, err}
		}
		if at != c {
			return &BackRefError{Commit: c, Ref: n}
		}
	}
	return nil
}

// parent notes a parent that is not here.
func (f *fsck) parent(commit *ostree.Commit) error {
	if !f.o.Tombstones || commit.Parent == nil {
		return nil
	}
	there, err := f.r.Has(ostree.TypeCommit, *commit.Parent)
	if err == nil && !there {
		there, err = f.r.Has(ostree.TypeTombstone, *commit.Parent)
	}
	if err == nil && !there && !slices.Contains(f.parents, *commit.Parent) {
		f.parents = append(f.parents, *commit.Parent)
	}
	return err
}

// bury writes the tombstones, and makes later prunes write some.
func (f *fsck) bury() error {
	if !f.o.Tombstones {
		return nil
	}
	for _, c := range f.parents {
		if err := f.r.writeTombstone(c); err != nil {
			return err
		}
		f.report.Tombstones = append(f.report.Tombstones, c)
	}
	return f.r.keepTombstones()
}
