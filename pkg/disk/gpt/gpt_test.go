package gpt_test

import (
	"encoding/binary"
	"errors"
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

func TestSgdisk(t *testing.T) {
	table := vector(t)
	list, err := table.Segments([]byte{0xeb, 0x63})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := int64(table.Sectors) * gpt.SectorSize
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := list.WriteSparse(t.Context(), f, size); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(fixture.Tool(t, "sgdisk"), "-v", f.Name()).CombinedOutput()
	if err != nil || !contains(out, "No problems found") {
		t.Errorf("sgdisk -v: %v\n%s", err, out)
	}
}

func contains(b []byte, s string) bool {
	for i := range b {
		if len(b)-i >= len(s) && string(b[i:i+len(s)]) == s {
			return true
		}
	}
	return false
}

func TestRefused(t *testing.T) {
	for name, change := range map[string]func(*gpt.Table){
		"overlap":      func(x *gpt.Table) { x.Partitions[1].First = 4000 },
		"backwards":    func(x *gpt.Table) { x.Partitions[0].Last = 1 },
		"past the end": func(x *gpt.Table) { x.Partitions[3].Last = x.Sectors - 1 },
		"long name":    func(x *gpt.Table) { x.Partitions[0].Name = "a name of more than thirty-six characters" },
	} {
		table := vector(t)
		change(table)
		if _, err := table.Segments(nil); !errors.Is(err, gpt.ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(start(f, vector(f)))
	f.Fuzz(func(t *testing.T, in []byte) {
		table, err := gpt.Parse(in)
		if err != nil {
			if !errors.Is(err, gpt.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if _, err := table.Segments(nil); err != nil {
			t.Fatalf("a table that was read cannot be written: %v", err)
		}
	})
}
