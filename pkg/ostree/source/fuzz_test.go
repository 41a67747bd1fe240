package source_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/source"
)

// hashes takes content and keeps none.
type hashes struct{ limit int64 }

func (h hashes) WriteFile(f *ostree.File, r io.Reader) (c ostree.Checksum, err error) {
	sum, err := f.NewHash()
	if err != nil {
		return c, err
	}
	n, err := io.Copy(sum, io.LimitReader(r, h.limit))
	if err == nil && n != f.Size && n < h.limit {
		err = fmt.Errorf("%d bytes of %d", n, f.Size)
	}
	sum.Sum(c[:0])
	return c, err
}

func seeds(t testing.TB) [][]byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "./a", Mode: 0o4755, Size: 3, PAXRecords: map[string]string{"SCHILY.xattr.user.a": "b", "LIBARCHIVE.xattr.user.%25c": "Zm9v"}},
		{Typeflag: tar.TypeLink, Name: "b", Linkname: "./a"},
		{Typeflag: tar.TypeSymlink, Name: "/d/c", Linkname: "../a"},
		{Typeflag: tar.TypeReg, Name: "../e"},
		{Typeflag: tar.TypeFifo, Name: "f"},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, strings.Repeat("x", int(h.Size)))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	newc := "070701" + fmt.Sprintf("%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 7, 0o100644, 1, 2, 2, 0, 3, 0, 0, 0, 0, 2, 0) + "a\x00abc\x00"
	odc := "070707" + fmt.Sprintf("%06o%06o%06o%06o%06o%06o%06o%011o%06o%011o", 0, 7, 0o120777, 1, 2, 1, 0, 0, 2, 3) + "a\x00abc"
	return [][]byte{b.Bytes(), []byte(newc + newc), []byte(odc), nil}
}

// Nothing that an archive has puts a file elsewhere, and all files have their objects.
func FuzzAddArchive(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, in []byte, parents bool) {
		tree := source.New(source.Changes{})
		if err := tree.AddArchive(t.Context(), bytes.NewReader(in), hashes{1 << 20}, source.ArchiveOptions{Parents: parents}); err != nil {
			return
		}
		root, err := tree.Root()
		if err != nil {
			return
		}
		root.Walk(func(p string, n *filetree.Node) error {
			if strings.Contains("/"+p+"/", "/../") {
				t.Errorf("path %q", p)
			}
			if _, ok := tree.Object(n); !ok && n.Kind != filetree.Dir {
				t.Errorf("%q has no object", p)
			}
			return nil
		})
	})
}

func FuzzParseModes(f *testing.F) {
	for _, s := range []string{"+2048 /a\n=448 /d\n", "0x800 /a", "bad", "-1 /a", "=1e300 /x", "+ /y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := source.ParseModes(text)
		if (m == nil) != (err != nil) {
			t.Fatalf("ParseModes(%q) = %v, %v", text, m, err)
		}
		if err != nil {
			return
		}
		n := filetree.NewDir(0o755)
		tree := source.New(source.Changes{Modes: m})
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "./"})
		w.Close()
		if err := tree.AddArchive(t.Context(), &b, hashes{1}, source.ArchiveOptions{}); err != nil {
			t.Fatal(err)
		}
		if root, err := tree.Root(); err == nil && root.Mode&^0o7777 != 0 {
			t.Errorf("mode %o, of %v", root.Mode, n)
		}
	})
}
