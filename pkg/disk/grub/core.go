package grub

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"

	"github.com/treewright/treewright/pkg/compress"
)

const (
	sector      = 512
	kernelStart = 0x9000
	maxPayload  = 64 << 20
	lzmaHeader  = 13
	maxCore     = 0x78000 // what fits below the BIOS's own data in memory
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
		body, err := Module(read, m)
		if err != nil {
			return nil, err
		}
		add(typeModule, body)
	}
	add(typeConfig, append([]byte(o.Config), 0))
	add(typePrefix, append([]byte(o.Prefix), 0))
	head := append([]byte(listMagic), 12, 0, 0, 0)
	head = binary.LittleEndian.AppendUint32(head, uint32(12+len(objects)))
	return append(head, objects...), nil
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
