package repo

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
)

// RefChange is what is to become of a ref: it points to Commit, or it is an alias,
// another name of a ref of this repository, or it goes when it has neither.
type RefChange struct {
	RefName
	Commit *ostree.Checksum
	Alias  string
}

// refChange is a change and the files that it is about.
type refChange struct {
	RefChange
	file   string
	target string // of an alias
	link   bool   // the file is an alias
}

// deletes tells whether the ref is to go.
func (c *refChange) deletes() bool { return c.Commit == nil && c.Alias == "" }

// SetRef makes a ref, NAME or REMOTE:NAME, point to a commit of the repository. It is
// [Repo.ChangeRefs] of one.
func (r *Repo) SetRef(name string, c ostree.Checksum) error {
	return r.ChangeRefs(RefChange{RefName: RefName{Name: name}, Commit: &c})
}

// DeleteRef removes a ref and folders that become empty. It is [Repo.ChangeRefs] of
// one.
func (r *Repo) DeleteRef(name string) error {
	return r.ChangeRefs(RefChange{RefName: RefName{Name: name}})
}

// ChangeRefs changes refs. What would not do is found before the first of them
// changes: names that cannot be, commits and targets of aliases that are missing, refs
// that are to go but are not there or have an alias that stays, and names that are a
// part of another ref's. New refs are written before old ones go, and the summary is
// written last if core.auto-update-summary says so, so that a run which dies in between
// leaves no commit without a name.
//
// The error wraps a [*RefError], or [ostree.ErrNotFound] for a commit.
func (r *Repo) ChangeRefs(changes ...RefChange) (err error) {
	lock, err := r.lockUntil(nil, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock(lock)) }()
	plan, err := r.planRefs(changes, r.Has)
	if err != nil {
		return err
	}
	return r.applyRefs(plan)
}

// planRefs checks changes and brings them into the order in which they are made. has
// tells whether a commit is there.
func (r *Repo) planRefs(changes []RefChange, has func(ostree.ObjectType, ostree.Checksum) (bool, error)) ([]refChange, error) {
	plan := make([]refChange, len(changes))
	for i, c := range changes {
		file, err := r.refPath(c.RefName)
		if err != nil {
			return nil, err
		}
		target, err := r.aliasTarget(file)
		if err != nil && !missing(err) {
			return nil, err
		}
		plan[i] = refChange{RefChange: c, file: file, link: target != ""}
	}
	rank := func(c refChange) int {
		switch {
		case c.Commit != nil:
			return 0
		case c.Alias != "":
			return 1
		case c.link:
			return 2
		}
		return 3
	}
	slices.SortFunc(plan, func(a, b refChange) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.file, b.file))
	})
	for i := range plan {
		if err := r.checkChange(&plan[i], plan, has); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

// checkChange finds what would be in the way of one change of a plan.
func (r *Repo) checkChange(c *refChange, plan []refChange, has func(ostree.ObjectType, ostree.Checksum) (bool, error)) error {
	switch {
	case c.Commit != nil:
		there, err := has(ostree.TypeCommit, *c.Commit)
		if err == nil && !there {
			err = objectError(ostree.TypeCommit, *c.Commit, ostree.ErrNotFound)
		}
		if err != nil {
			return fmt.Errorf("ref %s: %w", c.Name, err)
		}
	case c.Alias != "":
		if err := r.checkAlias(c); err != nil {
			return err
		}
	default:
		return r.checkDelete(c, plan)
	}
	return r.checkConflict(c)
}

func (r *Repo) checkAlias(c *refChange) (err error) {
	if c.Collection != "" || strings.ContainsRune(c.Name+c.Alias, ':') {
		return &RefError{Name: c.Name, Other: c.Alias, Err: fmt.Errorf("an alias is between refs of this repository: %w", ostree.ErrMalformed)}
	}
	if c.target, err = r.refPath(RefName{Name: c.Alias}); err != nil {
		return err
	}
	// Reading follows links: an alias of itself would not end.
	if end, err := filepath.EvalSymlinks(c.target); missing(err) || err == nil && end == c.file {
		return &RefError{Name: c.Alias, In: r.path, Err: ostree.ErrNotFound}
	} else if err != nil {
		return err
	}
	return nil
}

// checkDelete refuses to remove what is not there, or what an alias that stays needs.
func (r *Repo) checkDelete(c *refChange, plan []refChange) error {
	if st, err := os.Lstat(c.file); missing(err) || err == nil && st.IsDir() {
		return &RefError{Name: c.Name, In: r.path, Err: ostree.ErrNotFound}
	} else if err != nil {
		return err
	}
	return r.walkRefs(headsDir, func(alias, p string) error {
		link, err := os.Readlink(p)
		if err != nil || filepath.Join(filepath.Dir(p), link) != c.file {
			return nil
		}
		goes := slices.ContainsFunc(plan, func(o refChange) bool { return o.file == p && o.Alias != c.Name })
		if goes {
			return nil
		}
		return &RefError{Name: c.Name, Other: alias, Err: ErrAliased}
	})
}

// checkConflict finds a ref whose name is a part of this one's, or the other way round.
func (r *Repo) checkConflict(c *refChange) error {
	top := r.file("refs")
	for dir := filepath.Dir(c.file); dir != top; dir = filepath.Dir(dir) {
		if st, err := os.Stat(dir); err == nil && !st.IsDir() {
			return &RefError{Name: c.Name, Other: r.relRef(dir), Err: ErrConflict}
		}
	}
	st, err := os.Lstat(c.file)
	if err != nil || !st.IsDir() {
		return nil
	}
	return filepath.WalkDir(c.file, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return &RefError{Name: c.Name, Other: r.relRef(p), Err: ErrConflict}
	})
}

