package grub_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/disk/grub"
	"github.com/treewright/treewright/pkg/fixture"
)

// installed returns grub-mkimage and the folder of files for a platform that belongs
// to it. Another GRUB is tested with its bin first in PATH.
func installed(t testing.TB, platform string) (tool, dir string) {
	t.Helper()
	tool = fixture.Tool(t, "grub-mkimage")
	dir = filepath.Join(filepath.Dir(tool), "..", "lib", "grub", platform)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return tool, dir
}

func folder(dir string) grub.ReadFile {
	return func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) }
}

// mkimage runs grub-mkimage and returns what it links.
func mkimage(t *testing.T, tool, dir, config string, args ...string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "image")
	cfg := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(cfg, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"-d", dir, "-c", cfg, "-o", out, "-O", filepath.Base(dir)}, args...)
	if msg, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
		t.Fatalf("grub-mkimage %q: %v\n%s", args, err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCoreAsMkimage compares with grub-mkimage all that is not compressed, and what
// the compressed part comes to.
func TestCoreAsMkimage(t *testing.T) {
	tool, dir := installed(t, "i386-pc")
	read := folder(dir)
	modules := slices.Clone(grub.BIOSModules)
	const config = "search --label --set=root boot\nconfigfile /grub/grub.cfg\n"
	want := mkimage(t, tool, dir, config, append([]string{"-p", "/grub"}, modules...)...)
	got, err := grub.Core(read, grub.CoreOptions{Modules: modules, Config: config, Prefix: "/grub", Sector: 4711})
	if err != nil {
		t.Fatal(err)
	}
	if len(got)%512 != 0 || len(got) > len(want)*5/4 {
		t.Errorf("core image has %d bytes, grub-mkimage's %d", len(got), len(want))
	}
	if at := binary.LittleEndian.Uint64(got[0x1f4:]); at != 4712 {
		t.Errorf("second sector is %d, want 4712", at)
	}
	if n := int(binary.LittleEndian.Uint16(got[0x1fc:])); n != len(got)/512-1 {
		t.Errorf("%d sectors, want %d", n, len(got)/512-1)
	}
	loader, err := read("lzma_decompress.img")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][2]int{{0, 0x1f4}, {0x1fe, 512 + 8}, {512 + 12, 512 + len(loader)}} {
		if !bytes.Equal(got[part[0]:part[1]], want[part[0]:part[1]]) {
			t.Errorf("bytes %#x to %#x differ from grub-mkimage's", part[0], part[1])
		}
	}
	if !bytes.Equal(unpack(t, got, len(loader)), unpack(t, want, len(loader))) {
		t.Error("kernel and modules differ from grub-mkimage's")
	}
}

// unpack returns the compressed part of a core image, whose decompressor has loader
// bytes.
func unpack(t *testing.T, core []byte, loader int) []byte {
	t.Helper()
	le := binary.LittleEndian
	packed, size := le.Uint32(core[512+8:]), le.Uint32(core[512+12:])
	head := le.AppendUint64([]byte{0x5d, 0, 0, 1, 0}, uint64(size))
	r, err := compress.NewFormatReader(bytes.NewReader(append(head, core[512+loader:][:packed]...)), compress.LZMA)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil || len(b) != int(size) {
		t.Fatalf("%d bytes, want %d: %v", len(b), size, err)
	}
	return b
}

// TestDetectInstalled believes grub-mkimage about its version.
func TestDetectInstalled(t *testing.T) {
	for _, platform := range []string{"i386-pc", "x86_64-efi"} {
		tool, dir := installed(t, platform)
		out, err := exec.Command(tool, "--version").Output()
		if err != nil {
			t.Fatal(err)
		}
		info, err := grub.Detect(folder(dir))
		if err != nil {
			t.Fatal(err)
		}
		_, statErr := os.Stat(filepath.Join(dir, "blsuki.mod"))
		if info.Platform != platform || !strings.HasSuffix(strings.TrimSpace(string(out)), " "+info.Version) || (info.EntryModule == "blsuki") != (statErr == nil) {
			t.Errorf("Detect = %+v, grub-mkimage says %s", info, out)
		}
	}
}

