package fsutil_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/treewright/treewright/pkg/fsutil"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, "file")
	if err := fsutil.WriteBytes(p, 0o640, []byte("first")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := fsutil.WriteFile(p, 0o640, func(w io.Writer) error {
		io.WriteString(w, "second")
		return broken
	})
	if b, _ := os.ReadFile(p); !errors.Is(err, broken) || string(b) != "first" {
		t.Errorf("after a failed write: %q, %v", b, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if st, err := os.Stat(p); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

func TestJoin(t *testing.T) {
	for name, want := range map[string]string{"a": "/root/a", "/a/./b//c": "/root/a/b/c", "": "/root"} {
		if got, err := fsutil.Join("/root", name); err != nil || got != want {
			t.Errorf("Join(%q) = %q, %v, want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"..", "a/../../b", "/../x"} {
		if got, err := fsutil.Join("/root", name); !errors.Is(err, fsutil.ErrEscapes) {
			t.Errorf("Join(%q) = %q, %v", name, got, err)
		}
	}
}
