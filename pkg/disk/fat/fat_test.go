package fat_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/disk/fat"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/segment"
)

// sample are files whose names and sizes try all that the format has.
func sample() map[string]string {
	files := map[string]string{
		"EFI/BOOT/BOOTX64.EFI": strings.Repeat("boot", 300000), "EFI/debian/grub.cfg": "configfile", "EFI/fedora/shimx64.efi": "shim",
		"a-long-name-that-needs-several-entries.conf": "long", "a-long-name-that-needs-several-others.conf": "other", "žluťoučký": "utf-8", "EMPTY": "",
		"exactly13char": "13", "one.two.three": "dots", "😀": "not in the first plane", "with blank": "x", strings.Repeat("n", 255): "longest",
		// The short name that the first would get is the third's own.
		"A b.txt": "1", "A b.txt.": "", "AB~1.TXT": "2", "EIGHT888.333": "plain", ".hidden": "dot",
	}
	delete(files, "A b.txt.")
	for i := range 100 {
		files[fmt.Sprintf("many/file number %d", i)] = "x"
	}
	return files
}

func tree(t testing.TB, files map[string]string) *filetree.Node {
	t.Helper()
	root := filetree.NewDir(0o755)
	for p, body := range files {
		if err := root.Put(p, filetree.Bytes([]byte(body), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// write makes a sparse file of size bytes.
func write(t testing.TB, list segment.List, size int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "esp"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := errors.Join(f.Truncate(size), list.WriteSparse(t.Context(), f, size)); err != nil {
		t.Fatal(err)
	}
	return f
}

// contents reads all files.
func contents(t testing.TB, root *filetree.Node) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := root.Walk(func(p string, n *filetree.Node) error {
		if n.Kind != filetree.File {
			return nil
		}
		rc, err := n.From.Open()
		if err != nil {
			return err
		}
		b, err := io.ReadAll(rc)
		if int64(len(b)) != n.Size {
			t.Errorf("%s: %d bytes, want %d", p, len(b), n.Size)
		}
		out[p] = string(b)
		return errors.Join(err, rc.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestFsck has fsck.fat find nothing, and mtools and Read find the files.
func TestFsck(t *testing.T) {
	files := sample()
	for _, size := range []int64{fat.MinSize, 127 << 20, 512<<20 + 512*7} {
		list, err := fat.New(tree(t, files), fat.Options{Size: size, VolumeID: 0x7b7795e7, Label: "EFI-SYSTEM", Time: 1700000000})
		if err != nil {
			t.Fatal(err)
		}
		f := write(t, list, size)
		out, err := exec.Command(fixture.Tool(t, "fsck.fat"), "-n", f.Name()).CombinedOutput()
		if err != nil || bytes.Count(out, []byte("\n")) > 2 {
			t.Errorf("fsck.fat of %d bytes: %v\n%s", size, err, out)
		}
		v, err := fat.Read(f, size)
		if err != nil {
			t.Fatal(err)
		}
		if got := contents(t, v.Root); !maps.Equal(got, files) {
			t.Errorf("Read finds %q", slices.Sorted(maps.Keys(got)))
		}
		if v.Label != "EFI-SYSTEM" || v.VolumeID != 0x7b7795e7 {
			t.Errorf("Read finds label %q, serial number %x", v.Label, v.VolumeID)
		}
		dest := t.TempDir()
		if out, err := exec.Command(fixture.Tool(t, "mcopy"), "-s", "-i", f.Name(), "::*", dest).CombinedOutput(); err != nil {
			t.Fatalf("mcopy: %v\n%s", err, out)
		}
		for p, want := range files {
			if got, err := os.ReadFile(filepath.Join(dest, p)); string(got) != want && !strings.ContainsAny(p, "😀ž") {
				t.Errorf("mcopy of %s: %d bytes, %v, want %d", p, len(got), err, len(want))
			}
		}
	}
}

// TestReadMtools reads a file system that mkfs.fat and mcopy wrote, which has deleted
// entries, and short names in small letters.
func TestReadMtools(t *testing.T) {
	const size = 40 << 20
	image := filepath.Join(t.TempDir(), "esp")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, size)); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(fixture.Tool(t, name), args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	run("mkfs.fat", "-F", "32", "-s", "1", "-n", "LABEL", "-i", "12345678", image)
	want := map[string]string{"efi/boot/bootx64.efi": strings.Repeat("x", 100000), "efi/grub.cfg": "small", "Readme.TXT": "mixed", "a longer name.conf": "long", "gone": "gone"}
	dir := t.TempDir()
	for p, body := range want {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(p)), 0o755), os.WriteFile(filepath.Join(dir, p), []byte(body), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, top := range []string{"efi", "Readme.TXT", "a longer name.conf", "gone"} {
		run("mcopy", "-s", "-i", image, filepath.Join(dir, top), "::")
	}
	run("mdel", "-i", image, "::gone")
	delete(want, "gone")
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := fat.Read(f, size)
	if err != nil {
		t.Fatal(err)
	}
	if got := contents(t, v.Root); !maps.Equal(got, want) || v.Label != "LABEL" || v.VolumeID != 0x12345678 {
		t.Errorf("Read finds %q, label %q, serial number %x", slices.Sorted(maps.Keys(got)), v.Label, v.VolumeID)
	}
}

func TestRefused(t *testing.T) {
	put := func(name string) func(*filetree.Node) {
		return func(n *filetree.Node) { n.Set(name, filetree.Bytes([]byte("x"), 0o644)) }
	}
	for name, tc := range map[string]struct {
		size   int64
		change func(*filetree.Node)
		want   string
	}{
		"32 MiB":             {32 << 20, func(*filetree.Node) {}, "at least 34 MiB"},
		"4 TiB":              {4 << 40, func(*filetree.Node) {}, "less than 2 TiB"},
		"a link":             {64 << 20, func(n *filetree.Node) { n.Set("link", filetree.NewSymlink("x")) }, "/link"},
		"a colon":            {64 << 20, put("a:b"), `"a:b"`},
		"a control char":     {64 << 20, put("a\tb"), `"a\tb"`},
		"a dot at the end":   {64 << 20, put("a."), `"a."`},
		"a blank at the end": {64 << 20, put("a "), `"a "`},
		"not UTF-8":          {64 << 20, put("a\xff"), `"a\xff"`},
		"256 characters":     {64 << 20, put(strings.Repeat("n", 256)), "not allowed"},
		"names that are one": {64 << 20, func(n *filetree.Node) { put("Ab")(n); put("aB")(n) }, `"Ab" and "aB"`},
		"4 GiB":              {64 << 20, func(n *filetree.Node) { n.Set("f", &filetree.Node{Kind: filetree.File, Size: 1 << 32}) }, "/f: a file has less"},
		"too much": {64 << 20, func(n *filetree.Node) {
			n.Set("f", &filetree.Node{Kind: filetree.File, Size: 65 << 20, From: segment.Bytes(nil)})
		}, "/f: content needs more than 64 MiB"},
	} {
		root := filetree.NewDir(0o755)
		tc.change(root)
		_, err := fat.New(root, fat.Options{Size: tc.size})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q in it", name, err, tc.want)
		}
		if small := name == "32 MiB" || name == "too much"; errors.Is(err, fat.ErrTooSmall) != small {
			t.Errorf("%s: %v: ErrTooSmall is %v, want %v", name, err, !small, small)
		}
	}
}

// TestLinks writes a second name of a file as a copy.
func TestLinks(t *testing.T) {
	root := tree(t, map[string]string{"a": "content"})
	if err := root.Put("b", &filetree.Node{Link: root.Child("a")}); err != nil {
		t.Fatal(err)
	}
	list, err := fat.New(root, fat.Options{Size: fat.MinSize})
	if err != nil {
		t.Fatal(err)
	}
	v, err := fat.Read(write(t, list, fat.MinSize), fat.MinSize)
	if err != nil {
		t.Fatal(err)
	}
	if got := contents(t, v.Root); !maps.Equal(got, map[string]string{"a": "content", "b": "content"}) || v.Label != "" {
		t.Errorf("files are %q, label %q", got, v.Label)
	}
}

// TestTimes has mtools tell times at the ends of what the format can.
func TestTimes(t *testing.T) {
	for time, want := range map[int64]string{0: "1980-01-01", 1700000000: "2023-11-14", 1 << 40: "2107-12-31"} {
		list, err := fat.New(tree(t, map[string]string{"FILE": ""}), fat.Options{Size: fat.MinSize, Time: time})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(fixture.Tool(t, "mdir"), "-i", write(t, list, fat.MinSize).Name()).CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte(want)) {
			t.Errorf("time %d: %v, want %s\n%s", time, err, want, out)
		}
	}
}

// geometry of the file systems of MinSize that New makes.
const (
	fatAt   = 32 * 512
	fatSize = 536 * 512
	dataAt  = fatAt + 2*fatSize
)

// small has a table and folders that lie in the first sectors of each.
func small(t testing.TB) []byte {
	t.Helper()
	list, err := fat.New(tree(t, map[string]string{"EFI/BOOT/BOOTX64.EFI": "boot", "a-long-name.conf": strings.Repeat("c", 1000)}),
		fat.Options{Size: fat.MinSize, Label: "ESP"})
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, fat.MinSize)
	f := write(t, list, fat.MinSize)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if n := binary.LittleEndian.Uint32(b[0x24:]) * 512; n != fatSize {
		t.Fatalf("a table has %d bytes, want %d", n, fatSize)
	}
	return b
}

// TestReadDamage changes a byte in each structure.
func TestReadDamage(t *testing.T) {
	good := small(t)
	if _, err := fat.Read(bytes.NewReader(good), fat.MinSize); err != nil {
		t.Fatal(err)
	}
	at := func(s string) int { return bytes.Index(good, []byte(s)) }
	for name, i := range map[string]int{
		"signature": 510, "sectors in a cluster": 0x0d, "number of tables": 0x10, "size of a table": 0x25, "root": 0x2c, "copy": 6*512 + 3,
		"FSInfo": 512, "free clusters": 512 + 0x1e8, "first table": fatAt + 12, "second table": fatAt + fatSize + 12, "lost cluster": fatAt + 4000,
		"name": at("BOOTX64 EFI"), "dot": at(".          "), "dot dot": at("..         ") + 26, "first cluster": at("BOOTX64 EFI") + 26,
		"size": at("BOOTX64 EFI") + 29, "checksum of a long name": at("A-LONG~1CON") - 32 + 13, "piece of a long name": at("A-LONG~1CON") - 32,
	} {
		b := bytes.Clone(good)
		b[i] ^= 2
		if name == "name" {
			b[i] = 0x62 // a small letter
		}
		if name == "lost cluster" {
			b[i+fatSize] ^= 2
		}
		if v, err := fat.Read(bytes.NewReader(b), fat.MinSize); v != nil || !errors.Is(err, fat.ErrMalformed) {
			t.Errorf("%s damaged: %v, %v, want ErrMalformed", name, v, err)
		}
	}
	if _, err := fat.Read(bytes.NewReader(good[:100<<10]), fat.MinSize); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut off: %v", err)
	}
}

// sparse is zeros but for some pieces, by offset.
type sparse map[int64][]byte

func (s sparse) ReadAt(b []byte, at int64) (int, error) {
	clear(b)
	for start, piece := range s {
		if from := max(start, at); from < min(start+int64(len(piece)), at+int64(len(b))) {
			copy(b[from-at:], piece[from-start:])
		}
	}
	return len(b), nil
}

// parts of a file system that a fuzzer varies: what is used of the boot sector, of
// FSInfo, of the table, and of the first clusters. It is short, so that it is fast.
const (
	bootPart   = 90
	infoAt     = 512 + 0x1e4
	infoPart   = 12
	tablePart  = 64
	folders    = 3
	folderPart = 6 * 32
)

// assemble is the file system with these parts.
func assemble(in []byte) sparse {
	p := make([]byte, bootPart+infoPart+tablePart+folders*folderPart)
	copy(p, in)
	boot := append(p[:bootPart:bootPart], make([]byte, 512-bootPart)...)
	boot[510], boot[511] = 0x55, 0xaa
	p = p[bootPart:]
	s := sparse{0: boot, 512: []byte("RRaA"), 6 * 512: boot, infoAt: p[:infoPart]}
	p = p[infoPart:]
	s[fatAt], s[fatAt+fatSize] = p[:tablePart], p[:tablePart]
	for i := range folders {
		s[dataAt+512*int64(i)] = p[tablePart+i*folderPart:][:folderPart]
	}
	return s
}

func FuzzRead(f *testing.F) {
	b := small(f)
	seed := slices.Concat(b[:bootPart], b[infoAt:infoAt+infoPart], b[fatAt:fatAt+tablePart])
	for i := range folders {
		seed = append(seed, b[dataAt+512*i:][:folderPart]...)
	}
	if _, err := fat.Read(assemble(seed), fat.MinSize); err != nil {
		f.Fatalf("the seed is no file system: %v", err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := fat.Read(assemble(in), fat.MinSize)
		if err != nil {
			if v != nil || !errors.Is(err, fat.ErrMalformed) {
				t.Fatalf("Read = %v, %v", v, err)
			}
			return
		}
		list, err := fat.New(v.Root, fat.Options{Size: 2 * fat.MinSize})
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		written := sparse{}
		for _, s := range list {
			rc, err := s.From.Open()
			if err != nil {
				t.Fatal(err)
			}
			if written[s.Offset], err = io.ReadAll(rc); err != nil || int64(len(written[s.Offset])) != s.Length {
				t.Fatalf("%d bytes, want %d: %v", len(written[s.Offset]), s.Length, err)
			}
		}
		again, err := fat.Read(written, 2*fat.MinSize)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := contents(t, v.Root), contents(t, again.Root); !maps.Equal(a, b) {
			t.Fatalf("files are %q, and written and read again %q", slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)))
		}
	})
}

func BenchmarkNew(b *testing.B) {
	files := map[string]string{}
	for i := range 10000 {
		files[fmt.Sprintf("EFI/dir%d/a file that is called %d", i%10, i)] = "x"
	}
	root := tree(b, files)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fat.New(root, fat.Options{Size: 127 << 20}); err != nil {
			b.Fatal(err)
		}
	}
}
