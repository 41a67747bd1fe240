package filetree

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"
)

func TestFS(t *testing.T) {
	root := NewDir(0o755)
	file := Bytes([]byte("text"), 0o4755)
	for p, n := range map[string]*Node{
		"usr/bin/a": file, "usr/bin/b": {Link: file}, "usr/empty": Bytes(nil, 0o600), "usr/sbin": NewSymlink("bin"),
		"etc/up": NewSymlink("../../../usr/bin/a"), "etc/abs": NewSymlink("/usr/bin"), "etc/lost": NewSymlink("nowhere"),
	} {
		if err := root.Put(p, n); err != nil {
			t.Fatal(err)
		}
	}
	fsys := FS(root)
	if err := fstest.TestFS(FS(root.Lookup("usr/bin")), "a", "b"); err != nil {
		t.Error(err)
	}
	for _, p := range []string{"usr/bin/a", "usr/bin/b", "usr/sbin/a", "etc/up", "etc/abs/a"} {
		if b, err := fs.ReadFile(fsys, p); err != nil || string(b) != "text" {
			t.Errorf("%s: %q, %v", p, b, err)
		}
	}
	for _, p := range []string{"etc/lost", "nosuch", "usr/nosuch/a"} {
		if _, err := fsys.Open(p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: error %v", p, err)
		}
	}
	if _, err := fsys.Open("/usr"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("/usr: error %v", err)
	}
}
