package repo

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/filetree"
)

// readXattrs returns the extended attributes of a file or link, sorted by name. As
// in libostree an attribute with an empty value does not count.
func readXattrs(path string) ([]filetree.Xattr, error) {
	n, err := unix.Llistxattr(path, nil)
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: extended attributes: %w", path, err)
	}
	names := make([]byte, n)
	if n, err = unix.Llistxattr(path, names); err != nil {
		return nil, fmt.Errorf("%s: extended attributes: %w", path, err)
	}
	var out []filetree.Xattr
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		value := make([]byte, maxXattr)
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return nil, fmt.Errorf("%s: extended attribute %s: %w", path, name, err)
		}
		if n > 0 {
			out = append(out, filetree.Xattr{Name: name, Value: slices.Clone(value[:n])})
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
