// Package grub puts GRUB on a disk from the files of its packages: for BIOS it links
// a core image together, as grub-mkimage would; for UEFI it places a ready one. No
// program of GRUB is run.
//
// # Format
//
// The BIOS core image is diskboot.img (one sector, which loads the rest),
// lzma_decompress.img, and compressed with raw LZMA: the kernel's sections, laid out
// from address 0x9000 on, and behind them a list of modules,
//
//	"mimg", uint32 12, uint32 size of the list
//	objects: uint32 type, uint32 size with these 8 bytes, data padded to 4
//
// of type 0 (a module's file), 2 (a configuration to run first) and 3 (the prefix).
// boot.img, 440 bytes of boot code for sector 0, has the core image's first sector at
// byte 0x5c; diskboot.img has the sector behind its own at 0x1f4, the number of
// sectors at 0x1fc and the segment 0x820 at 0x1fe. All numbers are little-endian.
//
// Source: GRUB 2.06 and 2.14 as observed; see docs/FORMATS.md.
package grub

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/compress"
)

// ErrUnsupported is wrapped when the files are not of a GRUB that can be used.
var ErrUnsupported = errors.New("not a GRUB that can be used")

// ReadFile returns a file of GRUB's folder for one platform, such as
// /usr/lib/grub/i386-pc.
type ReadFile func(name string) ([]byte, error)

// BIOSModules are the modules of the core image, besides what they need.
var BIOSModules = []string{
	"biosdisk", "part_gpt", "part_msdos", "ext2", "fat", "search", "search_label", "search_fs_uuid", "normal", "configfile",
	"linux", "serial", "terminal", "echo", "test", "loadenv", "ls", "cat", "help", "minicmd", "reboot", "halt", "regexp",
	"probe", "true", "sleep",
}

// BootEntryModules are the modules, of which a GRUB has one or none, that read boot
// entries (the command blscfg).
var BootEntryModules = []string{"blsuki", "blscfg"}

const (
	sector      = 512
	kernelStart = 0x9000
	maxPayload  = 64 << 20
	lzmaHeader  = 13
	maxCore     = 0x78000
	typeModule  = 0
	typeConfig  = 2
	typePrefix  = 3
	loadSegment = 0x820
)

// CoreOptions tells what the core image holds.
type CoreOptions struct {
	Modules []string // besides what they need
	Config  string   // commands that run first
	Prefix  string   // e.g. "/grub"
	Sector  int64    // of the disk, where the image will be
}

// Core links the core image for BIOS. It is a whole number of sectors.
func Core(read ReadFile, o CoreOptions) ([]byte, error) {
	payload, err := kernel(read)
	if err != nil {
		return nil, err
	}
	list, err := moduleList(read, o)
	if err != nil {
		return nil, err
	}
	payload = append(payload, list...)
	packed, err := pack(payload)
	if err != nil {
		return nil, err
	}
	loader, err := read("lzma_decompress.img")
	if err != nil {
		return nil, err
	}
	first, err := read("diskboot.img")
	if err != nil {
		return nil, err
	}
	if len(loader) < 16 || len(first) != sector {
		return nil, fmt.Errorf("lzma_decompress.img of %d bytes, diskboot.img of %d: %w", len(loader), len(first), ErrUnsupported)
	}
	le := binary.LittleEndian
	loader, first = bytes.Clone(loader), bytes.Clone(first)
	le.PutUint32(loader[8:], uint32(len(packed)))
	le.PutUint32(loader[12:], uint32(len(payload)))
	rest := append(loader, packed...)
	rest = append(rest, make([]byte, (sector-len(rest)%sector)%sector)...)
	le.PutUint64(first[0x1f4:], uint64(o.Sector+1))
	le.PutUint16(first[0x1fc:], uint16(len(rest)/sector))
	le.PutUint16(first[0x1fe:], loadSegment)
	if len(rest) > maxCore {
		return nil, fmt.Errorf("core image of %d bytes, at most %d can be loaded: %w", len(rest), maxCore, ErrUnsupported)
	}
	return append(first, rest...), nil
}

