package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// builtins are functions of this program that run inside: see [Register].
var builtins = map[string]func(args []string) error{}

// Register makes a function known that [Options].Builtin can name. It must be called
// before [Init]: in the initialisation of a package.
func Register(name string, fn func(args []string) error) { builtins[name] = fn }

func init() {
	Register("settle", func(args []string) error { return settle(args[0]) })
	Register("remove", func(args []string) error { return removeAll(args[0]) })
}

// builtin runs a function and ends with its status.
func (s *setup) builtin() {
	fn, ok := builtins[s.Builtin]
	err := fmt.Errorf("the program has no function %q", s.Builtin)
	if ok {
		err = fn(s.Args)
	}
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, err)
	status := 1
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		status = exit.ExitCode()
	}
	os.Exit(status)
}

// owner is who a file was given to.
type owner struct {
	Path           string
	UID, GID, Mode uint32
}

// settle gives all below dir back to root, and prints who it belonged to, and what it
// opened. It is a builtin: only inside, root may do that.
func settle(dir string) error {
	out := json.NewEncoder(os.Stdout)
	one := func(p string, st *unix.Stat_t) error {
		given, closed := st.Uid != 0 || st.Gid != 0, st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Mode&0o700 != 0o700
		if !given && !closed {
			return nil
		}
		if given {
			if err := giveBack(filepath.Join(dir, p), st); err != nil {
				return err
			}
		}
		return out.Encode(owner{p, st.Uid, st.Gid, st.Mode & 0o7777})
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return &os.PathError{Op: "lstat", Path: dir, Err: err}
	}
	return errors.Join(one("", &st), Walk(dir, one))
}

// giveBack makes root the owner of a file, which keeps its mode and its capabilities;
// the kernel drops both with the owner.
func giveBack(full string, st *unix.Stat_t) error {
	caps := make([]byte, 24)
	n, err := unix.Lgetxattr(full, capsXattr, caps)
	if err != nil {
		n = 0
	}
	if err := os.Lchown(full, 0, 0); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return nil
	}
	if st.Mode&0o6000 != 0 {
		if err := unix.Chmod(full, st.Mode&0o7777); err != nil {
			return &os.PathError{Op: "chmod", Path: full, Err: err}
		}
	}
	if n == 0 {
		return nil
	}
	if err := unix.Lsetxattr(full, capsXattr, caps[:n], 0); err != nil {
		return &os.PathError{Op: "setxattr", Path: full, Err: err}
	}
	return nil
}

// owners gives all that programs changed back to root, and tells what did not belong
// to root.
func owners(ctx context.Context, upper string) (map[string]owner, error) {
	if AvailableUsers() == OnlyRoot {
		return nil, nil
	}
	var out bytes.Buffer
	s := setup{Host: true, Users: AllUsers, Builtin: "settle", Args: []string{upper}}
	if err := s.run(ctx, nil, &out, nil); err != nil {
		return nil, fmt.Errorf("reading owners: %w", err)
	}
	list := map[string]owner{}
	for dec := json.NewDecoder(&out); dec.More(); {
		var o owner
		if err := dec.Decode(&o); err != nil {
			return nil, fmt.Errorf("reading owners: %w", err)
		}
		list[o.Path] = o
	}
	return list, nil
}

// RemoveAll removes a folder in which programs ran, whatever modes and owners they
// left there.
func RemoveAll(ctx context.Context, dir string) error {
	err := removeAll(dir)
	if err == nil || AvailableUsers() == OnlyRoot || os.Geteuid() == 0 {
		return err
	}
	full, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	s := setup{Host: true, Users: AllUsers, Builtin: "remove", Args: []string{full}}
	return s.run(context.WithoutCancel(ctx), nil, nil, nil)
}

func removeAll(dir string) error {
	filepath.WalkDir(dir, func(p string, d os.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
