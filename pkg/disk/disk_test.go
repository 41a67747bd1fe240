package disk_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/disk"
	"github.com/treewright/treewright/pkg/disk/gpt"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/units"
)

const mib = 1 << 20

// spec is a small host: a kernel, and files of size MiB each in root.
func spec(t testing.TB, files int, size int64) disk.Spec {
	t.Helper()
	s := disk.Spec{Seed: [32]byte{1, 2, 3}, Time: 1700000000, Root: filetree.NewDir(0o755), Boot: filetree.NewDir(0o755), ESP: filetree.NewDir(0o755)}
	put := func(root *filetree.Node, name string, size int64) {
		n := &filetree.Node{Kind: filetree.File, Mode: 0o644, Size: size, From: pattern(size)}
		if err := root.Put(name, n); err != nil {
			t.Fatal(err)
		}
	}
	for i := range files {
		put(s.Root, fmt.Sprintf("ostree/repo/objects/%02x/%d.file", i%256, i), size)
	}
	put(s.Boot, "ostree/os-1/vmlinuz", 3*mib)
	put(s.ESP, "EFI/BOOT/BOOTX64.EFI", 1*mib)
	return s
}

// pattern is that many bytes.
type pattern int64

func (p pattern) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.LimitReader(repeat{}, int64(p))), nil
}

type repeat struct{}

func (repeat) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

// write puts the planned disk into a sparse file.
func write(t testing.TB, d *disk.Disk) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "disk.raw"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(d.Size), d.Segments.WriteSparse(t.Context(), f, d.Size), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// partition copies a partition, numbered from 1, into a file of its own.
func partition(t testing.TB, image io.ReaderAt, d *disk.Disk, number int) string {
	t.Helper()
	p := d.Table.Partitions[number-1]
	b := make([]byte, (p.Last-p.First+1)*512)
	if _, err := image.ReadAt(b, int64(p.First*512)); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), p.Name)
	if err := os.WriteFile(out, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTools asks the tools of each format about whole disks, of sizes at the edges of
// sectors and MiB.
func TestTools(t *testing.T) {
	sgdisk, e2fsck, fsck, dumpe2fs := fixture.Tool(t, "sgdisk"), fixture.Tool(t, "e2fsck"), fixture.Tool(t, "fsck.fat"), fixture.Tool(t, "dumpe2fs")
	for _, size := range []int64{0, 700 * mib, 700*mib + 512*3 + 11, 5<<30 - 512} {
		s := spec(t, 20, mib)
		s.Size = size
		d, err := disk.New(s)
		if err != nil {
			t.Fatal(err)
		}
		if d.Size%512 != 0 || size != 0 && d.Size != size/512*512 {
			t.Errorf("size is %d, asked for %d", d.Size, size)
		}
		image := write(t, d)
		if out, err := exec.Command(sgdisk, "-v", image).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("No problems found")) {
			t.Errorf("sgdisk -v: %v\n%s", err, out)
		}
		f, err := os.Open(image)
		if err != nil {
			t.Fatal(err)
		}
		if table, err := gpt.Read(f, d.Size); err != nil || !reflect.DeepEqual(table, d.Table) {
			t.Errorf("table read back is %+v, %v", table, err)
		}
		if out, err := exec.Command(fsck, "-n", partition(t, f, d, 2)).CombinedOutput(); err != nil {
			t.Errorf("fsck.fat: %v\n%s", err, out)
		}
		f.Close()
		for number, id := range map[int]disk.ID{3: disk.BootID(s.Seed), 4: disk.RootID(s.Seed)} {
			p := fmt.Sprintf("%s?offset=%d", image, d.Table.Partitions[number-1].First*512)
			if out, err := exec.Command(e2fsck, "-fn", p).CombinedOutput(); err != nil {
				t.Errorf("e2fsck of partition %d: %v\n%s", number, err, out)
			}
			out, err := exec.Command(dumpe2fs, "-h", p).Output()
			if err != nil || !bytes.Contains(out, []byte(id.String())) {
				t.Errorf("partition %d has not the UUID %s: %v", number, id, err)
			}
		}
	}
}

var needs = regexp.MustCompile(`^disk of .* is too small: needs at least ([0-9.]+ [MG]iB)$`)

