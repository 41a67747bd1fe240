package composer

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/spelling"
	"github.com/treewright/treewright/pkg/treefile"
)

// LockOptions tells what to lock. The first of Lockfiles is read, when it is there,
// and written; the others are only read.
type LockOptions struct {
	ResolveOptions
	UpdateAll bool     // forget the lockfile
	Update    []string // packages whose lock is forgotten, or globs of such
}

// LockReport is the lockfile that was written, or looked at when it is to stay.
type LockReport struct {
	Lockfile string            `json:"lockfile"`
	Packages []ResolvedPackage `json:"packages"`
	Changes  []PackageChange   `json:"pkgdiff"`
}

// Lock resolves a treefile and writes the lockfile. Packages that it names already
// stay as they are, unless they are to be updated. With Locked nothing is written: the
// lockfile must have exactly the packages that the treefile needs.
func Lock(ctx context.Context, o LockOptions) (*LockReport, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	unlock, err := o.lockWorkdir(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if len(o.Lockfiles) == 0 {
		o.Lockfiles = []string{lockfilePath(o.Treefile)}
	}
	old, err := readLockfile(o.Lockfiles[0])
	if err == nil && old == nil && o.Locked {
		err = missingLock(fmt.Errorf("lockfile %s: %w", o.Lockfiles[0], ErrNotFound), o.Treefile)
	}
	if err != nil {
		return nil, err
	}
	keep, err := o.keep(old)
	if err != nil {
		return nil, err
	}
	if keep, err = overlay(keep, o.Lockfiles[1:]); err != nil {
		return nil, err
	}
	t, err := o.parse()
	if err != nil {
		return nil, err
	}
	r, err := o.resolveWith(ctx, t, keep)
	if err != nil {
		return nil, err
	}
	o.Progress.Step("", 0, 0)
	return o.finish(r, old, keep)
}

// finish writes the lockfile, or compares it.
func (o *LockOptions) finish(r *resolution, old, keep *treefile.Lockfile) (*LockReport, error) {
	report := &LockReport{Lockfile: o.Lockfiles[0]}
	for _, p := range r.packages {
		report.Packages = append(report.Packages, ResolvedPackage{p.NEVRA, p.Repo.ID, p.Size})
	}
	if o.Locked {
		return report, o.checkLocked(r, keep)
	}
	fresh := newLockfile(r.packages, r.repos, o.Time)
	if old != nil {
		report.Changes = comparePackages(lockedPackages(old), lockedPackages(fresh))
	}
	return report, writeJSON(o.Lockfiles[0], fresh)
}

// checkLocked refuses a lockfile with packages that nothing needs.
func (o *LockOptions) checkLocked(r *resolution, locked *treefile.Lockfile) error {
	left := maps.Clone(locked.Packages)
	for _, p := range r.packages {
		delete(left, p.NEVRA.Name)
	}
	if len(left) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(left))
	return &hintError{fmt.Errorf("lockfile %s: %w: the treefile does not need %s", o.Lockfiles[0], ErrLockStale, strings.Join(names, ", ")),
		"treewright lock " + o.Treefile + " writes it anew"}
}

// keep is the part of a lockfile that still holds.
func (o *LockOptions) keep(old *treefile.Lockfile) (*treefile.Lockfile, error) {
	kept := &treefile.Lockfile{Packages: map[string]treefile.LockedPackage{}}
	if old == nil {
		return kept, nil
	}
	used := map[string]bool{}
	for name, p := range old.Packages {
		hit := o.UpdateAll
		for _, w := range o.Update {
			if ok, err := path.Match(w, name); w == name || ok && err == nil {
				used[w], hit = true, true
			}
		}
		if !hit {
			kept.Packages[name] = p
		}
	}
	for _, w := range o.Update {
		if used[w] {
			continue
		}
		err := fmt.Errorf("package %s: %w in lockfile %s", w, ErrNotFound, o.Lockfiles[0])
		if near := spelling.Nearest(w, maps.Keys(old.Packages), len(w)/3+2); near != "" {
			return nil, &hintError{err, "did you mean " + near + "?"}
		}
		return nil, err
	}
	return kept, nil
}
