package repo

import (
	"context"
	"errors"
	"fmt"

	"github.com/treewright/treewright/pkg/ostree"
)

// PruneOptions tell what [Repo.Prune] keeps. Without any, every commit that is here is
// kept, with all that it leads to.
type PruneOptions struct {
	// Refs keeps commits only that refs lead to, and their ancestors. The four fields
	// below imply it.
	Refs bool
	// Depth is how many ancestors of a ref's commit are kept; nil or negative: all.
	Depth *int
	// BranchDepth is the same for single refs.
	BranchDepth map[string]int
	// Only are the refs whose history is shortened; that of others is kept. Empty: all.
	Only []string
	// Since, when it is not nil, keeps of refs that BranchDepth does not name the
	// ancestors up to the first that is older: seconds since 1970 UTC.
	Since *int64

	// Delete is a commit that is deleted although a commit that stays has it as its
	// parent. It is a [*RefersError] when a ref points to it.
	Delete *ostree.Checksum
	// DeltasOnly deletes of that commit only the static deltas to it.
	DeltasOnly bool

	CommitsOnly bool // trees and files stay
	DryRun      bool // nothing is deleted
	Workers     int  // 0: one a core
}

// PruneReport is what [Repo.Prune] found.
type PruneReport struct {
	Objects int    // that are here; commits alone when no others were looked at
	Deleted int    // or would be
	Freed   uint64 // bytes
}

// A RefersError tells that a ref points to a commit that was to be deleted.
type RefersError struct {
	Commit ostree.Checksum
	Ref    RefName
}

func (e *RefersError) Error() string {
	return fmt.Sprintf("commit %s: ref %s points to it", e.Commit, e.Ref)
}

// Prune deletes objects that nothing leads to which is to be kept, and what belongs to
// commits that go or have gone: detached metadata, marks, static deltas and their
// indexes; also cached summaries of remotes that are no more. Commits go first, so that
// a run which dies leaves whole ones only; the next goes on. When core.tombstone-commits
// says so, and from then on when Delete is given, deleted commits leave tombstones.
//
// The repository is locked for others meanwhile: see [Repo.WithLock]. Memory is some 100
// bytes an object. A folder that cannot be read, of a commit that is not marked as
// partial, is an error, since what is in it is not known.
func (r *Repo) Prune(ctx context.Context, o PruneOptions) (*PruneReport, error) {
	o.fill()
	if r.mode == ostree.ModeSplitXattrs {
		return nil, fmt.Errorf("repository %s of mode %s is only read: %w", r.path, r.mode, ostree.ErrUnsupported)
	}
	var report *PruneReport
	err := r.WithLock(ctx, true, func(r *Repo) (err error) {
		p := &prune{r: r, o: o, commits: map[ostree.Checksum]*ostree.Commit{}}
		report, err = p.run(ctx)
		return err
	})
	return report, err
}

func (o *PruneOptions) fill() {
	if o.Workers <= 0 {
		o.Workers = workers()
	}
	if len(o.BranchDepth) > 0 || len(o.Only) > 0 || o.Since != nil {
		o.Refs = true
	}
}

type prune struct {
	r       *Repo
	o       PruneOptions
	commits map[ostree.Checksum]*ostree.Commit // to keep; nil: not here
	walk    *sweepWalk                         // what they lead to
	report  PruneReport
	bury    bool // deleted commits leave tombstones
}

func (p *prune) run(ctx context.Context) (*PruneReport, error) {
	if p.o.DryRun && p.o.Delete != nil {
		return nil, fmt.Errorf("a dry run that deletes commit %s: %w", p.o.Delete, ostree.ErrUnsupported)
	}
	if err := p.deleteOne(); err != nil {
		return nil, err
	}
	var err error
	if p.bury, err = p.r.tombstones(); err != nil {
		return nil, err
	}
	if err := p.keep(ctx); err != nil {
		return nil, err
	}
	if !p.o.CommitsOnly {
		if err := p.reach(ctx); err != nil {
			return nil, err
		}
	}
	doomed, err := p.find(ctx)
	if err != nil || p.o.DryRun {
		return &p.report, err
	}
	if err := p.remove(ctx, doomed); err != nil {
		return nil, err
	}
	return &p.report, p.tidy()
}

// deleteOne deletes the commit that the options name.
func (p *prune) deleteOne() error {
	if p.o.Delete == nil {
		return nil
	}
	c := *p.o.Delete
	if p.o.DeltasOnly {
		return p.r.pruneDeltas(func(to ostree.Checksum) (bool, error) { return to == c, nil })
	}
	if err := p.r.referred(c); err != nil {
		return err
	}
	if !p.r.own(ostree.TypeCommit, c) {
		return objectError(ostree.TypeCommit, c, ostree.ErrNotFound)
	}
	if err := p.r.keepTombstones(); err != nil {
		return err
	}
	p.r.config = p.r.config.with("core.tombstone-commits", "true")
	return p.r.deleteCommit(c, true)
}

// referred looks for a ref that points to a commit.
func (r *Repo) referred(c ostree.Checksum) error {
	err := r.eachRef(func(name string, at ostree.Checksum, err error) error {
		if err == nil && at == c {
			return &RefersError{c, RefName{Name: name}}
		}
		return err
	})
	if err != nil {
		return err
	}
	return r.eachMirror(func(n RefName, at ostree.Checksum) error {
		if at == c {
			return &RefersError{c, n}
		}
		return nil
	})
}

// tree reads what a commit that is kept leads to. Objects may be missing of one that is
// marked as partial.
func (p *prune) reach(ctx context.Context) error {
	var partial []*ostree.Commit
	lenient := false
	p.walk = &sweepWalk{r: p.r, workers: p.o.Workers, bad: func(_ Object, err error) error {
		if lenient && errors.Is(err, ostree.ErrNotFound) {
			return nil
		}
		return err
	}}
	for c, commit := range p.commits {
		if commit == nil {
			continue
		}
		marked, err := p.r.Partial(c)
		if err != nil {
			return err
		}
		if marked {
			partial = append(partial, commit)
			continue
		}
		p.walk.root(commit)
	}
	if err := p.walk.run(ctx); err != nil {
		return err
	}
	lenient = true
	for _, commit := range partial {
		p.walk.root(commit)
	}
	return p.walk.run(ctx)
}
