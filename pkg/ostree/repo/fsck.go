package repo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/treewright/treewright/pkg/ostree"
)

// FsckOptions tells what [Repo.Fsck] does besides looking. The zero value looks at
// all that commits lead to and changes nothing.
type FsckOptions struct {
	// First stops at the first corrupt object, in the order of checksums. Objects that
	// are missing do not count, but a
	// folder that is missing is an error of its own.
	First bool
	// Unreachable also checks objects that no commit leads to: what a broken run left.
	Unreachable bool
	Bindings    bool // refs point only to commits that are bound to them
	BackRefs    bool // refs that commits are bound to are there
	// Mark marks commits as partial that lack objects, so that a pull completes them.
	Mark bool
	// Delete removes objects that are corrupt, and marks the commits that lead to them.
	Delete bool
	// Tombstones notes parents of commits that are not here as deleted on purpose.
	Tombstones bool

	Workers  int                     // objects read at once; 0: one a core
	Stage    func(FsckStage, int)    // is told what comes next; nil is not
	Progress func(done, total int64) // of objects; nil reports nothing
}

// FsckStage is what [Repo.Fsck] is about to do.
type FsckStage int

// The stages, in their order. With the last comes the number of commits.
const (
	FsckRefs FsckStage = iota
	FsckCollections
	FsckCommits
	FsckObjects
)

// FsckReport is what [Repo.Fsck] found.
type FsckReport struct {
	Commits    int // whole ones, that were looked at
	Objects    int // that were looked at
	Problems   []FsckProblem
	Partial    []ostree.Checksum // commits that are marked as lacking objects and were passed over; sorted
	Damaged    int               // of these, those that a fsck has marked
	Tombstones []ostree.Checksum // that were added
}

// Err joins the problems.
func (r *FsckReport) Err() error {
	var all []error
	for i := range r.Problems {
		all = append(all, &r.Problems[i])
	}
	return errors.Join(all...)
}

// FsckProblem is an object that is missing or corrupt.
type FsckProblem struct {
	Object  Object
	Commits []ostree.Checksum // that lead to it; sorted
	Err     error             // names the object
	Deleted bool              // the object was removed
	Marked  []ostree.Checksum // commits that were marked as partial for it; sorted
}

// Missing tells whether the object is not there.
func (p *FsckProblem) Missing() bool { return errors.Is(p.Err, ostree.ErrNotFound) }

func (p *FsckProblem) Error() string { return p.Err.Error() }

func (p *FsckProblem) Unwrap() error { return p.Err }

// A FsckRefError is a ref whose commit cannot be read, or is not bound to it.
type FsckRefError struct {
	Ref RefName
	Err error
}

func (e *FsckRefError) Error() string { return fmt.Sprintf("ref %s: %v", e.Ref, e.Err) }

func (e *FsckRefError) Unwrap() error { return e.Err }

// A BackRefError is a ref that a commit is bound to and that is not there, or points to
// another commit.
type BackRefError struct {
	Commit  ostree.Checksum
	Ref     RefName
	Missing bool
}

func (e *BackRefError) Error() string {
	if e.Missing {
		return fmt.Sprintf("commit %s is bound to ref %s, which is not there", e.Commit, e.Ref)
	}
	return fmt.Sprintf("commit %s is bound to ref %s, which is another commit", e.Commit, e.Ref)
}

// Fsck checks that refs point to commits that are there, and reads every object that a
// commit leads to and compares it with its checksum. Commits that are marked as partial
// are passed over.
//
// Objects that are missing or corrupt are in the report. The error is a
// [*FsckRefError] or a [*BackRefError], or what kept it from looking. Memory is some 100
// bytes an object, whatever its size.
func (r *Repo) Fsck(ctx context.Context, opts ...FsckOptions) (*FsckReport, error) {
	f := &fsck{r: r, report: &FsckReport{}}
	if len(opts) > 0 {
		f.o = opts[0]
	}
	f.fill()
	if err := f.refs(); err != nil {
		return nil, err
	}
	if err := f.collectionRefs(); err != nil {
		return nil, err
	}
	f.o.Stage(FsckCommits, 0)
	if err := f.findCommits(ctx); err != nil {
		return nil, err
	}
	f.o.Stage(FsckObjects, f.report.Commits)
	if err := f.objects(ctx); err != nil {
		return nil, err
	}
	if err := f.settle(ctx); err != nil {
		return nil, err
	}
	return f.report, f.bury()
}

type fsck struct {
	r       *Repo
	o       FsckOptions
	report  *FsckReport
	commits []ostree.Checksum                  // whole ones
	heads   map[ostree.Checksum]*ostree.Commit // of these, those that can be read
	parents []ostree.Checksum                  // of commits, that are not here
	bad     map[Object]error                   // what was found
}

func (f *fsck) fill() {
	if f.o.Workers <= 0 {
		f.o.Workers = workers()
	}
	if f.o.Stage == nil {
		f.o.Stage = func(FsckStage, int) {}
	}
	if f.o.Progress == nil {
		f.o.Progress = func(int64, int64) {}
	}
	f.heads = map[ostree.Checksum]*ostree.Commit{}
	f.bad = map[Object]error{}
}

// objects walks the folders of all commits, then looks at everything else.
func (f *fsck) objects(ctx context.Context) error {
	w := &sweepWalk{r: f.r, workers: f.o.Workers, bad: f.folder}
	for _, c := range f.commits {
		if commit := f.heads[c]; commit != nil {
			w.root(commit)
		}
	}
	if err := w.run(ctx); err != nil {
		return err
	}
	if f.o.First && f.corrupt() {
		return nil
	}
	todo := w.rest()
	f.report.Objects = len(f.commits) + len(w.trees) + len(todo)
	if f.o.Unreachable {
		more, err := f.unreachable(w)
		if err != nil {
			return err
		}
		todo = append(todo, more...)
		f.report.Objects += len(more)
	}
	slices.SortFunc(todo, Object.compare)
	return f.verify(ctx, todo)
}

// folder takes down what is wrong with a folder. What is in it cannot be known.
func (f *fsck) folder(o Object, err error) error {
	if f.o.First && errors.Is(err, ostree.ErrNotFound) {
		return err
	}
	return f.note(o, err)
}

// note takes down what is wrong with an object. What kept it from being read, such as a
// fault of the disk, is returned: nothing is known of the object then.
func (f *fsck) note(o Object, err error) error {
	if !errors.Is(err, ostree.ErrNotFound) && !errors.Is(err, ostree.ErrCorrupt) && !errors.Is(err, ostree.ErrUnsupported) {
		return err
	}
	f.bad[o] = err
	return nil
}

// corrupt tells whether an object was found that is there and bad.
func (f *fsck) corrupt() bool {
	for _, err := range f.bad {
		if !errors.Is(err, ostree.ErrNotFound) {
			return true
		}
	}
	return false
}

// unreachable lists the objects that the walk did not come by.
func (f *fsck) unreachable(w *sweepWalk) (out []Object, err error) {
	err = f.r.loose(func(o Object) {
		_, partial := slices.BinarySearchFunc(f.report.Partial, o.Checksum, ostree.Checksum.Compare)
		if !w.has(o) && o.Type != ostree.TypeCommit || o.Type == ostree.TypeCommit && partial {
			out = append(out, o)
		}
	})
	return out, err
}
