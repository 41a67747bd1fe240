package grub

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// EFI is a GRUB for UEFI that is linked already, such as Debian's grubx64.efi.
type EFI struct {
	Prefix  string   // folder in which it looks for grub.cfg, e.g. "/EFI/debian"
	Config  string   // commands that it runs first; often empty
	Modules []string // that are in it
}

// Lacks lists the modules that must lie in GRUB's folder on a disk for e to be able
// to load a module: the module and what it needs, less what is in e; none when e has
// the module. read reads the folder that e was linked from.
func (e *EFI) Lacks(read ReadFile, module string) ([]string, error) {
	if slices.Contains(e.Modules, module) {
		return nil, nil
	}
	all, err := withDependencies(read, []string{module})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(m string) bool { return slices.Contains(e.Modules, m) }), nil
}

// ParseEFI reads what a linked GRUB for UEFI holds. b is the whole file, signed or
// not. Every error wraps [ErrUnsupported].
func ParseEFI(b []byte) (*EFI, error) {
	section, wide, err := peSection(b, "mods")
	if err != nil {
		return nil, err
	}
	list, err := moduleArea(section, wide)
	if err != nil {
		return nil, err
	}
	e := &EFI{}
	err = objects(list, func(kind uint32, data []byte) error {
		switch kind {
		case typeConfig:
			e.Config = cString(data)
		case typePrefix:
			e.Prefix = cString(data)
		case typeModule:
			name, err := moduleName(data)
			if err != nil {
				return err
			}
			e.Modules = append(e.Modules, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

func cString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

// Machines of PE whose addresses have 32 bits; all others that GRUB knows have 64.
const (
	peI386  = 0x14c
	peARM   = 0x1c0
	peThumb = 0x1c2
)

// peSection returns the bytes of a section of a PE executable.
func peSection(b []byte, name string) (section []byte, wide bool, err error) {
	le := binary.LittleEndian
	bad := func(what string) ([]byte, bool, error) {
		return nil, false, fmt.Errorf("EFI executable: %s: %w", what, ErrUnsupported)
	}
	if len(b) < 64 || string(b[:2]) != "MZ" {
		return bad("no MZ header")
	}
	at := uint64(le.Uint32(b[0x3c:]))
	if at+24 > uint64(len(b)) || string(b[at:at+4]) != "PE\x00\x00" {
		return bad("no PE header")
	}
	coff := b[at+4:]
	machine, count, optional := le.Uint16(coff), int(le.Uint16(coff[2:])), int(le.Uint16(coff[16:]))
	if len(coff) < 20+optional+40*count {
		return bad("section table is cut off")
	}
	for i := range count {
		h := coff[20+optional+40*i:]
		if cString(h[:8]) != name {
			continue
		}
		size, from := uint64(le.Uint32(h[16:])), uint64(le.Uint32(h[20:]))
		if from+size > uint64(len(b)) {
			return bad("section " + name + " is cut off")
		}
		wide = machine != peI386 && machine != peARM && machine != peThumb
		return b[from : from+size], wide, nil
	}
	return bad("no section " + name + ": not GRUB")
}

// moduleArea checks the header of a list of modules and returns its objects.
func moduleArea(b []byte, wide bool) ([]byte, error) {
	le := binary.LittleEndian
	var from, size uint64
	header := 12
	if wide {
		header = 24
	}
	if len(b) < header || string(b[:4]) != listMagic {
		return nil, fmt.Errorf("no list of modules: %w", ErrUnsupported)
	}
	if wide {
		from, size = le.Uint64(b[8:]), le.Uint64(b[16:])
	} else {
		from, size = uint64(le.Uint32(b[4:])), uint64(le.Uint32(b[8:]))
	}
	if from < uint64(header) || from > size || size > uint64(len(b)) {
		return nil, fmt.Errorf("list of modules from %d to %d, %d bytes are there: %w", from, size, len(b), ErrUnsupported)
	}
	return b[from:size], nil
}

// objects calls fn with each object of a list.
func objects(list []byte, fn func(kind uint32, data []byte) error) error {
	for len(list) > 0 {
		if len(list) < 8 {
			return fmt.Errorf("object of %d bytes: %w", len(list), ErrUnsupported)
		}
		size := uint64(binary.LittleEndian.Uint32(list[4:]))
		if size < 8 || size > uint64(len(list)) {
			return fmt.Errorf("object of %d bytes, %d are there: %w", size, len(list), ErrUnsupported)
		}
		if err := fn(binary.LittleEndian.Uint32(list), list[8:size]); err != nil {
			return err
		}
		list = list[size:]
	}
	return nil
}

// maxModuleName bounds a module's name, bytes.
const maxModuleName = 64

func moduleName(b []byte) (string, error) {
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return "", fmt.Errorf("module: %v: %w", err, ErrUnsupported)
	}
	s := f.Section(".modname")
	if s == nil || s.Type == elf.SHT_NOBITS || s.Size > maxModuleName {
		return "", fmt.Errorf("module without a name: %w", ErrUnsupported)
	}
	name, err := s.Data()
	if err != nil {
		return "", fmt.Errorf("module: %v: %w", err, ErrUnsupported)
	}
	return cString(name), nil
}
