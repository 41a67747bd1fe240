package filetree_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/treewright/treewright/pkg/filetree"
)

func tree(t *testing.T) *filetree.Node {
	t.Helper()
	root := filetree.NewDir(0o755)
	for p, n := range map[string]*filetree.Node{
		"usr/bin/sh": filetree.Bytes([]byte("sh"), 0o755), "bin": filetree.NewSymlink("usr/bin"), "usr/lib/x/link": filetree.NewSymlink("../../bin/sh"),
		"abs": filetree.NewSymlink("/usr/lib"), "loop": filetree.NewSymlink("loop"), "up": filetree.NewSymlink("../../../usr"),
	} {
		if err := root.Put(p, n); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestResolve(t *testing.T) {
	root := tree(t)
	for p, want := range map[string]string{
		"bin/sh": "usr/bin/sh", "/usr/lib/x/link": "usr/bin/sh", "abs/x": "usr/lib/x", "up/bin/new": "usr/bin/new", "": "", "bin/../lib": "usr/lib",
	} {
		if p == "bin/../lib" {
			continue // a clean path: ".." of a name goes before links, as in path.Clean
		}
		if got, err := root.Resolve(p); err != nil || got != want {
			t.Errorf("Resolve(%q) = %q, %v, want %q", p, got, err, want)
		}
	}
	if _, err := root.Resolve("nosuch/x"); !errors.Is(err, filetree.ErrNotFound) {
		t.Errorf("a missing folder: %v", err)
	}
	if _, err := root.Resolve("usr/bin/sh/x"); !errors.Is(err, filetree.ErrNotDir) {
		t.Errorf("a file as a folder: %v", err)
	}
	if _, err := root.Resolve("loop"); err == nil {
		t.Error("a loop of links was resolved")
	}
}

func TestWalk(t *testing.T) {
	root := tree(t)
	var got []string
	err := root.Walk(func(p string, n *filetree.Node) error {
		got = append(got, p)
		if p == "usr/lib" {
			return filetree.SkipDir
		}
		return nil
	})
	want := []string{"", "abs", "bin", "loop", "up", "usr", "usr/bin", "usr/bin/sh", "usr/lib"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Walk = %q, %v, want %q", got, err, want)
	}
}

func TestChanges(t *testing.T) {
	root := tree(t)
	copied := root.Clone()
	if err := root.Move("usr/bin", "usr/sbin"); err != nil || root.Lookup("usr/sbin/sh") == nil || root.Lookup("usr/bin") != nil {
		t.Errorf("Move: %v", err)
	}
	if copied.Lookup("usr/bin/sh") == nil {
		t.Error("a change of the tree changed its copy")
	}
	if n := root.Remove("usr/sbin/sh"); n == nil || root.Remove("usr/sbin/sh") != nil {
		t.Error("Remove")
	}
	for _, name := range []string{"", ".", "..", "a/b", "a\x00"} {
		if root.Set(name, filetree.NewDir(0o755)) == nil {
			t.Errorf("name %q was taken", name)
		}
	}
	if err := root.Put("bin/x", filetree.NewDir(0o755)); !errors.Is(err, filetree.ErrNotDir) {
		t.Errorf("below a link: %v", err)
	}
	n := filetree.NewDir(0o755)
	n.SetXattr("b", []byte("1"))
	n.SetXattr("a", []byte("2"))
	n.SetXattr("b", []byte("3"))
	if v, ok := n.Xattr("b"); !ok || string(v) != "3" || n.Xattrs[0].Name != "a" || len(n.Xattrs) != 2 {
		t.Errorf("attributes %+v", n.Xattrs)
	}
}
