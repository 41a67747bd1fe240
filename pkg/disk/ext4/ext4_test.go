package ext4

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/segment"
)

// uuid is that of the vectors: 910678ff-f77e-4a7d-8d53-86f2ac47a823.
var uuid = [16]byte{0x91, 0x06, 0x78, 0xff, 0xf7, 0x7e, 0x4a, 0x7d, 0x8d, 0x53, 0x86, 0xf2, 0xac, 0x47, 0xa8, 0x23}

// The sums are those of the kernel's crc32c and of file systems that mke2fs made.
func TestChecksumVectors(t *testing.T) {
	if got := crc(^uint32(0), []byte("123456789")); got != 0x1cf96d7c {
		t.Errorf("crc of 123456789 = %08x, want 1cf96d7c", got)
	}
	b := &builder{seed: crc(^uint32(0), uuid[:])}
	if b.seed != 0xd5356145 {
		t.Errorf("seed = %08x, want d5356145", b.seed)
	}
	if got := b.inodeSeed(12); got != 0x28506f20 {
		t.Errorf("seed of inode 12 = %08x, want 28506f20", got)
	}
	if got := entryHash("selinux", []byte("system_u:object_r:bin_t:s0\x00\x00")); got != 0x10d900e2 {
		t.Errorf("hash of an attribute = %08x, want 10d900e2", got)
	}
}

// The hashes are debugfs' dx_hash -h half_md4 -s UUID.
func TestHalfMD4(t *testing.T) {
	for name, want := range map[string]uint32{
		"a": 0x272cf48c, "lost+found": 0xd5f1868e, "another-long-name-00000000-yyyyyyyyyyyy": 0x86800ef6, "ümläut-žluťoučký": 0xc8afd282,
	} {
		if got := halfMD4(uuid, name); got != want {
			t.Errorf("hash of %q = %08x, want %08x", name, got, want)
		}
	}
}

func write(t testing.TB, root *filetree.Node, o Options) string {
	t.Helper()
	p, err := New(root, o)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(p.Size); err != nil {
		t.Fatal(err)
	}
	if err := p.Segments().WriteSparse(t.Context(), f, p.Size); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func fsck(t testing.TB, image string) {
	t.Helper()
	out, err := exec.Command(fixture.Tool(t, "e2fsck"), "-fn", image).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("Fix")) {
		t.Fatalf("e2fsck: %v\n%s", err, out)
	}
}

func debugfs(t testing.TB, image, request string) string {
	t.Helper()
	out, err := exec.Command(fixture.Tool(t, "debugfs"), "-R", request, image).Output()
	if err != nil {
		t.Fatalf("debugfs %s: %v", request, err)
	}
	return string(out)
}

func put(t testing.TB, root *filetree.Node, p string, n *filetree.Node) *filetree.Node {
	t.Helper()
	if err := root.Put(p, n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestEmptySizes covers sizes at which groups, flex groups and a short last group
// begin.
func TestEmptySizes(t *testing.T) {
	for _, size := range []int64{8 << 20, 64 << 20, 128<<20 - 4096, 128 << 20, 130 << 20, 137 << 20, 256<<20 + 12345, 1 << 30, 2<<30 + 5<<20, 5 << 30, 40 << 30} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			fsck(t, write(t, filetree.NewDir(0o755), Options{Size: size, UUID: uuid, Label: "test", Time: 1700000000}))
		})
	}
}

