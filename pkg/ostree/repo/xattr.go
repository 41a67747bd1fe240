package repo

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/filetree"
)

// maxXattr is the largest value of an extended attribute, and the longest list of
// names, that Linux keeps.
const maxXattr = 64 << 10

// twice calls get with a small buffer, and with the largest when that is too small.
func twice(get func([]byte) (int, error)) ([]byte, error) {
	buf := make([]byte, 256)
	n, err := get(buf)
	if errors.Is(err, unix.ERANGE) {
		buf = make([]byte, maxXattr)
		n, err = get(buf)
	}
	if err != nil {
		return nil, err
	}
	return slices.Clip(buf[:n]), nil
}

func getXattr(path, name string) ([]byte, error) {
	return twice(func(b []byte) (int, error) { return unix.Lgetxattr(path, name, b) })
}

// ReadXattrs returns the extended attributes of a file or link, sorted by name. As
// in libostree an attribute with an empty value does not count.
func ReadXattrs(path string) ([]filetree.Xattr, error) {
	names, err := twice(func(b []byte) (int, error) { return unix.Llistxattr(path, b) })
	if errors.Is(err, unix.ENOTSUP) || err == nil && len(names) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: extended attributes: %w", path, err)
	}
	var out []filetree.Xattr
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		value, err := getXattr(path, name)
		if err != nil {
			return nil, fmt.Errorf("%s: extended attribute %s: %w", path, name, err)
		}
		if len(value) > 0 {
			out = append(out, filetree.Xattr{Name: name, Value: value})
		}
	}
	slices.SortFunc(out, func(a, b filetree.Xattr) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func writeXattrs(path string, list []filetree.Xattr) error {
	for _, x := range list {
		if err := unix.Lsetxattr(path, x.Name, x.Value, 0); err != nil {
			return fmt.Errorf("%s: extended attribute %s: %w", path, x.Name, err)
		}
	}
	return nil
}

// setXattrs gives an open file attributes; at goes into errors.
func setXattrs(fd int, at string, list []filetree.Xattr) error {
	for _, x := range list {
		if err := unix.Fsetxattr(fd, x.Name, x.Value, 0); err != nil {
			return fmt.Errorf("%s: extended attribute %s: %w", at, x.Name, err)
		}
	}
	return nil
}
