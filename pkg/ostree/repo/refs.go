package repo

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
)

// Folders of refs: this repository's, those seen in remotes, those of collections.
const (
	headsDir   = "refs/heads"
	remotesDir = "refs/remotes"
	mirrorsDir = "refs/mirrors"
)

// refPath is the file of a ref: NAME, or REMOTE:NAME.
func (r *Repo) refPath(name string) (string, error) {
	remote, ref, ok := strings.Cut(name, ":")
	if !ok {
		return r.file(headsDir, filepath.FromSlash(name)), ostree.CheckRef(name)
	}
	return r.file(remotesDir, remote, filepath.FromSlash(ref)), errors.Join(ostree.CheckRemote(remote), ostree.CheckRef(ref))
}

func readRef(file string) (c ostree.Checksum, err error) {
	f, _, err := openFollowing(file)
	if err != nil {
		return c, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<10))
	if err != nil {
		return c, err
	}
	return ostree.ParseChecksum(strings.TrimRight(string(b), " \t\r\n"))
}

// openFollowing opens a file that may be a link, as aliases of refs are.
func openFollowing(file string) (*os.File, int64, error) {
	target, err := filepath.EvalSymlinks(file)
	if err != nil {
		return nil, 0, err
	}
	return openRegular(target)
}

// SetRef makes a ref, NAME or REMOTE:NAME, point to a commit of the repository.
//
// The error wraps [ostree.ErrMalformed] when it cannot be a name, and
// [ostree.ErrNotFound] when the commit is missing.
func (r *Repo) SetRef(name string, c ostree.Checksum) error {
	if _, err := r.refPath(name); err != nil {
		return err
	}
	there, err := r.Has(ostree.TypeCommit, c)
	if err == nil && !there {
		err = objectError(ostree.TypeCommit, c, ostree.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("ref %s: %w", name, err)
	}
	return r.writeRef(refKey{name: name}, c)
}

func (r *Repo) writeRef(k refKey, c ostree.Checksum) error {
	p, err := r.keyPath(k)
	if err != nil {
		return err
	}
	if err := r.replace(p, []byte(c.String()+"\n")); err != nil {
		if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EEXIST) {
			err = fmt.Errorf("another ref is a part of its name, or the other way round: %w", err)
		}
		return fmt.Errorf("ref %s: %w", k, err)
	}
	return r.touch()
}

// replace puts b at p, below refs/, whole or not at all. Empty folders give way.
func (r *Repo) replace(p string, b []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(p), 0o775); err != nil {
		return err
	}
	f, err := os.CreateTemp(r.file("tmp"), "ref-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(0o644)); err == nil && r.fsync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	err = os.Rename(f.Name(), p)
	if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EEXIST) {
		if removeEmpty(p) == nil {
			err = os.Rename(f.Name(), p)
		}
	}
	if err != nil || !r.fsync {
		return err
	}
	return fsutil.SyncDir(filepath.Dir(p))
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

// DeleteRef removes a ref and folders that become empty. One that an alias leads to
// stays.
func (r *Repo) DeleteRef(name string) error {
	p, err := r.refPath(name)
	if err != nil {
		return err
	}
	if alias, err := r.aliasOf(p); err != nil || alias != "" {
		if err == nil {
			err = errors.New("has the alias " + alias)
		}
		return fmt.Errorf("ref %s: %w", name, err)
	}
	if err := os.Remove(p); err != nil {
		if missing(err) {
			err = ostree.ErrNotFound
		}
		return fmt.Errorf("ref %s: %w", name, err)
	}
	for d := filepath.Dir(p); d != r.file(headsDir) && d != r.file(remotesDir); d = filepath.Dir(d) {
		if unix.Rmdir(d) != nil {
			break // not empty
		}
	}
	return r.touch()
}

// missing tells whether a file is not there, or a part of its path is no folder.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EISDIR)
}

// aliasOf is the name of a ref that is a link to the file, or "".
func (r *Repo) aliasOf(file string) (alias string, err error) {
	err = r.walkRefs(headsDir, func(name, p string) error {
		target, err := os.Readlink(p)
		if err == nil && filepath.Join(filepath.Dir(p), target) == file {
			alias = name
		}
		return nil
	})
	return alias, err
}

// walkRefs calls fn with the name below dir, and the file, of each ref. What cannot be
// a ref, such as temporary files, is passed over.
func (r *Repo) walkRefs(dir string, fn func(name, file string) error) error {
	root := r.file(dir)
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // just deleted, or no such folder
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if ostree.CheckRef(path.Base(name)) != nil {
			return nil
		}
		return fn(name, p)
	})
}

// eachRef calls fn with each ref: NAME, or REMOTE:NAME, and what could be read of it.
func (r *Repo) eachRef(fn func(name string, c ostree.Checksum, err error) error) error {
	err := r.walkRefs(headsDir, func(name, p string) error {
		if ostree.CheckRef(name) != nil {
			return nil
		}
		c, err := readRef(p)
		return fn(name, c, err)
	})
	if err != nil {
		return err
	}
	return r.walkRefs(remotesDir, func(name, p string) error {
		remote, ref, _ := strings.Cut(name, "/")
		if ostree.CheckRemote(remote) != nil || ostree.CheckRef(ref) != nil {
			return nil
		}
		c, err := readRef(p)
		return fn(remote+":"+ref, c, err)
	})
}

// Refs returns all refs by name; remote ones are REMOTE:NAME. Those of other
// collections are not among them.
func (r *Repo) Refs() (map[string]ostree.Checksum, error) {
	out := map[string]ostree.Checksum{}
	err := r.eachRef(func(name string, c ostree.Checksum, err error) error {
		if err != nil {
			return fmt.Errorf("ref %s: %w", name, err)
		}
		out[name] = c
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Mirrors returns the refs that are kept of other collections, by collection ID.
func (r *Repo) Mirrors() (map[string]map[string]ostree.Checksum, error) {
	out := map[string]map[string]ostree.Checksum{}
	err := r.walkRefs(mirrorsDir, func(name, p string) error {
		id, ref, ok := strings.Cut(name, "/")
		if !ok || ostree.CheckRef(ref) != nil {
			return nil
		}
		c, err := readRef(p)
		if err != nil {
			return fmt.Errorf("ref (%s, %s): %w", id, ref, err)
		}
		if out[id] == nil {
			out[id] = map[string]ostree.Checksum{}
		}
		out[id][ref] = c
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