// kernel lays out the sections of kernel.img that are loaded.
func kernel(read ReadFile) ([]byte, error) {
	raw, err := read("kernel.img")
	if err != nil {
		return nil, err
	}
	f, err := elf.NewFile(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("kernel.img: %v: %w", err, ErrUnsupported)
	}
	var out []byte
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 || s.Type != elf.SHT_PROGBITS {
			continue
		}
		data, err := s.Data()
		if err != nil {
			return nil, fmt.Errorf("kernel.img: section %s: %v: %w", s.Name, err, ErrUnsupported)
		}
		at := int64(s.Addr) - kernelStart
		if at < 0 || at+int64(len(data)) > maxPayload {
			return nil, fmt.Errorf("kernel.img: section %s at %#x: %w", s.Name, s.Addr, ErrUnsupported)
		}
		if need := int(at) + len(data); need > len(out) {
			out = append(out, make([]byte, need-len(out))...)
		}
		copy(out[at:], data)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("kernel.img has nothing to load: %w", ErrUnsupported)
	}
	return append(out, make([]byte, (4-len(out)%4)%4)...), nil
}

// moduleList is what stands behind the kernel.
func moduleList(read ReadFile, o CoreOptions) ([]byte, error) {
	modules, err := withDependencies(read, o.Modules)
	if err != nil {
		return nil, err
	}
	var objects []byte
	add := func(kind uint32, data []byte) {
		data = append(bytes.Clone(data), make([]byte, (4-len(data)%4)%4)...)
		objects = binary.LittleEndian.AppendUint32(objects, kind)
		objects = binary.LittleEndian.AppendUint32(objects, uint32(8+len(data)))
		objects = append(objects, data...)
	}
	for _, m := range modules {
		body, err := read(m + ".mod")
		if err != nil {
			return nil, err
		}
		add(typeModule, body)
	}
	add(typeConfig, append([]byte(o.Config), 0))
	add(typePrefix, append([]byte(o.Prefix), 0))
	head := append([]byte("mimg"), 12, 0, 0, 0)
	head = binary.LittleEndian.AppendUint32(head, uint32(12+len(objects)))
	return append(head, objects...), nil
}

// withDependencies lists modules, each behind those that it needs.
func withDependencies(read ReadFile, names []string) ([]string, error) {
	raw, err := read("moddep.lst")
	if err != nil {
		return nil, err
	}
	needs := map[string][]string{}
	for l := range strings.Lines(string(raw)) {
		if name, deps, ok := strings.Cut(l, ":"); ok {
			needs[name] = strings.Fields(deps)
		}
	}
	var out []string
	var add func(name string, way []string) error
	add = func(name string, way []string) error {
		if slices.Contains(out, name) {
			return nil
		}
		if slices.Contains(way, name) || len(way) > 64 {
			return fmt.Errorf("moddep.lst: %s needs itself: %w", name, ErrUnsupported)
		}
		for _, d := range needs[name] {
			if err := add(d, append(way, name)); err != nil {
				return err
			}
		}
		out = append(out, name)
		return nil
	}
	for _, n := range names {
		if err := add(n, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// pack compresses as GRUB's decompressor wants it.
func pack(b []byte) ([]byte, error) {
	var out bytes.Buffer
	const dictionary = 1 << 16
	w, err := compress.NewLZMAWriter(&out, 3, 0, 2, dictionary, int64(len(b)))
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes()[lzmaHeader:], nil
}

const bootCode = 440

// BootCode is the code for sector 0 that loads the core image from a sector of the
// disk it was booted from.
func BootCode(read ReadFile, core int64) ([]byte, error) {
	raw, err := read("boot.img")
	if err != nil {
		return nil, err
	}
	if len(raw) != sector {
		return nil, fmt.Errorf("boot.img of %d bytes: %w", len(raw), ErrUnsupported)
	}
	out := bytes.Clone(raw[:bootCode])
	binary.LittleEndian.PutUint64(out[0x5c:], uint64(core))
	out[0x66], out[0x67] = 0x90, 0x90 // no floppy test, for BIOSes that pass a wrong drive
	return out, nil
}

// Find is the command that makes the file system with a UUID the root.
func Find(uuid string) string {
	return "search --no-floppy --fs-uuid --set=root " + uuid + "\nset prefix=($root)/grub\n"
}

// Config is the configuration that reads boot entries. module is the one that has
// blscfg; it is loaded when it is not there yet.
func Config(module string) string {
	return "# Boot entries are in /loader/entries; this file never changes.\n" +
		"serial --unit=0 --speed=115200\n" +
		"terminal_input serial console\nterminal_output serial console\n" +
		"set timeout=1\nset default=0\n" +
		"insmod " + module + "\nblscfg\n"
}

// EntryConfig is a configuration with one boot entry, for a GRUB that cannot read
// them. An upgrade of the host does not change it.
func EntryConfig(title, linux, initrd, options string) string {
	return "serial --unit=0 --speed=115200\nterminal_input serial console\nterminal_output serial console\nset timeout=1\n" +
		"menuentry " + quote(title) + " {\n  linux " + linux + " " + options + "\n  initrd " + initrd + "\n}\n"
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