// variety is one of each thing, and many of some.
func variety(t testing.TB) *filetree.Node {
	root := filetree.NewDir(0o755)
	put(t, root, "empty", filetree.Bytes(nil, 0o600))
	put(t, root, "hello", filetree.Bytes([]byte("hello\n"), 0o4755)).UID = 70000
	linked := put(t, root, "linked", filetree.Bytes([]byte("two names"), 0o644))
	put(t, root, "dir/second", &filetree.Node{Kind: filetree.File, Link: linked})
	for _, n := range []int{1, 59, 60, 200, 4000} {
		put(t, root, fmt.Sprintf("link%d", n), filetree.NewSymlink(strings.Repeat("x", n)))
	}
	label := put(t, root, "label", filetree.Bytes([]byte("l"), 0o644))
	label.SetXattr("security.selinux", []byte("system_u:object_r:bin_t:s0\x00"))
	both := put(t, root, "both", filetree.Bytes([]byte("b"), 0o755))
	both.SetXattr("security.selinux", []byte("system_u:object_r:bin_t:s0\x00"))
	both.SetXattr("security.capability", []byte("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	both.SetXattr("user.big", bytes.Repeat([]byte("v"), 1000))
	put(t, root, "old", filetree.Bytes([]byte("o"), 0o644)).ModTime = -86400
	put(t, root, "late", filetree.Bytes([]byte("o"), 0o644)).ModTime = 1 << 32
	put(t, root, "null", &filetree.Node{Kind: filetree.CharDevice, Mode: 0o666, Rdev: 1<<8 | 3})
	put(t, root, "pipe", &filetree.Node{Kind: filetree.FIFO, Mode: 0o644})
	put(t, root, "big", filetree.Bytes(bytes.Repeat([]byte("0123456789abcdef"), 1<<17), 0o644))
	put(t, root, strings.Repeat("n", 255), filetree.Bytes([]byte("long"), 0o644))
	for i := range 3000 {
		put(t, root, fmt.Sprintf("many/file-with-a-name-of-some-length-%05d", i), filetree.Bytes([]byte("x"), 0o644))
	}
	for i := range 300 {
		put(t, root, fmt.Sprintf("folders/%d/žluťoučký", i), filetree.Bytes([]byte("kůň"), 0o644))
	}
	return root
}

func TestVariety(t *testing.T) {
	image := write(t, variety(t), Options{Size: 300 << 20, UUID: uuid, Label: "variety", Time: 1700000000})
	fsck(t, image)
	features := debugfs(t, image, "stats")
	for _, want := range []string{
		"has_journal ext_attr resize_inode dir_index filetype extent 64bit flex_bg metadata_csum_seed sparse_super large_file huge_file dir_nlink extra_isize metadata_csum",
		"Filesystem UUID:          910678ff-f77e-4a7d-8d53-86f2ac47a823", "Filesystem volume name:   variety",
	} {
		if !strings.Contains(features, want) {
			t.Errorf("debugfs stats lacks %q:\n%.3000s", want, features)
		}
	}
	for path, want := range map[string]string{
		"hello": `Type: regular    Mode:  04755.*User: 70000 `, "linked": `Links: 2 `, "link59": `Fast link dest`, "link60": `Size: 60\n`,
		"null": `Type: character special`, "both": `user.big \(1000\)`, "label": `system_u:object_r:bin_t:s0`, "many": `Flags: 0x81000`,
	} {
		if out := debugfs(t, image, "stat /"+path); !regexp.MustCompile(`(?s)` + want).MatchString(out) {
			t.Errorf("stat /%s lacks %q:\n%s", path, want, out)
		}
	}
	if got := debugfs(t, image, "cat /folders/7/žluťoučký"); got != "kůň" {
		t.Errorf("content is %q", got)
	}
	if got := debugfs(t, image, "cat /many/file-with-a-name-of-some-length-02999"); got != "x" {
		t.Errorf("content in a large folder is %q", got)
	}
	if got := debugfs(t, image, "cat /big"); got != strings.Repeat("0123456789abcdef", 1<<17) {
		t.Error("content of 2 MiB differs")
	}
}

// TestManyNames has a hash tree of two levels.
func TestManyNames(t *testing.T) {
	root := filetree.NewDir(0o755)
	for i := range 70000 {
		put(t, root, fmt.Sprintf("d/%05d-%s", i, strings.Repeat("y", i%40)), &filetree.Node{Kind: filetree.File, Mode: 0o644})
	}
	fsck(t, write(t, root, Options{Size: 512 << 20, UUID: uuid, Time: 1700000000}))
}

// TestLargeFile crosses group tables, so that it has several extents.
func TestLargeFile(t *testing.T) {
	root := filetree.NewDir(0o755)
	pattern := bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog 0123"), 1<<20)
	put(t, root, "a", filetree.Bytes(pattern, 0o644))
	for i := range 5 {
		put(t, root, fmt.Sprintf("b%d", i), filetree.Bytes(pattern[:40<<20], 0o644))
	}
	image := write(t, root, Options{Size: 600 << 20, UUID: uuid, Time: 1700000000})
	fsck(t, image)
	if got := debugfs(t, image, "cat /b3"); got != string(pattern[:40<<20]) {
		t.Error("content differs")
	}
}

func TestMinSize(t *testing.T) {
	root := variety(t)
	size := MinSize(root)
	fsck(t, write(t, root, Options{Size: size, UUID: uuid, Time: 1700000000}))
	_, err := New(root, Options{Size: 20 << 20, UUID: uuid, Label: "root"})
	if err == nil {
		t.Fatal("20 MiB were enough")
	}
	put(t, root, "too-big", filetree.Bytes(make([]byte, 64<<20), 0o644))
	_, err = New(root, Options{Size: 60 << 20, UUID: uuid, Label: "root"})
	if !errors.Is(err, ErrTooSmall) || !strings.Contains(err.Error(), `ext4 "root": content needs`) {
		t.Errorf("%v, want ErrTooSmall and what is needed", err)
	}
}

func TestDeterministic(t *testing.T) {
	var images [2][]byte
	for i := range images {
		b, err := os.ReadFile(write(t, variety(t), Options{Size: 64 << 20, UUID: uuid, Time: 1700000000}))
		if err != nil {
			t.Fatal(err)
		}
		images[i] = b
	}
	if !bytes.Equal(images[0], images[1]) {
		t.Error("two plans of one tree differ")
	}
}

func TestImmutable(t *testing.T) {
	root := filetree.NewDir(0o755)
	d := put(t, root, "deployment", filetree.NewDir(0o755))
	image := write(t, root, Options{Size: 64 << 20, UUID: uuid, Immutable: d})
	fsck(t, image)
	if out := debugfs(t, image, "stat /deployment"); !strings.Contains(out, "Flags: 0x80010") {
		t.Errorf("flags of an immutable folder: %s", out)
	}
}

func BenchmarkPlan(b *testing.B) {
	root := variety(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(root, Options{Size: 1 << 30, UUID: uuid}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWrite plans and writes; BenchmarkPeer is mke2fs with the same tree.
func BenchmarkWrite(b *testing.B) {
	root := variety(b)
	for b.Loop() {
		write(b, root, Options{Size: 300 << 20, UUID: uuid, Time: 1700000000})
	}
}

func BenchmarkPeer(b *testing.B) {
	tool := fixture.Tool(b, "mke2fs")
	dir := b.TempDir()
	err := variety(b).Walk(func(p string, n *filetree.Node) error {
		full := filepath.Join(dir, p)
		switch n.Kind {
		case filetree.Dir:
			return os.MkdirAll(full, 0o755)
		case filetree.Symlink:
			if len(n.Target) < 4000 {
				return os.Symlink(n.Target, full)
			}
		case filetree.File:
			if n.Link == nil && n.Size > 0 {
				return os.WriteFile(full, n.From.(segment.Bytes), 0o644)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if out, err := exec.Command(tool, "-q", "-t", "ext4", "-d", dir, filepath.Join(b.TempDir(), "image"), "300M").CombinedOutput(); err != nil {
			b.Fatalf("mke2fs: %v: %s", err, out)
		}
	}
}
