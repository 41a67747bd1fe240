package repodata_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"slices"
	"testing"

	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
)

// distribution is the primary metadata of a real distribution, from the solver's tests.
func distribution(t testing.TB) []byte { return plain(t, "../solver/testdata/primary.xml.gz") }

func pack(t testing.TB, pkgs []*repodata.Package) *repodata.Packed {
	t.Helper()
	pack := repodata.NewPacker()
	for _, p := range pkgs {
		pack.Add(p)
	}
	p, err := pack.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func packedBytes(t testing.TB, p *repodata.Packed) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := p.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("WriteTo = %d, %v; %d bytes", n, err, b.Len())
	}
	return b.Bytes()
}

// TestPacked reads back each package, and compares the index with a search.
func TestPacked(t *testing.T) {
	pkgs, err := repodata.ParsePrimary(bytes.NewReader(distribution(t)))
	if err != nil || len(pkgs) != 1125 {
		t.Fatalf("%d packages, %v", len(pkgs), err)
	}
	b := packedBytes(t, pack(t, pkgs))
	p, err := repodata.OpenPacked(bytes.NewReader(b), int64(len(b)))
	if err != nil || p.Len() != len(pkgs) {
		t.Fatalf("OpenPacked: %v", err)
	}
	named, owning, providing := map[string][]int{}, map[string][]int{}, map[string][]nevra.Relation{}
	for i, k := range pkgs {
		want := *k
		want.Description, want.Packager, want.Group, want.BuildHost = "", "", "", ""
		want.FileTime, want.ArchiveSize, want.HeaderStart, want.HeaderEnd = 0, 0, 0, 0
		if got := p.Package(i); !reflect.DeepEqual(*got, want) || p.NEVRA(i) != k.NEVRA || p.Arch(i) != k.NEVRA.Arch {
			t.Fatalf("package %d: %+v\nwant %+v", i, got, want)
		}
		named[k.NEVRA.Name] = append(named[k.NEVRA.Name], i)
		for _, f := range k.Files {
			owning[f.Path] = append(owning[f.Path], i)
		}
		for _, r := range k.Provides {
			providing[r.Name] = append(providing[r.Name], r)
		}
	}
	for name, want := range named {
		if got := p.Named(name); !slices.Equal(got, want) {
			t.Errorf("Named(%s) = %v, want %v", name, got, want)
		}
	}
	for path, want := range owning {
		if got := p.Owning(path); !slices.Equal(got, want) {
			t.Errorf("Owning(%s) = %v, want %v", path, got, want)
		}
	}
	for name, want := range providing {
		var got []nevra.Relation
		p.Providing(name, func(_ int, r nevra.Relation) { got = append(got, r) })
		if !slices.Equal(got, want) {
			t.Errorf("Providing(%s) = %v, want %v", name, got, want)
		}
	}
	if got := len(slices.Collect(p.Names())); got != len(named) || p.Named("nosuch") != nil || p.Owning("") != nil {
		t.Errorf("%d names, want %d", got, len(named))
	}
}

// TestPackedDamaged opens the form cut off everywhere, and with each byte changed.
func TestPackedDamaged(t *testing.T) {
	pkgs, err := repodata.ParsePrimary(bytes.NewReader(plain(t, "testdata/repo_01/*-primary.xml.gz")))
	if err != nil {
		t.Fatal(err)
	}
	b := packedBytes(t, pack(t, pkgs))
	for n := range b {
		if _, err := repodata.OpenPacked(bytes.NewReader(b[:n]), int64(n)); !errors.Is(err, repodata.ErrMalformed) {
			t.Fatalf("cut off behind %d bytes: %v", n, err)
		}
		if _, err := repodata.OpenPacked(bytes.NewReader(b[:n]), int64(len(b))); !errors.Is(err, repodata.ErrMalformed) {
			t.Fatalf("shorter than told, %d bytes: %v", n, err)
		}
		bad := slices.Clone(b)
		bad[n] ^= 0x40
		if _, err := repodata.OpenPacked(bytes.NewReader(bad), int64(len(b))); !errors.Is(err, repodata.ErrMalformed) {
			t.Fatalf("byte %d changed: %v", n, err)
		}
	}
}

// FuzzPacked mends the checksum, so that what stands behind it is read.
func FuzzPacked(f *testing.F) {
	pkgs, err := repodata.ParsePrimary(bytes.NewReader(plain(f, "testdata/repo_01/*-primary.xml.gz")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packedBytes(f, pack(f, pkgs)))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) < 4 {
			return
		}
		in = slices.Clone(in)
		binary.LittleEndian.PutUint32(in[len(in)-4:], crc32.Checksum(in[:len(in)-4], crc32.MakeTable(crc32.Castagnoli)))
		p, err := repodata.OpenPacked(bytes.NewReader(in), int64(len(in)))
		if err != nil {
			if !errors.Is(err, repodata.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		for i := range min(p.Len(), 100) {
			p.Package(i)
		}
		for _, name := range []string{"super_kernel", "/usr/bin/super_kernel", "", "x"} {
			p.Named(name)
			p.Owning(name)
			p.Providing(name, func(int, nevra.Relation) {})
		}
		p.Supplementing()
		for range p.Names() {
		}
	})
}

func BenchmarkParsePrimary(b *testing.B) {
	doc := distribution(b)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if err := repodata.ScanPrimary(bytes.NewReader(doc), func(*repodata.Package) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenPacked(b *testing.B) {
	pkgs, err := repodata.ParsePrimary(bytes.NewReader(distribution(b)))
	if err != nil {
		b.Fatal(err)
	}
	form := packedBytes(b, pack(b, pkgs))
	b.SetBytes(int64(len(form)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := repodata.OpenPacked(bytes.NewReader(form), int64(len(form))); err != nil {
			b.Fatal(err)
		}
	}
}
