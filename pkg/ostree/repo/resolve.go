package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
)

// Resolve turns a revision into a commit: a checksum, a unique beginning of one, a
// ref, REMOTE:REF, or any of these with "^" for the parent. As in ostree the beginning
// of a checksum comes before a ref of that name, and a ref of this repository before
// that of a remote. A whole checksum is not looked for.
//
// The error is a [*RefError] that wraps [ostree.ErrNotFound], [ErrAmbiguous] or
// [ostree.ErrMalformed], or a [*NoParentError].
func (r *Repo) Resolve(rev string) (c ostree.Checksum, err error) {
	base := strings.TrimRight(rev, "^")
	if c, err = r.resolveBase(base); err != nil {
		return c, err
	}
	for range len(rev) - len(base) {
		commit, err := r.ReadCommit(c)
		if err != nil {
			return c, err
		}
		if commit.Parent == nil {
			return c, &NoParentError{c}
		}
		c = *commit.Parent
	}
	return c, nil
}

func (r *Repo) resolveBase(rev string) (c ostree.Checksum, err error) {
	if ostree.IsChecksum(rev) {
		return ostree.ParseChecksum(rev)
	}
	if c, ok, err := r.resolvePrefix(rev); ok || err != nil {
		return c, err
	}
	files, err := r.refFiles(rev)
	if err != nil {
		return c, err
	}
	for _, f := range files {
		c, err := readRef(f)
		if err == nil || !missing(err) && !errors.Is(err, ostree.ErrCorrupt) {
			if err != nil {
				err = fmt.Errorf("ref %s: %w", rev, err)
			}
			return c, err
		}
	}
	if r.parent != nil {
		return r.parent.resolveBase(rev)
	}
	return c, &RefError{Name: rev, In: r.path, Err: ostree.ErrNotFound}
}

// NoParentError tells that REV^ was asked for and the commit has no parent. It wraps
// [ostree.ErrNotFound].
type NoParentError struct{ Commit ostree.Checksum }

func (e *NoParentError) Error() string { return fmt.Sprintf("commit %s has no parent", e.Commit) }

func (e *NoParentError) Unwrap() error { return ostree.ErrNotFound }

// refFiles is where a ref may be: as a ref of this repository, with the remote as a
// part of its name, in each remote.
func (r *Repo) refFiles(rev string) ([]string, error) {
	if strings.Contains(rev, ":") {
		p, err := r.refPath(RefName{Name: rev})
		return []string{p}, err
	}
	if err := ostree.CheckRef(rev); err != nil {
		return nil, &RefError{Name: rev, Err: err}
	}
	name := filepath.FromSlash(rev)
	out := []string{r.file(headsDir, name), r.file(remotesDir, name)}
	remotes, err := os.ReadDir(r.file(remotesDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, d := range remotes {
		out = append(out, r.file(remotesDir, d.Name(), name))
	}
	return out, nil
}

// resolvePrefix finds the one commit whose checksum begins with rev.
func (r *Repo) resolvePrefix(rev string) (c ostree.Checksum, ok bool, err error) {
	if rev == "" || len(rev) > 2*len(c) || strings.Trim(rev, "0123456789abcdef") != "" {
		return c, false, nil
	}
	dirs := []string{rev[:min(2, len(rev))]}
	if len(rev) == 1 {
		dirs = nil
		for _, d := range "0123456789abcdef" {
			dirs = append(dirs, rev+string(d))
		}
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(r.file("objects", dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return c, false, err
		}
		for _, e := range entries {
			o, is := r.parseName(dir, e.Name())
			if !is || o.Type != ostree.TypeCommit || !strings.HasPrefix(o.Checksum.String(), rev) {
				continue
			}
			if ok {
				return c, false, &RefError{Name: rev, Err: ErrAmbiguous}
			}
			c, ok = o.Checksum, true
		}
	}
	return c, ok, nil
}
