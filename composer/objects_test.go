package composer

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

// TestObjectTable finds what an earlier compose has learned, by all that makes an
// object, and nothing in a table that is damaged.
func TestObjectTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "objects")
	load := func() *objectTable {
		t.Helper()
		table, err := loadObjectTable(path)
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	labelled := filetree.Bytes([]byte("text"), 0o644)
	labelled.SetXattr("security.selinux", []byte("u:r:t\x00"))
	first := load()
	first.learned(labelled, ostree.Checksum{1})
	if err := first.save(); err != nil {
		t.Fatal(err)
	}
	second := load()
	if c, ok := second.lookup(labelled); !ok || c != (ostree.Checksum{1}) {
		t.Errorf("lookup = %s, %t", c, ok)
	}
	other := *labelled
	other.SetXattr("security.selinux", []byte("u:r:other\x00"))
	executable := *labelled
	executable.Mode = 0o755
	for name, n := range map[string]*filetree.Node{
		"another label": &other, "another mode": &executable, "no digest": {Kind: filetree.File}, "a link": filetree.NewSymlink("x"),
	} {
		if c, ok := second.lookup(n); ok {
			t.Errorf("%s: found %s", name, c)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[40] ^= 1
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok := load().lookup(labelled); ok {
		t.Error("a damaged table is believed")
	}
}