func TestParseEFIOfMkimage(t *testing.T) {
	tool, dir := installed(t, "x86_64-efi")
	const config = "echo hello\n"
	b := mkimage(t, tool, dir, config, "-p", "/EFI/here", "part_gpt", "fat", "normal")
	e, err := grub.ParseEFI(b)
	if err != nil {
		t.Fatal(err)
	}
	if e.Prefix != "/EFI/here" || e.Config != config || !slices.Contains(e.Modules, "normal") || !slices.Contains(e.Modules, "fat") {
		t.Errorf("ParseEFI = %+v", e)
	}
	// What it lacks for linux is what grub-mkimage would add.
	lacks, err := e.Lacks(folder(dir), "linux")
	if err != nil {
		t.Fatal(err)
	}
	more, err := grub.ParseEFI(mkimage(t, tool, dir, config, "-p", "/", "part_gpt", "fat", "normal", "linux"))
	if err != nil || !slices.Equal(append(slices.Clone(e.Modules), lacks...), more.Modules) {
		t.Errorf("linux lacks %q, all are %q (%v)", lacks, more.Modules, err)
	}
	if l, err := more.Lacks(folder(dir), "linux"); err != nil || len(l) != 0 {
		t.Errorf("an image with linux lacks %q for it (%v)", l, err)
	}
}

