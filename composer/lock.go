package composer

import (
	"context"
	"slices"
)

// LockOptions tells what to lock.
type LockOptions struct {
	ResolveOptions
	UpdateAll bool     // forget the lockfile
	Update    []string // packages whose lock is forgotten
}

// LockReport is the written lockfile.
type LockReport struct {
	Lockfile string            `json:"lockfile"`
	Packages []ResolvedPackage `json:"packages"`
	Changes  []PackageChange   `json:"pkgdiff"`
}

// Lock resolves a treefile and writes the lockfile. Packages that it names already
// stay as they are, unless they are to be updated.
func Lock(ctx context.Context, o LockOptions) (*LockReport, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	unlock, err := o.lockWorkdir(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	path := o.Lockfile
	if path == "" {
		path = lockfilePath(o.Treefile)
	}
	old, err := readLockfile(path)
	if err != nil {
		return nil, err
	}
	t, err := o.parse()
	if err != nil {
		return nil, err
	}
	r, err := o.resolveWith(ctx, t, o.keep(old))
	if err != nil {
		return nil, err
	}
	o.Progress.Step("", 0, 0)
	fresh := newLockfile(r.packages, r.repos, o.Time)
	report := &LockReport{Lockfile: path}
	for _, p := range r.packages {
		report.Packages = append(report.Packages, ResolvedPackage{p.NEVRA, p.Repo.ID, p.Size})
	}
	if old != nil {
		report.Changes = comparePackages(old.nevras(), fresh.nevras())
	}
	return report, writeJSON(path, fresh)
}

// keep is the part of a lockfile that still holds.
func (o *LockOptions) keep(old *Lockfile) *Lockfile {
	if old == nil || o.UpdateAll {
		return nil
	}
	kept := &Lockfile{Packages: map[string]LockedPackage{}}
	for name, p := range old.Packages {
		if !slices.Contains(o.Update, name) {
			kept.Packages[name] = p
		}
	}
	return kept
}
