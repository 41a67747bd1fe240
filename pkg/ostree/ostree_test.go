package ostree_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func checksum(t testing.TB, s string) ostree.Checksum {
	t.Helper()
	c, err := ostree.ParseChecksum(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The checksums are those of objects that ostree 2022.7 made.
func TestChecksums(t *testing.T) {
	for _, tc := range []struct {
		name string
		file ostree.File
		body string
		want string
	}{
		{"a file", ostree.File{Mode: 0o100644, Size: 6}, "hello\n", "44f778e59f0a4748d6b0c90a47347212a231c4ad1e8f7ea5c5dffc7749153a6b"},
		{"an empty file", ostree.File{Mode: 0o100600}, "", "d3fa9214de0816a2cf5475da17be2036ae0eda3df526eff7c1ddee082c6e5b58"},
		{"a link", ostree.File{Mode: 0o120777, Target: "hello.txt"}, "", "f66efa496a72379413c44593de510dc344beb045294f1a543da87b2b6118db35"},
		{"attributes", ostree.File{Mode: 0o100755, Size: 18, Xattrs: []filetree.Xattr{{Name: "user.foo", Value: []byte("bar")}}}, "#!/bin/sh\necho hi\n",
			"098a1304486df72d929eaff29149791cd3f5c2676f2ec065c149c5312e3f7a75"},
	} {
		h, err := tc.file.NewHash()
		if err != nil {
			t.Fatal(err)
		}
		h.Write([]byte(tc.body))
		if got := hex.EncodeToString(h.Sum(nil)); got != tc.want {
			t.Errorf("%s: checksum %s, want %s", tc.name, got, tc.want)
		}
		head, err := tc.file.ArchiveHeader()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ostree.ReadArchiveHeader(bytes.NewReader(head)); err != nil || !reflect.DeepEqual(*back, tc.file) {
			t.Errorf("%s: header reads as %+v, %v", tc.name, back, err)
		}
	}
	dm, err := (&ostree.DirMeta{Mode: 0o755}).Encode()
	if err != nil || ostree.Sum(dm).String() != "446a0ef11b7cc167f3b603e585c7eeeeb675faa412d5ec73f62988eb0b6c5488" {
		t.Errorf("dirmeta %x, %v", dm, err)
	}
	dt, err := (&ostree.DirTree{Files: []ostree.FileEntry{{Name: "a", Checksum: checksum(t, "44f778e59f0a4748d6b0c90a47347212a231c4ad1e8f7ea5c5dffc7749153a6b")}}}).Encode()
	if err != nil || ostree.Sum(dt).String() != "12824093a6068725d2a9c6f1b1dc296ed57ad687377cb4f17a71699d0a9dcaf8" {
		t.Errorf("dirtree %x, %v", dt, err)
	}
	c := ostree.Commit{Subject: "hi", Timestamp: 1700000000, Root: ostree.Sum(dt), RootMeta: ostree.Sum(dm)}
	raw, err := c.Encode()
	if err != nil || len(raw) != 86 || ostree.Sum(raw).String() != "a17c8815eef9c8769a88787fe44afa2c2d5e66aeaf269ae9933fdc534b3f8140" {
		t.Errorf("commit %x, %v", raw, err)
	}
	if got := c.ContentChecksum().String(); got != "f38c8838c0718688d19691507d026117a6a0cfffa227fb5c1cb8522be2c41107" {
		t.Errorf("content checksum %s", got)
	}
}

func TestRefused(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	entry := func(names ...string) []byte {
		var list []any
		for _, n := range names {
			list = append(list, gvariant.Tuple{n, unhex(t, sum)})
		}
		b, err := gvariant.Encode("(a(say)a(sayay))", gvariant.Tuple{list, []any{}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, b := range map[string][]byte{
		"order": entry("b", "a"), "twice": entry("a", "a"), "dot dot": entry(".."), "slash": entry("a/b"), "empty name": entry(""), "nothing": {},
	} {
		if d, err := ostree.ParseDirTree(b); !errors.Is(err, ostree.ErrMalformed) {
			t.Errorf("dirtree with %s: %+v, %v", name, d, err)
		}
	}
	for _, f := range []ostree.File{{Mode: 0o060644}, {Mode: 0o120777}, {Mode: 0o100644, Target: "x"}, {Mode: 0o100644, Size: -1}, {Mode: 0o120777, Target: "a\x00b"}} {
		if _, err := f.Header(); !errors.Is(err, ostree.ErrMalformed) {
			t.Errorf("%+v: %v", f, err)
		}
	}
	if _, err := ostree.ParseChecksum(strings.Repeat("AB", 32)); err == nil {
		t.Error("upper-case digits were read")
	}
	for _, ref := range []string{"", "a//b", "-a", "a/.b", "a b", sum, "a/"} {
		if ostree.CheckRef(ref) == nil {
			t.Errorf("ref %q was taken", ref)
		}
	}
	for _, ref := range []string{"a", "fedora/40/x86_64/base", "a.b-c_d/é", "_x"} {
		if err := ostree.CheckRef(ref); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParseObjects(f *testing.F) {
	dm, _ := (&ostree.DirMeta{Mode: 0o755, Xattrs: []filetree.Xattr{{Name: "user.a", Value: []byte("b")}}}).Encode()
	dt, _ := (&ostree.DirTree{Files: []ostree.FileEntry{{Name: "a"}}, Dirs: []ostree.DirEntry{{Name: "b"}}}).Encode()
	c, _ := (&ostree.Commit{Subject: "s", Metadata: []ostree.MetaEntry{{Key: "version", Value: gvariant.Variant{Type: "s", Value: "1"}}}}).Encode()
	s, _ := (&ostree.Summary{Refs: []ostree.SummaryRef{{Name: "a", Version: "1"}}, Deltas: []ostree.DeltaDigest{{Name: "x"}}}).Encode()
	h, _ := (&ostree.File{Mode: 0o100644, Size: 3}).ArchiveHeader()
	for _, b := range [][]byte{dm, dt, c, s, h} {
		if len(b) == 0 {
			f.Fatal("a seed could not be made")
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		type encoder interface{ Encode() ([]byte, error) }
		check := func(e encoder, err error, exact bool) {
			if err != nil {
				if !errors.Is(err, ostree.ErrMalformed) {
					t.Fatal(err)
				}
				return
			}
			out, err := e.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if exact && !bytes.Equal(out, in) {
				t.Fatalf("decode and encode changed the bytes:\n in %x\nout %x", in, out)
			}
		}
		m, err := ostree.ParseDirMeta(in)
		check(m, err, true)
		d, err := ostree.ParseDirTree(in)
		check(d, err, true)
		// A commit may have "related" entries and empty keys, which are not kept.
		if c, err := ostree.ParseCommit(in); err == nil {
			c.Encode()
		} else {
			check(nil, err, false)
		}
		if _, err := ostree.ParseSummary(in); err != nil {
			check(nil, err, false)
		}
		if _, err := ostree.ReadArchiveHeader(bytes.NewReader(in)); err != nil {
			check(nil, err, false)
		}
	})
}
