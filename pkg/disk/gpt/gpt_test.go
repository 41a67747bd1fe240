package gpt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/treewright/treewright/pkg/disk/gpt"
	"github.com/treewright/treewright/pkg/fixture"
)

func guid(t testing.TB, s string) gpt.GUID {
	t.Helper()
	g, err := gpt.ParseGUID(s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// vector is a table whose checksums are known from sgdisk.
func vector(t testing.TB) *gpt.Table {
	id := func(n string) gpt.GUID { return guid(t, "00000000-0000-4000-A000-0000000000"+n) }
	return &gpt.Table{Disk: id("01"), Sectors: 2101248, Partitions: []gpt.Partition{
		{Type: gpt.TypeBIOSBoot, GUID: id("10"), First: 2048, Last: 4095, Attributes: gpt.AttrLegacyBootable, Name: "BIOS-BOOT"},
		{Type: gpt.TypeESP, GUID: id("11"), First: 4096, Last: 264191, Name: "EFI-SYSTEM"},
		{Type: gpt.TypeXBootLdr, GUID: id("12"), First: 264192, Last: 1050623, Name: "boot"},
		{Type: gpt.TypeRootX86, GUID: id("13"), First: 1050624, Last: 2099199, Name: "root"},
	}}
}

func start(t testing.TB, table *gpt.Table) []byte {
	t.Helper()
	list, err := table.Segments(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, list[0].Length)
	rc, err := list[0].From.Open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rc.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVector(t *testing.T) {
	b := start(t, vector(t))
	if got := binary.LittleEndian.Uint32(b[512+88:]); got != 0x626b115b {
		t.Errorf("checksum of the entries = %08x, want 626b115b", got)
	}
	if got := binary.LittleEndian.Uint32(b[512+16:]); got != 0x3ab2dc59 {
		t.Errorf("checksum of the header = %08x, want 3ab2dc59", got)
	}
	table, err := gpt.Parse(b)
	if err != nil || !reflect.DeepEqual(table, vector(t)) {
		t.Errorf("Parse = %+v, %v", table, err)
	}
}

// disk writes the table into a sparse file.
func disk(t testing.TB, table *gpt.Table, boot []byte) *os.File {
	t.Helper()
	list, err := table.Segments(boot)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	size := int64(table.Sectors) * gpt.SectorSize
	if err := errors.Join(f.Truncate(size), list.WriteSparse(t.Context(), f, size)); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestSgdisk asks sgdisk about tables of several sizes: the smallest, one that is no
// whole number of MiB, and one past what the protective MBR can tell.
func TestSgdisk(t *testing.T) {
	tool := fixture.Tool(t, "sgdisk")
	for _, sectors := range []uint64{2101248, 2101248 + 7, 68, 1<<32 + 100000} {
		table := vector(t)
		table.Sectors = sectors
		if sectors == 68 {
			table.Partitions = nil
		}
		f := disk(t, table, []byte{0xeb, 0x63})
		out, err := exec.Command(tool, "-v", f.Name()).CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("No problems found")) {
			t.Errorf("sgdisk -v of %d sectors: %v\n%s", sectors, err, out)
		}
		got, err := gpt.Read(f, int64(sectors)*gpt.SectorSize)
		if err != nil || !reflect.DeepEqual(got, table) {
			t.Errorf("Read of %d sectors = %+v, %v", sectors, got, err)
		}
	}
}

// TestReadSgdisk reads a disk that sgdisk wrote just now.
func TestReadSgdisk(t *testing.T) {
	tool := fixture.Tool(t, "sgdisk")
	const size = 16 << 20
	name := filepath.Join(t.TempDir(), "disk")
	if err := errors.Join(os.WriteFile(name, nil, 0o600), os.Truncate(name, size)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "-n", "3:4096:8191", "-t", "3:EF00", "-c", "3:here", "-n", "1:2048:4095", name).CombinedOutput(); err != nil {
		t.Fatalf("sgdisk: %v\n%s", err, out)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := gpt.Read(f, size)
	if err != nil {
		t.Fatal(err)
	}
	p := table.Partitions
	if len(p) != 3 || p[2].Type != gpt.TypeESP || p[2].First != 4096 || p[2].Last != 8191 || p[2].Name != "here" || p[1] != (gpt.Partition{}) || p[0].First != 2048 {
		t.Errorf("partitions are %+v", p)
	}
}

// TestParseFiles has what `sgdisk -i` and `sfdisk -J` tell of the files.
func TestParseFiles(t *testing.T) {
	id := func(n string) gpt.GUID { return guid(t, "00000000-0000-4000-A000-0000000000"+n) }
	for name, want := range map[string]*gpt.Table{
		"sgdisk.gpt": {Disk: id("01"), Sectors: 16384, Partitions: []gpt.Partition{
			{Type: gpt.TypeBIOSBoot, GUID: id("10"), First: 2048, Last: 4095, Attributes: gpt.AttrLegacyBootable, Name: "BIOS-BOOT"},
			{Type: gpt.TypeESP, GUID: id("11"), First: 4096, Last: 6143},
			{},
			{Type: gpt.TypeRootX86, GUID: id("13"), First: 6144, Last: 16350, Name: "kořen"},
		}},
		"sfdisk.gpt": {Disk: id("02"), Sectors: 16384, Partitions: []gpt.Partition{
			{Type: gpt.TypeBIOSBoot, GUID: id("20"), First: 2048, Last: 4095, Name: "a"},
			{Type: gpt.TypeLinux, GUID: id("21"), First: 8192, Last: 14335, Attributes: gpt.AttrGrowFileSystem, Name: "b"},
			{Type: gpt.TypeESP, GUID: id("22"), First: 4096, Last: 6143},
		}},
	} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := gpt.Parse(b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", name, got, err, want)
		}
	}
}

// TestReadDamage flips a byte in each part of a disk.
func TestReadDamage(t *testing.T) {
	table := vector(t)
	size := int64(table.Sectors) * gpt.SectorSize
	for name, at := range map[string]int64{
		"type in the MBR": 450, "length in the MBR": 460, "second MBR partition": 466, "header": 512 + 24, "entries": 1024 + 40,
		"second entries": size - 33*512 + 40, "second header": size - 512 + 24, "second header's checksum": size - 512 + 16,
	} {
		f := disk(t, table, nil)
		b := make([]byte, 1)
		if _, err := f.ReadAt(b, at); err != nil {
			t.Fatal(err)
		}
		b[0] ^= 1
		if _, err := f.WriteAt(b, at); err != nil {
			t.Fatal(err)
		}
		if _, err := gpt.Read(f, size); !errors.Is(err, gpt.ErrMalformed) {
			t.Errorf("%s damaged: %v, want ErrMalformed", name, err)
		}
	}
	f := disk(t, table, nil)
	if err := f.Truncate(size + 1<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := gpt.Read(f, size+1<<20); !errors.Is(err, gpt.ErrMalformed) {
		t.Errorf("a disk that has grown: %v, want ErrMalformed", err)
	}
}

func TestRefused(t *testing.T) {
	for name, change := range map[string]func(*gpt.Table){
		"overlap": func(x *gpt.Table) { x.Partitions[1].First = 4000 },
		"overlap, swap": func(x *gpt.Table) {
			x.Partitions[0], x.Partitions[1] = x.Partitions[1], x.Partitions[0]
			x.Partitions[0].First = 4000
		},
		"backwards":      func(x *gpt.Table) { x.Partitions[0].Last = 1 },
		"in the entries": func(x *gpt.Table) { x.Partitions[0].First = 33 },
		"past the end":   func(x *gpt.Table) { x.Partitions[3].Last = x.Sectors - 1 },
		"long name":      func(x *gpt.Table) { x.Partitions[0].Name = "a name of more than thirty-six characters" },
		"NUL in a name":  func(x *gpt.Table) { x.Partitions[0].Name = "a\x00b" },
		"same GUID":      func(x *gpt.Table) { x.Partitions[0].GUID = x.Partitions[1].GUID },
		"no GUID":        func(x *gpt.Table) { x.Partitions[0].GUID = gpt.GUID{} },
		"no type":        func(x *gpt.Table) { x.Partitions[0].Type = gpt.GUID{} },
		"too many":       func(x *gpt.Table) { x.Partitions = make([]gpt.Partition, 129) },
		"no room":        func(x *gpt.Table) { x.Sectors = 60 },
	} {
		table := vector(t)
		change(table)
		if _, err := table.Segments(nil); !errors.Is(err, gpt.ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
	if _, err := vector(t).Segments(make([]byte, 441)); !errors.Is(err, gpt.ErrMalformed) {
		t.Error("boot code of 441 bytes was taken")
	}
}

func TestParseGUID(t *testing.T) {
	const text = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
	if g := guid(t, text); g != gpt.TypeESP || g.String() != text {
		t.Errorf("ParseGUID(%s) = %s", text, g)
	}
	for _, s := range []string{"", "c12a7328f81f11d2ba4b00a0c93ec93b", "c12a7328-f81f-11d2-ba4b-00a0c93ec93", "c12a7328-f81f-11d2-ba4b00a0c93ec93b-", "x12a7328-f81f-11d2-ba4b-00a0c93ec93b"} {
		if g, err := gpt.ParseGUID(s); !errors.Is(err, gpt.ErrMalformed) {
			t.Errorf("ParseGUID(%q) = %s, %v", s, g, err)
		}
	}
}

// FuzzParse varies the sectors from the header on; what an input lacks is zero.
func FuzzParse(f *testing.F) {
	seeds, _ := filepath.Glob("testdata/*.gpt")
	if len(seeds) < 2 {
		f.Fatal("no seeds in testdata")
	}
	for _, name := range seeds {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.TrimRight(b[512:], "\x00"))
	}
	f.Add(bytes.TrimRight(start(f, vector(f))[512:], "\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		b := make([]byte, 34*512)
		copy(b[512:], in)
		seal(b)
		table, err := gpt.Parse(b)
		if err != nil {
			if table != nil || !errors.Is(err, gpt.ErrMalformed) {
				t.Fatalf("Parse = %v, %v", table, err)
			}
			return
		}
		again, err := gpt.Parse(start(t, table))
		if err != nil || !reflect.DeepEqual(again, table) {
			t.Fatalf("written and read again: %+v, %v\nwant %+v", again, err, table)
		}
	})
}

// seal makes the checksums right, which no fuzzer would.
func seal(b []byte) {
	le := binary.LittleEndian
	le.PutUint32(b[512+88:], crc32.ChecksumIEEE(b[1024:34*512]))
	le.PutUint32(b[512+16:], 0)
	le.PutUint32(b[512+16:], crc32.ChecksumIEEE(b[512:512+92]))
}
