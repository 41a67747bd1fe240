package ostree_test

import (
	"bytes"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
)

// seeds returns the files of a folder of testdata by name. None is an error: a test
// without them would pass for nothing.
func seeds(t testing.TB, kind string) map[string][]byte {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("testdata", kind, "*"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no seeds in testdata/%s: %v", kind, err)
	}
	out := map[string][]byte{}
	for _, f := range found {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(f)] = b
	}
	return out
}

// TestStockMetadata reads objects of ostree, whose names are their checksums, and
// writes them again.
func TestStockMetadata(t *testing.T) {
	type object interface{ Encode() ([]byte, error) }
	for kind, parse := range map[string]func([]byte) (object, error){
		"commit":  func(b []byte) (object, error) { return ostree.ParseCommit(b) },
		"dirtree": func(b []byte) (object, error) { return ostree.ParseDirTree(b) },
		"dirmeta": func(b []byte) (object, error) { return ostree.ParseDirMeta(b) },
	} {
		for name, raw := range seeds(t, kind) {
			if got := ostree.Sum(raw).String(); got != name {
				t.Errorf("%s.%s: checksum is %s", name, kind, got)
			}
			o, err := parse(raw)
			if err != nil {
				t.Errorf("%s.%s: %v", name, kind, err)
				continue
			}
			if out, err := o.Encode(); err != nil || !bytes.Equal(out, raw) {
				t.Errorf("%s.%s: encodes as %x, %v", name, kind, out, err)
			}
		}
	}
}

// TestStockFiles recomputes the checksums of .filez objects from header and content.
func TestStockFiles(t *testing.T) {
	for name, raw := range seeds(t, "filez") {
		r := bytes.NewReader(raw)
		f, err := ostree.ReadArchiveHeader(r)
		if err != nil {
			t.Fatal(err)
		}
		head, err := f.ArchiveHeader()
		if err != nil || !bytes.HasPrefix(raw, head) || len(raw)-r.Len() != len(head) {
			t.Errorf("%s: header encodes as %x, %v", name, head, err)
		}
		var body []byte
		if !f.IsLink() {
			if body, err = io.ReadAll(compress.NewDeflateReader(r)); err != nil {
				t.Fatal(err)
			}
		}
		h, err := f.NewHash()
		if err != nil {
			t.Fatal(err)
		}
		h.Write(body)
		if got := hex.EncodeToString(h.Sum(nil)); got != name || f.Size != int64(len(body)) {
			t.Errorf("%s: checksum is %s, size %d of %d", name, got, f.Size, len(body))
		}
		stream, err := f.Header()
		if err != nil {
			t.Fatal(err)
		}
		g, err := ostree.ReadHeader(bytes.NewReader(stream))
		if err != nil {
			t.Fatal(err)
		}
		if g.Size = f.Size; !reflect.DeepEqual(f, g) {
			t.Errorf("%s: the two forms of the header read as %+v and %+v", name, f, g)
		}
		if meta, ok := seeds(t, "ostreemeta")[name]; ok {
			checkBareMeta(t, f, meta)
		}
	}
}

// checkBareMeta compares the attribute of a bare-user file with its header.
func checkBareMeta(t *testing.T, f *ostree.File, meta []byte) {
	t.Helper()
	if out, err := f.BareMeta(); err != nil || !bytes.Equal(out, meta) {
		t.Errorf("user.ostreemeta of %+v is %x, %v, want %x", f, out, err, meta)
	}
	g, err := ostree.ParseBareMeta(meta)
	if err != nil {
		t.Fatal(err)
	}
	if g.Size, g.Target = f.Size, f.Target; !g.Equal(f) {
		t.Errorf("user.ostreemeta reads as %+v, want %+v", g, f)
	}
}

// TestCommitFields has what `ostree commit` was told; see testdata/README.md.
func TestCommitFields(t *testing.T) {
	c, err := ostree.ParseCommit(seeds(t, "commit")["49779036e8899fac2efee8ed8591a2e230b52484734fe63e869c48f18dcc1a6c"])
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject != "one" || c.Body != "body\ntwo" || c.Timestamp != 1700000000 || c.Version() != "1.0" || c.Parent != nil {
		t.Errorf("commit is %+v", c)
	}
	for key, want := range map[string]gvariant.Variant{
		"n": {Type: "u", Value: uint32(5)},
		"list": {Type: "a(sv)", Value: []any{
			gvariant.Tuple{"a", gvariant.Variant{Type: "b", Value: true}}}},
		ostree.KeyRefBinding:        {Type: "as", Value: []any{"test/x"}},
		"ostree.collection-binding": {Type: "s", Value: "org.example.Os"},
	} {
		if got, ok := c.Lookup(key); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("metadata %s is %#v, want %#v", key, got, want)
		}
	}
}

