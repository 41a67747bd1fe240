package ostree

import (
	"fmt"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gvariant"
)

// encodeXattrs returns the a(ayay) of a list, sorted by name as objects have it.
func encodeXattrs(list []filetree.Xattr) []any {
	sorted := slices.SortedFunc(slices.Values(list), func(a, b filetree.Xattr) int { return strings.Compare(a.Name, b.Name) })
	out := make([]any, len(sorted))
	for i, x := range sorted {
		out[i] = gvariant.Tuple{append([]byte(x.Name), 0), x.Value}
	}
	return out
}

// decodeXattrs checks names and order.
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
