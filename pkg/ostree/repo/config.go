package repo

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/keyfile"
	"github.com/treewright/treewright/pkg/ostree"
)

// config is the configuration for look-ups: "group.key" to value.
type config map[string]string

func flatten(f *keyfile.File) config {
	c := config{}
	for _, g := range f.Groups() {
		for _, k := range f.Keys(g) {
			c[g+"."+k], _ = f.Get(g, k)
		}
	}
	return c
}

// readConfig reads the configuration file anew.
func (r *Repo) readConfig() (*keyfile.File, error) { return readKeyFile(r.file("config")) }

// maxConfig is the longest configuration, in bytes, that is read.
const maxConfig = 10 << 20

func readKeyFile(name string) (*keyfile.File, error) {
	f, size, err := openFollowing(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxConfig {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are allowed: %w", name, size, maxConfig, keyfile.ErrMalformed)
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if int64(n) < size {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	k, err := keyfile.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return k, nil
}

// with is the configuration with one value changed.
func (c config) with(key, value string) config {
	c = maps.Clone(c)
	c[key] = value
	return c
}

// flag reads a boolean.
func (c config) flag(key string, otherwise bool) (bool, error) {
	switch v := c[key]; v {
	case "":
		return otherwise, nil
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	default:
		return false, fmt.Errorf("%s is %q, want true or false: %w", key, v, ostree.ErrUnsupported)
	}
}

// number reads an integer.
func (c config) number(key string, otherwise int) (int, error) {
	v := c[key]
	if v == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, fmt.Errorf("%s is %q, want a number: %w", key, v, ostree.ErrUnsupported)
	}
	return n, nil
}

// Config returns the configuration as it was when the repository was opened. It must
// not be changed.
func (r *Repo) Config() *keyfile.File { return r.keys }

// Collection is the collection ID that the repository's refs belong to, or "".
func (r *Repo) Collection() string { return r.config["core.collection-id"] }

// EditConfig lets fn change the configuration file, which keeps the bytes that fn does
// not touch. This Repo goes on with the configuration it was opened with.
//
// What would make the repository one that cannot be opened is refused, and the file
// stays as it was. Edits at one time wait for one another.
func (r *Repo) EditConfig(fn func(*keyfile.File) error) error {
	return r.editKeyFile(r.file("config"), func(f *keyfile.File) error {
		if err := fn(f); err != nil {
			return err
		}
		after := Repo{path: r.path, config: flatten(f)}
		if err := after.configure(); err != nil {
			return fmt.Errorf("repository %s: config: %w", r.path, err)
		}
		return nil
	})
}

// editKeyFile replaces a key file by what fn makes of it.
func (r *Repo) editKeyFile(name string, fn func(*keyfile.File) error) error {
	dir, err := os.Open(r.path)
	if err != nil {
		return err
	}
	defer dir.Close()
	// Not every file system has locks; then the last edit wins.
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); errors.Is(err, unix.EINTR) {
		return err
	}
	st, err := os.Stat(name)
	if err != nil {
		return err
	}
	f, err := readKeyFile(name)
	if err != nil {
		return err
	}
	before := string(f.Bytes())
	if err := fn(f); err != nil {
		return err
	}
	if after := f.Bytes(); string(after) != before {
		return fsutil.WriteBytes(name, st.Mode().Perm(), after)
	}
	return nil
}

// setConfig puts group.key=value into the configuration file.
func (r *Repo) setConfig(group, key, value string) error {
	return r.EditConfig(func(f *keyfile.File) error { return f.Set(group, key, value) })
}