// TestStockSummary has what `ostree summary -v` prints of the file.
func TestStockSummary(t *testing.T) {
	s, err := ostree.ParseSummary(seeds(t, "summary")["collections"])
	if err != nil {
		t.Fatal(err)
	}
	x := checksum(t, "49779036e8899fac2efee8ed8591a2e230b52484734fe63e869c48f18dcc1a6c")
	y := checksum(t, "a1d38c881db402a842accaf9e7ffc29536f83cb1594031f456b4620b3a675d46")
	want := &ostree.Summary{
		Refs: []ostree.SummaryRef{
			{Name: "ostree-metadata", Commit: checksum(t, "684412286c9086ab34deb16d5215aa3558e02d88ef330e1c04b693ae918b10e3"), Size: 206, Timestamp: 1795531153},
			{Name: "test/x", Commit: x, Size: 254, Timestamp: 1700000000, Version: "1.0"},
			{Name: "test/y", Commit: y, Size: 182, Timestamp: 1700000100},
		},
		Mode: ostree.ModeArchive, LastModified: 1795531153, Indexed: true,
		Deltas: []ostree.DeltaDigest{
			{Name: y.String() + "-" + x.String(), Digest: checksum(t, "41b985109e9a9bd52a60422171383099"+"86a50c679f7418120b6147dcf7f09168")},
			{Name: x.String(), Digest: checksum(t, "159d0dae18a07e9d8feed4b94fae38bd"+"2de084ccaa8617bd5eb32740f45b6c3e")},
		},
		Collection:  "org.example.Os",
		Collections: []ostree.Collection{{ID: "org.other", Refs: []ostree.SummaryRef{{Name: "foo/bar", Commit: x, Size: 254, Timestamp: 1700000000, Version: "1.0"}}}},
		Other:       ostree.Metadata{{Key: "extra", Value: gvariant.Variant{Type: "u", Value: uint32(7)}}},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("summary is\n%+v\nwant\n%+v", s, want)
	}
	for name, raw := range seeds(t, "summary") {
		roundTripSummary(t, name, raw)
	}
	for name, raw := range seeds(t, "index") {
		deltas, err := ostree.ParseDeltaIndex(raw)
		if err != nil || len(deltas) == 0 {
			t.Fatalf("index %s: %v, %v", name, deltas, err)
		}
		if out, err := ostree.EncodeDeltaIndex(deltas); err != nil || !bytes.Equal(out, raw) {
			t.Errorf("index %s encodes as %x, %v, want %x", name, out, err, raw)
		}
	}
}

// roundTripSummary writes and reads a summary. The order of its keys is free.
func roundTripSummary(t *testing.T, name string, raw []byte) {
	t.Helper()
	s, err := ostree.ParseSummary(raw)
	if err != nil {
		t.Fatalf("summary %s: %v", name, err)
	}
	out, err := s.Encode()
	if err != nil {
		t.Fatalf("summary %s: %v", name, err)
	}
	if again, err := ostree.ParseSummary(out); err != nil || !reflect.DeepEqual(again, s) {
		t.Errorf("summary %s: reads again as %+v, %v, want %+v", name, again, err, s)
	}
}

// TestSummaryLayout has the size and the framing of a summary of ostree with one ref
// and one delta, whose time and digest differ from ours.
func TestSummaryLayout(t *testing.T) {
	c := checksum(t, "a17c8815eef9c8769a88787fe44afa2c2d5e66aeaf269ae9933fdc534b3f8140")
	s := &ostree.Summary{
		Refs: []ostree.SummaryRef{{Name: "x", Commit: c, Size: 86, Timestamp: 1700000000}},
		Mode: ostree.ModeArchive, LastModified: 1795502836, Indexed: true,
		Deltas: []ostree.DeltaDigest{{Name: c.String()}},
	}
	raw, err := s.Encode()
	if err != nil || len(raw) != 416 {
		t.Fatalf("summary of %d bytes, %v, want 416", len(raw), err)
	}
	head := "7800000000000000" + "5600000000000000" + c.String() + hex.EncodeToString([]byte("ostree.commit.timestamp\x00")) +
		"000000006553f100" + "0074" + "18" + "23" + "28" + "02" + "56"
	if got := hex.EncodeToString(raw[:0x57]); got != head {
		t.Errorf("refs are %s, want %s", got, head)
	}
	if got, want := hex.EncodeToString(raw[0x194:]), "26005300"+"84001401"+"3c01"+"5700"+""; got != want {
		t.Errorf("framing is %s, want %s", got, want)
	}
}

// TestFramesOfFiles has the bytes in front of the content, in both forms, of objects
// of ostree.
func TestFramesOfFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		f               ostree.File
		stream, archive string
	}{
		"file": {ostree.File{Mode: 0o100644, Size: 6},
			"0000001200000000 00000000 00000000 000081a4 00000000 00 11",
			"0000001a00000000 0000000000000006 00000000 00000000 000081a4 00000000 00 19"},
		"link": {ostree.File{Mode: 0o120777, Target: "hello.txt"},
			"0000001b00000000 00000000 00000000 0000a1ff 00000000 68656c6c6f2e747874 00 1a",
			"0000002300000000 0000000000000000 00000000 00000000 0000a1ff 00000000 68656c6c6f2e747874 00 22"},
		"attributes, given out of order": {ostree.File{Mode: 0o100755, Xattrs: []filetree.Xattr{{Name: "user.foo", Value: []byte("bar")}, {Name: "user.a", Value: nil}}},
			"0000002900000000 00000000 00000000 000081ed 00000000 00 757365722e6100 07 757365722e666f6f00 626172 09 0815 11", ""},
	} {
		check := func(form string, got []byte, err error, want string) {
			if err != nil || want != "" && !bytes.Equal(got, unhex(t, want)) {
				t.Errorf("%s, %s: %x, %v, want %s", name, form, got, err, want)
			}
		}
		got, err := tc.f.Header()
		check("stream", got, err, tc.stream)
		got, err = tc.f.ArchiveHeader()
		check("archive", got, err, tc.archive)
	}
}
