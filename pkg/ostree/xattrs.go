package ostree

import (
	"fmt"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gvariant"
)

func compareXattrs(a, b filetree.Xattr) int { return strings.Compare(a.Name, b.Name) }

// encodeXattrs returns the a(ayay) of a list, sorted by name as objects have it. A
// name that is empty, has a NUL or comes twice is refused.
func encodeXattrs(list []filetree.Xattr) ([]any, error) {
	if !slices.IsSortedFunc(list, compareXattrs) {
		list = slices.SortedFunc(slices.Values(list), compareXattrs)
	}
	out := make([]any, len(list))
	for i, x := range list {
		switch {
		case x.Name == "" || strings.IndexByte(x.Name, 0) >= 0:
			return nil, fmt.Errorf("extended attribute %q: name is not allowed: %w", x.Name, ErrMalformed)
		case i > 0 && list[i-1].Name == x.Name:
			return nil, fmt.Errorf("extended attribute %q comes twice: %w", x.Name, ErrMalformed)
		}
		out[i] = gvariant.Tuple{append([]byte(x.Name), 0), x.Value}
	}
	return out, nil
}

// decodeXattrs checks names and order. The result keeps no reference to the input.
func decodeXattrs(list []any) ([]filetree.Xattr, error) {
	var out []filetree.Xattr
	for _, e := range list {
		t := e.(gvariant.Tuple)
		raw := t[0].([]byte)
		name, ok := strings.CutSuffix(string(raw), "\x00")
		if !ok || name == "" || strings.IndexByte(name, 0) >= 0 {
			return nil, fmt.Errorf("extended attribute %q: %w", raw, ErrMalformed)
		}
		if len(out) > 0 && out[len(out)-1].Name >= name {
			return nil, fmt.Errorf("extended attribute %q: out of order: %w", name, ErrMalformed)
		}
		out = append(out, filetree.Xattr{Name: name, Value: slices.Clone(t[1].([]byte))})
	}
	return out, nil
}

// ParseFileXattrs reads a file-xattrs object: the attributes of files in a repository
// of mode bare-split-xattrs. Every error wraps [ErrMalformed].
func ParseFileXattrs(b []byte) ([]filetree.Xattr, error) {
	if len(b) > MaxMetadata {
		return nil, fmt.Errorf("file-xattrs of %d bytes, at most %d are allowed: %w", len(b), MaxMetadata, ErrMalformed)
	}
	v, err := gvariant.Decode("a(ayay)", b)
	if err != nil {
		return nil, fmt.Errorf("file-xattrs: %v: %w", err, ErrMalformed)
	}
	return decodeXattrs(v.([]any))
}
