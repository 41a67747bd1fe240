package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A staging folder tmp/treewright-PID-N is in use as long as somebody holds the lock
// on the file of that name with "-lock" behind it. The lock comes before the folder
// and goes after it.
const (
	stagingPrefix = "treewright-"
	stagingLock   = "-lock"
)

// staging is a folder for objects that are not visible yet.
type staging struct {
	dir  string
	lock *os.File
}

// stage makes a staging folder, and removes those of runs that are dead.
func (r *Repo) stage() (*staging, error) {
	tmp := r.file("tmp")
	if err := os.MkdirAll(tmp, 0o775); err != nil {
		return nil, err
	}
	if err := sweep(tmp); err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		dir := filepath.Join(tmp, fmt.Sprintf("%s%d-%d", stagingPrefix, os.Getpid(), n))
		lock, err := lockNew(dir + stagingLock)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, errors.Join(err, os.Remove(lock.Name()), lock.Close())
		}
		return &staging{dir, lock}, nil
	}
}

// lockNew makes a lock file and locks it. The error is fs.ErrExist when there is one,
// or when a sweeper got hold of it first.
func lockNew(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := tryLock(f, true); err != nil || !isAt(f, name) {
		f.Close()
		if err == nil || errors.Is(err, unix.EAGAIN) {
			err = fs.ErrExist
		}
		return nil, err
	}
	return f, nil
}

// isAt tells whether name is still the file that f is.
func isAt(f *os.File, name string) bool {
	a, errA := f.Stat()
	b, errB := os.Lstat(name)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// sweep removes the staging folders that nobody holds a lock on.
func sweep(tmp string) error {
	entries, err := os.ReadDir(tmp)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(tmp, e.Name())
		if !strings.HasPrefix(e.Name(), stagingPrefix) {
			continue
		}
		if base, ok := strings.CutSuffix(name, stagingLock); ok {
			err = errors.Join(err, sweepOne(base, name))
		} else if _, missing := os.Lstat(name + stagingLock); errors.Is(missing, fs.ErrNotExist) {
			err = errors.Join(err, os.RemoveAll(name))
		}
	}
	return err
}

// sweepOne removes a staging folder and its lock file, unless it is in use.
func sweepOne(dir, name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil // just gone, or another user's
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := tryLock(f, true); err != nil || !isAt(f, name) {
		if errors.Is(err, unix.EAGAIN) {
			return nil
		}
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Remove(name)
}

// remove takes the folder and its lock away.
func (s *staging) remove() error {
	return errors.Join(os.RemoveAll(s.dir), os.Remove(s.lock.Name()), s.lock.Close())
}