// TestParseEFIOfDebian reads the image that Debian ships linked.
func TestParseEFIOfDebian(t *testing.T) {
	_, dir := installed(t, "x86_64-efi")
	b, err := os.ReadFile(filepath.Join(dir, "monolithic", "grubx64.efi"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this GRUB has no monolithic/grubx64.efi")
	}
	if err != nil {
		t.Fatal(err)
	}
	e, err := grub.ParseEFI(b)
	if err != nil || e.Prefix != "/EFI/debian" || !slices.Contains(e.Modules, "configfile") || len(e.Modules) < 100 {
		t.Errorf("ParseEFI = %+v, %v", e, err)
	}
}

// elf32 is an ELF object with one section of type PROGBITS, loaded at addr.
func elf32(name string, addr uint32, data []byte) []byte {
	names := "\x00" + name + "\x00.shstrtab\x00"
	head := append([]byte("\x7fELF\x01\x01\x01"), make([]byte, 9)...)
	le := binary.LittleEndian
	for _, v := range []uint16{1, 3} {
		head = le.AppendUint16(head, v)
	}
	body := append(slices.Clone(data), names...)
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	for _, v := range []uint32{1, 0, 0, uint32(52 + len(body)), 0} {
		head = le.AppendUint32(head, v)
	}
	for _, v := range []uint16{52, 0, 0, 40, 3, 2} {
		head = le.AppendUint16(head, v)
	}
	out := append(append(head, body...), make([]byte, 40)...)
	for _, s := range [][10]uint32{
		{1, 1, 6, addr, 52, uint32(len(data)), 0, 0, 4, 0},
		{uint32(len(name) + 2), 3, 0, 0, uint32(52 + len(data)), uint32(len(names)), 0, 0, 1, 0},
	} {
		for _, v := range s {
			out = le.AppendUint32(out, v)
		}
	}
	return out
}

// tiny is a GRUB folder with made-up content.
func tiny() fstest.MapFS {
	file := func(b []byte) *fstest.MapFile { return &fstest.MapFile{Data: b} }
	text := func(s string) *fstest.MapFile { return file([]byte(s)) }
	return fstest.MapFS{
		"boot.img": file(bytes.Repeat([]byte{1}, 512)), "diskboot.img": file(bytes.Repeat([]byte{2}, 512)),
		"lzma_decompress.img": file(bytes.Repeat([]byte{3}, 100)), "kernel.img": file(elf32(".text", 0x9010, []byte("kernel"))),
		"moddep.lst": text("a: c b\nb: c\nc:\nloop: knot\nknot: loop\nblscfg: a\n"),
		"a.mod":      file(elf32(".modname", 0, []byte("a\x00"))), "b.mod": file(elf32(".modname", 0, []byte("b\x00"))), "c.mod": file(elf32(".modname", 0, []byte("c\x00"))),
		"modinfo.sh": text("#!/bin/sh\ngrub_modinfo_target_cpu=i386\ngrub_modinfo_platform=pc\ngrub_version=\"2.12\"\n"),
	}
}

func readFS(f fs.FS) grub.ReadFile {
	return func(name string) ([]byte, error) { return fs.ReadFile(f, name) }
}

func TestCore(t *testing.T) {
	core, err := grub.Core(readFS(tiny()), grub.CoreOptions{Modules: []string{"a"}, Config: "x", Prefix: "/grub"})
	if err != nil {
		t.Fatal(err)
	}
	got := unpack(t, core, 100)
	if want := append(make([]byte, 16), "kernel"...); !bytes.HasPrefix(got, want) {
		t.Errorf("payload begins %q, want %q", got[:24], want)
	}
	var order []string
	for _, m := range []string{"a", "b", "c"} {
		order = append(order, fmt.Sprintf("%08d %s", bytes.Index(got, elf32(".modname", 0, []byte(m+"\x00"))), m))
	}
	slices.Sort(order)
	if s := strings.Join(order, " "); !strings.HasSuffix(order[0], "c") || !strings.HasSuffix(order[1], "b") || strings.Contains(s, "-") {
		t.Errorf("order of modules is %q, want c, b, a", order)
	}
}

func TestCoreRefused(t *testing.T) {
	noise := make([]byte, 1<<20)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	for name, tc := range map[string]struct {
		change func(fstest.MapFS)
		module string
		want   error
	}{
		"a module that is not there": {func(fstest.MapFS) {}, "d", grub.ErrUnsupported},
		"a missing file":             {func(f fstest.MapFS) { delete(f, "b.mod") }, "a", fs.ErrNotExist},
		"modules in a ring":          {func(fstest.MapFS) {}, "loop", grub.ErrUnsupported},
		"kernel is no ELF":           {func(f fstest.MapFS) { f["kernel.img"].Data = []byte("#!") }, "a", grub.ErrUnsupported},
		"kernel too low":             {func(f fstest.MapFS) { f["kernel.img"].Data = elf32(".text", 0x8000, []byte("x")) }, "a", grub.ErrUnsupported},
		"kernel too high":            {func(f fstest.MapFS) { f["kernel.img"].Data = elf32(".text", 0xf0000000, []byte("x")) }, "a", grub.ErrUnsupported},
		"short diskboot.img":         {func(f fstest.MapFS) { f["diskboot.img"].Data = nil }, "a", grub.ErrUnsupported},
		"short decompressor":         {func(f fstest.MapFS) { f["lzma_decompress.img"].Data = nil }, "a", grub.ErrUnsupported},
		"too large":                  {func(f fstest.MapFS) { f["a.mod"].Data = noise }, "a", grub.ErrUnsupported},
	} {
		f := tiny()
		tc.change(f)
		if _, err := grub.Core(readFS(f), grub.CoreOptions{Modules: []string{tc.module}}); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

// TestModule mends blsuki and nothing else. That it helps is for the boot tests of
// package disk.
func TestModule(t *testing.T) {
	const text = "a\x00linux\x00buffer of linux \x00"
	for in, want := range map[string]string{
		text + "\x00linux \x00b": text + "\x00krnl \x00\x00b",
		text:                     text,
		"\x00linux \x00" + text + "\x00linux \x00": "\x00linux \x00" + text + "\x00linux \x00",
	} {
		f := tiny()
		for _, name := range []string{"blsuki.mod", "blscfg.mod"} {
			f[name] = &fstest.MapFile{Data: []byte(in)}
		}
		if got, err := grub.Module(readFS(f), "blsuki"); err != nil || string(got) != want {
			t.Errorf("blsuki of %q is %q, %v", in, got, err)
		}
		if got, err := grub.Module(readFS(f), "blscfg"); err != nil || string(got) != in {
			t.Errorf("blscfg of %q is %q, %v", in, got, err)
		}
	}
	if _, err := grub.Module(readFS(tiny()), "blsuki"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no blsuki: %v", err)
	}
}

func TestBootCode(t *testing.T) {
	b, err := grub.BootCode(readFS(tiny()), 0x123456789a)
	if err != nil || len(b) != 440 || binary.LittleEndian.Uint64(b[0x5c:]) != 0x123456789a || b[0x66] != 0x90 || b[0x67] != 0x90 || b[0x64] != 1 {
		t.Errorf("BootCode = %x, %v", b, err)
	}
}

func TestDetect(t *testing.T) {
	f := tiny()
	info, err := grub.Detect(readFS(f))
	if want := (grub.Info{Platform: "i386-pc", Version: "2.12", EntryModule: "blscfg"}); err != nil || *info != want {
		t.Errorf("Detect = %+v, %v, want %+v", info, err, want)
	}
	delete(f, "modinfo.sh")
	if _, err := grub.Detect(readFS(f)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Detect of no GRUB: %v", err)
	}
	f["modinfo.sh"] = &fstest.MapFile{Data: []byte("x")}
	if _, err := grub.Detect(readFS(f)); !errors.Is(err, grub.ErrUnsupported) {
		t.Errorf("Detect of another modinfo.sh: %v", err)
	}
}

// tinyEFI is a PE executable with nothing but a list of modules.
func tinyEFI(wide bool) []byte {
	le := binary.LittleEndian
	var list []byte
	for _, o := range []struct {
		kind uint32
		data []byte
	}{{0, elf32(".modname", 0, []byte("normal\x00"))}, {2, []byte("echo\n\x00\x00\x00")}, {3, []byte("/EFI/os\x00")}} {
		list = le.AppendUint32(list, o.kind)
		list = le.AppendUint32(list, uint32(8+len(o.data)))
		list = append(list, o.data...)
	}
	area := []byte("mimg")
	machine := uint16(0x14c)
	if wide {
		machine = 0x8664
		area = le.AppendUint64(append(area, 0, 0, 0, 0), 24)
		area = le.AppendUint64(area, uint64(24+len(list)))
	} else {
		area = le.AppendUint32(area, 12)
		area = le.AppendUint32(area, uint32(12+len(list)))
	}
	area = append(area, list...)
	b := append([]byte("MZ"), make([]byte, 62)...)
	b[0x3c] = 64
	b = append(b, "PE\x00\x00"...)
	b = le.AppendUint16(b, machine)
	b = append(le.AppendUint16(b, 1), make([]byte, 16)...)
	section := make([]byte, 40)
	copy(section, "mods")
	le.PutUint32(section[16:], uint32(len(area)))
	le.PutUint32(section[20:], uint32(len(b)+40))
	return append(append(b, section...), area...)
}

func TestParseEFI(t *testing.T) {
	for _, wide := range []bool{false, true} {
		whole := tinyEFI(wide)
		e, err := grub.ParseEFI(whole)
		if err != nil || e.Prefix != "/EFI/os" || e.Config != "echo\n" || !slices.Equal(e.Modules, []string{"normal"}) {
			t.Errorf("ParseEFI = %+v, %v", e, err)
		}
		for n := range whole {
			if e, err := grub.ParseEFI(whole[:n]); e != nil || !errors.Is(err, grub.ErrUnsupported) {
				t.Fatalf("the first %d bytes: %+v, %v", n, e, err)
			}
		}
	}
}

func FuzzParseEFI(f *testing.F) {
	f.Add(tinyEFI(false))
	f.Add(tinyEFI(true))
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := grub.ParseEFI(in)
		if err != nil {
			if e != nil || !errors.Is(err, grub.ErrUnsupported) {
				t.Fatalf("ParseEFI = %+v, %v", e, err)
			}
			return
		}
		if len(e.Prefix)+len(e.Config)+len(strings.Join(e.Modules, "")) > len(in) {
			t.Fatalf("more came out of %d bytes than is in: %+v", len(in), e)
		}
	})
}
