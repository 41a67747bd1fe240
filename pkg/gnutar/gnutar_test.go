package gnutar_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gnutar"
)

// item is a file and its name.
type item struct {
	name string
	node *filetree.Node
	data string
}

func items() []item {
	long := strings.Repeat("n", 99)
	file := func(data string) *filetree.Node {
		return &filetree.Node{Kind: filetree.File, Mode: 0o644, Size: int64(len(data)), ModTime: 1700000000}
	}
	owned := file("")
	owned.UID, owned.GID, owned.Mode = math.MaxUint32, 1<<21, 0o4755
	attributes := file("xyz")
	attributes.Xattrs = []filetree.Xattr{{Name: "security.x", Value: []byte{0, 1, '\n', '='}}, {Name: "user.a", Value: bytes.Repeat([]byte("v"), 2000)}}
	return []item{
		{"./", filetree.NewDir(0o755), ""}, {"a", file("hello"), "hello"}, {"exact", file(strings.Repeat("b", 512)), strings.Repeat("b", 512)},
		{"owned", owned, ""}, {long + "a", file("1"), "1"}, {long + "ab", file("2"), "2"}, {long + "/", filetree.NewDir(0o1777), ""}, {long + "c/", filetree.NewDir(0), ""},
		{"link", filetree.NewSymlink(long + "x"), ""}, {"link2", filetree.NewSymlink(long + "xy"), ""}, {long + "both", filetree.NewSymlink(long + "xyz"), ""},
		{"attributes", attributes, "xyz"}, {long + "attributes", attributes, "xyz"}, {"ünï cödé\n", file(""), ""},
	}
}

// TestRead has Go's reader find what was written. That the bytes are libarchive's is
// tested by the command that uses this package.
func TestRead(t *testing.T) {
	var b bytes.Buffer
	w := gnutar.NewWriter(&b)
	for _, i := range items() {
		if err := w.WriteHeader(i.name, i.node); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, i.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(10240); err != nil || b.Len()%10240 != 0 {
		t.Fatalf("Close: %v, %d bytes", err, b.Len())
	}
	r := tar.NewReader(&b)
	for _, i := range items() {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("%s: %v", i.name, err)
		}
		data, err := io.ReadAll(r)
		n := i.node
		if err != nil || h.Name != i.name || string(data) != i.data || h.Linkname != n.Target || h.Uid != int(n.UID) || h.Gid != int(n.GID) || uint32(h.Mode) != n.Mode || h.ModTime.Unix() != n.ModTime {
			t.Errorf("%q is read as %+v, %d bytes, %v", i.name, h, len(data), err)
		}
		got := map[string]string{}
		for k, v := range h.PAXRecords {
			got[k] = v
		}
		for _, x := range n.Xattrs {
			if got["SCHILY.xattr."+x.Name] != string(x.Value) {
				t.Errorf("%q: attribute %s is read as %q", i.name, x.Name, got["SCHILY.xattr."+x.Name])
			}
		}
		if len(got) != len(n.Xattrs) {
			t.Errorf("%q has records %q", i.name, got)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("behind the last file: %v", err)
	}
}

func TestRefused(t *testing.T) {
	for _, i := range []item{
		{"fifo", &filetree.Node{Kind: filetree.FIFO}, ""}, {"nul\x00", filetree.NewDir(0), ""}, {"link", filetree.NewSymlink("a\x00b"), ""},
	} {
		if err := gnutar.NewWriter(io.Discard).WriteHeader(i.name, i.node); !errors.Is(err, gnutar.ErrUnsupported) {
			t.Errorf("%q: %v", i.name, err)
		}
	}
	w := gnutar.NewWriter(io.Discard)
	if err := w.WriteHeader("a", &filetree.Node{Kind: filetree.File, Size: 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "four"); !errors.Is(err, gnutar.ErrUnsupported) {
		t.Errorf("more content than promised: %v", err)
	}
	if _, err := io.WriteString(w, "tw"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(512); !errors.Is(err, gnutar.ErrUnsupported) {
		t.Errorf("less content than promised: %v", err)
	}
}

// FuzzNames has Go's reader find any name, target and attribute again.
func FuzzNames(f *testing.F) {
	for _, i := range items() {
		f.Add(i.name, i.node.Target, "v", uint64(i.node.Size))
	}
	f.Fuzz(func(t *testing.T, name, target, value string, size uint64) {
		n := &filetree.Node{Kind: filetree.Symlink, Target: target, Xattrs: []filetree.Xattr{{Name: "user.a", Value: []byte(value)}}}
		if target == "" {
			n = &filetree.Node{Kind: filetree.File, Size: int64(size % (1 << 40)), Xattrs: n.Xattrs}
		}
		var b bytes.Buffer
		if err := gnutar.NewWriter(&b).WriteHeader(name, n); err != nil {
			if !strings.Contains(name+target, "\x00") {
				t.Fatal(err)
			}
			return
		}
		h, err := tar.NewReader(&b).Next()
		if err != nil || name == "" || value == "" {
			if name != "" && value != "" {
				t.Fatal(err)
			}
			return
		}
		wantName := name
		if fmt.Sprint(h.Name, h.Linkname, h.PAXRecords["SCHILY.xattr.user.a"]) != fmt.Sprint(wantName, target, value) && !strings.HasSuffix(name, "/") {
			t.Fatalf("%q -> %q with %q is read as %+v", name, target, value, h)
		}
	})
}
