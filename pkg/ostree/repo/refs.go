package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
)

// refPath is the file of a ref: NAME, or REMOTE:NAME.
func (r *Repo) refPath(name string) (string, error) {
	remote, ref, ok := strings.Cut(name, ":")
	if !ok {
		return r.file("refs/heads", filepath.FromSlash(name)), ostree.CheckRef(name)
	}
	if strings.Contains(remote, "/") {
		return "", fmt.Errorf("remote %q in %q: %w", remote, name, ostree.ErrMalformed)
	}
	return r.file("refs/remotes", remote, filepath.FromSlash(ref)), errors.Join(ostree.CheckRef(remote), ostree.CheckRef(ref))
}

func readRef(file string) (ostree.Checksum, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return ostree.Checksum{}, err
	}
	return ostree.ParseChecksum(strings.TrimRight(string(b), " \t\r\n"))
}

// SetRef makes a ref, NAME or REMOTE:NAME, point to a commit.
func (r *Repo) SetRef(name string, c ostree.Checksum) error {
	p, err := r.refPath(name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return refConflict(name, err)
	}
	if err := fsutil.WriteBytes(p, 0o644, []byte(c.String()+"\n")); err != nil {
		return refConflict(name, err)
	}
	return nil
}

func refConflict(name string, err error) error {
	return fmt.Errorf("ref %s: another ref may be a part of its name: %w", name, err)
}

// DeleteRef removes a ref and folders that become empty.
func (r *Repo) DeleteRef(name string) error {
	p, err := r.refPath(name)
	if err != nil {
		return err
	}
	if err := os.Remove(p); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = ostree.ErrNotFound
		}
		return fmt.Errorf("ref %s: %w", name, err)
	}
	for d := filepath.Dir(p); d != r.file("refs/heads") && d != r.file("refs/remotes"); d = filepath.Dir(d) {
		if os.Remove(d) != nil {
			break // not empty
		}
	}
	return nil
}

// Refs returns all refs by name; remote ones are REMOTE:NAME.
func (r *Repo) Refs() (map[string]ostree.Checksum, error) {
	out := map[string]ostree.Checksum{}
	for _, top := range []string{"refs/heads", "refs/remotes"} {
		root := r.file(top)
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && p == root {
				return nil
			}
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(root, p)
			if err != nil {
				return err
			}
			name := filepath.ToSlash(rel)
			if top == "refs/remotes" {
				name = strings.Replace(name, "/", ":", 1)
			}
			if _, bad := r.refPath(name); bad != nil {
				return nil // temporary files and the like
			}
			c, err := readRef(p)
			if err != nil {
				return fmt.Errorf("ref %s: %w", name, err)
			}
			out[name] = c
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Resolve turns a revision into a commit: a checksum, a unique beginning of one, a
// ref, REMOTE:REF, or any of these with "^" for the parent. The error is
// [ostree.ErrNotFound] when there is none.
func (r *Repo) Resolve(rev string) (c ostree.Checksum, err error) {
	if base, ok := strings.CutSuffix(rev, "^"); ok {
		if c, err = r.Resolve(base); err != nil {
			return c, err
		}
		commit, err := r.ReadCommit(c)
		if err != nil {
			return c, err
		}
		if commit.Parent == nil {
			return c, fmt.Errorf("commit %s has no parent: %w", c, ostree.ErrNotFound)
		}
		return *commit.Parent, nil
	}
	if ostree.IsChecksum(rev) {
		return ostree.ParseChecksum(rev)
	}
	if c, ok, err := r.resolvePrefix(rev); ok || err != nil {
		return c, err
	}
	if p, bad := r.refPath(rev); bad == nil {
		if c, err := readRef(p); err == nil {
			return c, nil
		} else if !errors.Is(err, fs.ErrNotExist) && !isDirError(err) {
			return c, fmt.Errorf("ref %s: %w", rev, err)
		}
	}
	return r.resolveRemote(rev)
}

func isDirError(err error) bool {
	return strings.Contains(err.Error(), "is a directory") || strings.Contains(err.Error(), "not a directory")
}

// resolvePrefix finds the one commit whose checksum begins with rev.
func (r *Repo) resolvePrefix(rev string) (c ostree.Checksum, ok bool, err error) {
	if len(rev) < 2 || strings.Trim(rev, "0123456789abcdef") != "" {
		return c, false, nil
	}
	found, err := filepath.Glob(r.file("objects", rev[:2], rev[2:]+"*.commit"))
	if err != nil || len(found) == 0 {
		return c, false, err
	}
	if len(found) > 1 {
		return c, false, fmt.Errorf("revision %s fits %d commits: give more digits: %w", rev, len(found), ostree.ErrNotFound)
	}
	c, err = ostree.ParseChecksum(rev[:2] + strings.TrimSuffix(filepath.Base(found[0]), ".commit"))
	return c, err == nil, err
}

// resolveRemote looks for a ref without its remote's name.
func (r *Repo) resolveRemote(rev string) (c ostree.Checksum, err error) {
	refs, err := r.Refs()
	if err != nil {
		return c, err
	}
	var names []string
	for name := range refs {
		if _, ref, ok := strings.Cut(name, ":"); ok && (ref == rev || path.Join(strings.Replace(name, ":", "/", 1)) == rev) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return c, fmt.Errorf("ref %s in %s: %w", rev, r.path, ostree.ErrNotFound)
	}
	return refs[slices.Min(names)], nil
}

// ReadCommit reads a commit object.
func (r *Repo) ReadCommit(c ostree.Checksum) (*ostree.Commit, error) {
	raw, err := r.ReadObject(ostree.TypeCommit, c)
	if err != nil {
		return nil, err
	}
	commit, err := ostree.ParseCommit(raw)
	return commit, objectError(ostree.TypeCommit, c, err)
}
