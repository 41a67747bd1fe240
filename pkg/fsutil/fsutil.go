// Package fsutil writes files that appear whole or not at all, and joins paths
// that stay inside a root.
package fsutil

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// ErrEscapes is wrapped when a path would leave its root.
var ErrEscapes = errors.New("path leaves its root")

// WriteFile puts what fill writes at path, whole or not at all: on error path is
// as it was.
func WriteFile(path string, perm os.FileMode, fill func(io.Writer) error) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return err // a *PathError names the file already
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if err = fill(tmp); err != nil {
		return err
	}
	if err = tmp.Chmod(perm); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// WriteBytes is [WriteFile] of b.
func WriteBytes(path string, perm os.FileMode, b []byte) error {
	return WriteFile(path, perm, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// Join returns root joined with the slash-separated name, which may begin with
// "/". A name with a ".." component is refused with [ErrEscapes]; symbolic links
// on disk are not looked at.
func Join(root, name string) (string, error) {
	for _, c := range strings.Split(name, "/") {
		if c == ".." {
			return "", fmt.Errorf("%q: %w", name, ErrEscapes)
		}
	}
	return filepath.Join(root, filepath.FromSlash(path.Clean("/"+name))), nil
}

// SyncDir flushes a folder's entries to disk, so that a rename in it is durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}