// relRef is the name of the ref in a file, without the remote or the collection.
func (r *Repo) relRef(file string) string {
	rel, err := filepath.Rel(r.file("refs"), file)
	parts := strings.SplitN(filepath.ToSlash(rel), "/", 3)
	if err != nil || len(parts) < 2 {
		return file
	}
	if parts[0] == "heads" {
		return strings.Join(parts[1:], "/")
	}
	return parts[len(parts)-1]
}

// applyRefs makes changes that were checked.
func (r *Repo) applyRefs(plan []refChange) error {
	if len(plan) == 0 {
		return nil
	}
	for i := range plan {
		if err := r.applyRef(&plan[i]); err != nil {
			return fmt.Errorf("ref %s: %w", plan[i].RefName, err)
		}
	}
	if err := r.touch(); err != nil {
		return err
	}
	return r.autoSummary()
}

func (r *Repo) applyRef(c *refChange) error {
	switch {
	case c.deletes():
		return r.removeRef(c.file)
	case c.Alias != "":
		link, err := filepath.Rel(filepath.Dir(c.file), c.target)
		if err != nil {
			return err
		}
		return r.replace(c.file, func(tmp string) error { return os.Symlink(link, tmp) })
	}
	return r.replace(c.file, func(tmp string) error {
		f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = f.WriteString(c.Commit.String() + "\n")
		if err == nil && r.fsync {
			err = f.Sync()
		}
		return errors.Join(err, f.Close())
	})
}

// removeRef removes the file of a ref and the folders that become empty.
func (r *Repo) removeRef(file string) error {
	if err := os.Remove(file); err != nil {
		return err
	}
	top := r.file("refs")
	for d := filepath.Dir(file); filepath.Dir(d) != top; d = filepath.Dir(d) {
		if unix.Rmdir(d) != nil { // not empty
			return r.syncDir(d)
		}
	}
	return nil
}

// replace puts what makes creates at p, below refs/, whole or not at all. Empty folders
// give way.
func (r *Repo) replace(p string, makes func(tmp string) error) error {
	if err := os.MkdirAll(filepath.Dir(p), 0o775); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(r.file("tmp"), "ref-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tmp := filepath.Join(dir, "ref")
	if err := makes(tmp); err != nil {
		return err
	}
	err = os.Rename(tmp, p)
	if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EEXIST) {
		if removeEmpty(p) == nil {
			err = os.Rename(tmp, p)
		}
	}
	if err != nil {
		return err
	}
	return r.syncDir(filepath.Dir(p))
}

// syncDir makes what changed in a folder durable, if the configuration says so.
func (r *Repo) syncDir(dir string) error {
	if !r.fsync {
		return nil
	}
	return fsutil.SyncDir(dir)
}

// removeEmpty removes a folder that holds nothing but folders like it.
func removeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			return fs.ErrExist
		}
		if err := removeEmpty(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return unix.Rmdir(dir)
}

// touch sets the time of the repository's folder: others watch it for changes of refs.
func (r *Repo) touch() error {
	now := []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, r.path, now, 0); err != nil {
		return &fs.PathError{Op: "touch", Path: r.path, Err: err}
	}
	return nil
}