// TestTooSmall follows the error's advice, which must do and not be wasteful.
func TestTooSmall(t *testing.T) {
	for _, files := range []int{1, 30, 100, 700, 5000} {
		s := spec(t, files, mib)
		s.Size = 300 * mib
		_, err := disk.New(s)
		if !errors.Is(err, disk.ErrTooSmall) || !needs.MatchString(err.Error()) {
			t.Fatalf("%d files of 1 MiB on 300 MiB: %v", files, err)
		}
		advice, err := units.Parse(needs.FindStringSubmatch(err.Error())[1])
		if err != nil {
			t.Fatal(err)
		}
		s.Size = int64(advice)
		if _, err := disk.New(s); err != nil {
			t.Errorf("%d files: the advice is %s: %v", files, advice, err)
		}
		if least := units.Bytes(511+files) * units.MiB; advice < least || advice > least*5/4+100*units.MiB {
			t.Errorf("%d files: the advice is %s", files, advice)
		}
		s.Size = int64(advice - max(advice/10, 100*units.MiB))
		if _, err := disk.New(s); !errors.Is(err, disk.ErrTooSmall) {
			t.Errorf("%d files: %s are enough, %s was asked for", files, units.Bytes(s.Size), advice)
		}
	}
}

func TestPartTooSmall(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*disk.Spec)
		want   string
	}{
		"ESP": {func(s *disk.Spec) { s.ESPSize = 20 * mib }, "EFI system partition of 20 MiB is too small: needs at least 34 MiB"},
		"ESP content": {func(s *disk.Spec) {
			s.ESP.Put("big", &filetree.Node{Size: 200 * mib, Kind: filetree.File, From: pattern(200 * mib)})
		}, "too small"},
		"boot": {func(s *disk.Spec) { s.BootSize = 10 * mib }, "boot partition of 10 MiB is too small: needs at least "},
	} {
		s := spec(t, 1, 1)
		tc.change(&s)
		if _, err := disk.New(s); !errors.Is(err, disk.ErrTooSmall) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := spec(t, 1, 1)
	s.Core = make([]byte, mib+1)
	if _, err := disk.New(s); err == nil {
		t.Error("a core image larger than its partition was taken")
	}
}

func TestSizes(t *testing.T) {
	s := spec(t, 1, 1)
	s.Size, s.ESPSize, s.BootSize = 2<<30, 512*mib, 1<<30
	d, err := disk.New(s)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range d.Table.Partitions {
		got = append(got, fmt.Sprintf("%s %d+%d", p.Name, p.First/2048, (p.Last+1-p.First)/2048))
	}
	if want := "BIOS-BOOT 1+1, EFI-SYSTEM 2+512, boot 514+1024, root 1538+509"; strings.Join(got, ", ") != want {
		t.Errorf("partitions in MiB are %s, want %s", strings.Join(got, ", "), want)
	}
	s.RootType = gpt.TypeRootARM
	if d, err = disk.New(s); err != nil || d.Table.Partitions[0].Type != gpt.TypeReserved || d.Table.Partitions[3].Type != gpt.TypeRootARM {
		t.Errorf("on ARM partitions are %+v, %v", d.Table.Partitions, err)
	}
}

// TestDeterministic has the same bytes from the same inputs, and other identifiers
// from another seed.
func TestDeterministic(t *testing.T) {
	sum := func(seed byte) [32]byte {
		s := spec(t, 300, 5000)
		s.Seed[0] = seed
		d, err := disk.New(s)
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		err = d.Segments.Chunks(t.Context(), d.Size, mib, func(i int64, b []byte) error {
			fmt.Fprintln(h, i)
			_, err := h.Write(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return [32]byte(h.Sum(nil))
	}
	if sum(1) != sum(1) {
		t.Error("two plans differ")
	}
	if sum(1) == sum(2) {
		t.Error("the seed changes nothing")
	}
	if id := disk.RootID([32]byte{1}).String(); !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("UUID %s is not of version 4", id)
	}
}

func BenchmarkNew(b *testing.B) {
	s := spec(b, 40000, 20000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := disk.New(s); err != nil {
			b.Fatal(err)
		}
	}
}
