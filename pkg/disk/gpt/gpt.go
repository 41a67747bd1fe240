// Package gpt writes GUID partition tables.
//
// # Format
//
// Sector 0 is a protective MBR: 440 bytes of boot code, one entry of type EE that
// covers the disk, 55 AA. Sector 1 is the header, sectors 2 to 33 are 128 entries of
// 128 bytes; a second copy of the entries and the header are the last 33 sectors.
// Header and entries have CRC-32 checksums. GUIDs are stored with their first three
// parts little-endian, as all numbers here.
//
// Source: UEFI specification 2.10, chapter 5; see docs/FORMATS.md.
package gpt

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"unicode/utf16"

	"github.com/treewright/treewright/pkg/segment"
)

// ErrMalformed is wrapped by errors of [Parse] and [Table.Segments].
var ErrMalformed = errors.New("partition table is malformed")

const (
	// SectorSize is the only one that is supported, in bytes.
	SectorSize = 512

	entryCount   = 128
	entrySize    = 128
	entrySectors = entryCount * entrySize / SectorSize
	headerSize   = 92
	bootCode     = 440
)

// GUID is a GUID in the order in which it is printed.
type GUID [16]byte

// ParseGUID reads xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx.
func ParseGUID(s string) (g GUID, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != len(g) || len(s) != 36 {
		return g, fmt.Errorf("GUID %q: %w", s, ErrMalformed)
	}
	return GUID(b), nil
}

func (g GUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", g[:4], g[4:6], g[6:8], g[8:10], g[10:])
}

// swap turns the printed order into the stored one, and back.
func (g GUID) swap() GUID {
	return GUID{g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]}
}

// Types of partition.
var (
	TypeBIOSBoot = GUID{0x21, 0x68, 0x61, 0x48, 0x64, 0x49, 0x6E, 0x6F, 0x74, 0x4E, 0x65, 0x65, 0x64, 0x45, 0x46, 0x49}
	TypeESP      = GUID{0xC1, 0x2A, 0x73, 0x28, 0xF8, 0x1F, 0x11, 0xD2, 0xBA, 0x4B, 0x00, 0xA0, 0xC9, 0x3E, 0xC9, 0x3B}
	TypeXBootLdr = GUID{0xBC, 0x13, 0xC2, 0xFF, 0x59, 0xE6, 0x42, 0x62, 0xA3, 0x52, 0xB2, 0x75, 0xFD, 0x6F, 0x71, 0x72}
	TypeRootX86  = GUID{0x4F, 0x68, 0xBC, 0xE3, 0xE8, 0xCD, 0x4D, 0xB1, 0x96, 0xE7, 0xFB, 0xCA, 0xF9, 0x84, 0xB7, 0x09}
	TypeRootARM  = GUID{0xB9, 0x21, 0xB0, 0x45, 0x1D, 0xF0, 0x41, 0xC3, 0xAF, 0x44, 0x4C, 0x6F, 0x28, 0x0D, 0x3F, 0xAE}
	TypeLinux    = GUID{0x0F, 0xC6, 0x3D, 0xAF, 0x84, 0x83, 0x47, 0x72, 0x8E, 0x79, 0x3D, 0x69, 0xD8, 0x47, 0x7D, 0xE4}
)

// Attributes of a partition.
const (
	AttrRequired       = 1 << 0
	AttrLegacyBootable = 1 << 2
)

// Partition is an entry. First and Last are sectors, both in it.
type Partition struct {
	Type, GUID  GUID
	First, Last uint64
	Attributes  uint64
	Name        string // at most 36 UTF-16 units
}

// Table is a disk's partition table.
type Table struct {
	Disk       GUID
	Sectors    uint64 // of the disk
	Partitions []Partition
}

// FirstUsable and LastUsable bound where partitions may be.
func (t *Table) FirstUsable() uint64 { return 2 + entrySectors }

// LastUsable is the last sector that a partition may have.
func (t *Table) LastUsable() uint64 { return t.Sectors - entrySectors - 2 }

func (t *Table) check() error {
	if t.Sectors < 2*(2+entrySectors) || len(t.Partitions) > entryCount {
		return fmt.Errorf("%d sectors with %d partitions: %w", t.Sectors, len(t.Partitions), ErrMalformed)
	}
	end := t.FirstUsable()
	for i, p := range t.Partitions {
		if p.First < end || p.Last < p.First || p.Last > t.LastUsable() {
			return fmt.Errorf("partition %d: sectors %d to %d overlap or do not fit: %w", i+1, p.First, p.Last, ErrMalformed)
		}
		if len(utf16.Encode([]rune(p.Name))) > 36 {
			return fmt.Errorf("partition %d: name %q is too long: %w", i+1, p.Name, ErrMalformed)
		}
		end = p.Last + 1
	}
	return nil
}

// Segments are the table's bytes on the disk: at its start, with boot, at most 440
// bytes of boot code, and at its end.
func (t *Table) Segments(boot []byte) (segment.List, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if len(boot) > bootCode {
		return nil, fmt.Errorf("boot code of %d bytes, at most %d fit: %w", len(boot), bootCode, ErrMalformed)
	}
	entries := t.entries()
	start := append(t.mbr(boot), t.header(1, t.Sectors-1, 2, entries)...)
	start = append(start, entries...)
	last := t.Sectors - 1
	end := append(entries[:len(entries):len(entries)], t.header(last, 1, last-entrySectors, entries)...)
	return segment.List{
		{Offset: 0, Length: int64(len(start)), From: segment.Bytes(start)},
		{Offset: int64(last-entrySectors) * SectorSize, Length: int64(len(end)), From: segment.Bytes(end)},
	}, nil
}

func (t *Table) mbr(boot []byte) []byte {
	b := make([]byte, SectorSize)
	copy(b, boot)
	e := b[446:]
	copy(e, []byte{0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff})
	binary.LittleEndian.PutUint32(e[8:], 1)
	binary.LittleEndian.PutUint32(e[12:], uint32(min(t.Sectors-1, 0xffffffff)))
	b[510], b[511] = 0x55, 0xaa
	return b
}

func (t *Table) entries() []byte {
	out := make([]byte, entryCount*entrySize)
	le := binary.LittleEndian
	for i, p := range t.Partitions {
		e := out[i*entrySize:]
		typ, own := p.Type.swap(), p.GUID.swap()
		copy(e, typ[:])
		copy(e[16:], own[:])
		le.PutUint64(e[32:], p.First)
		le.PutUint64(e[40:], p.Last)
		le.PutUint64(e[48:], p.Attributes)
		for j, u := range utf16.Encode([]rune(p.Name)) {
			le.PutUint16(e[56+2*j:], u)
		}
	}
	return out
}

func (t *Table) header(own, other, at uint64, entries []byte) []byte {
	h := make([]byte, SectorSize)
	le := binary.LittleEndian
	copy(h, "EFI PART")
	le.PutUint32(h[8:], 0x10000)
	le.PutUint32(h[12:], headerSize)
	le.PutUint64(h[24:], own)
	le.PutUint64(h[32:], other)
	le.PutUint64(h[40:], t.FirstUsable())
	le.PutUint64(h[48:], t.LastUsable())
	disk := t.Disk.swap()
	copy(h[56:], disk[:])
	le.PutUint64(h[72:], at)
	le.PutUint32(h[80:], entryCount)
	le.PutUint32(h[84:], entrySize)
	le.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
	le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:headerSize]))
	return h
}

// Parse reads the table at the start of a disk: b is its first 34 sectors.
func Parse(b []byte) (*Table, error) {
	if len(b) < (2+entrySectors)*SectorSize {
		return nil, fmt.Errorf("%d bytes, want %d: %w", len(b), (2+entrySectors)*SectorSize, ErrMalformed)
	}
	h := b[SectorSize : 2*SectorSize]
	le := binary.LittleEndian
	if string(h[:8]) != "EFI PART" || le.Uint32(h[12:]) != headerSize {
		return nil, fmt.Errorf("header %q: %w", h[:8], ErrMalformed)
	}
	sum := append([]byte{}, h[:headerSize]...)
	clear(sum[16:20])
	if crc32.ChecksumIEEE(sum) != le.Uint32(h[16:]) {
		return nil, fmt.Errorf("header checksum: %w", ErrMalformed)
	}
	if le.Uint64(h[72:]) != 2 || le.Uint32(h[80:]) != entryCount || le.Uint32(h[84:]) != entrySize {
		return nil, fmt.Errorf("entries are not where they are always: %w", ErrMalformed)
	}
	entries := b[2*SectorSize : (2+entrySectors)*SectorSize]
	if crc32.ChecksumIEEE(entries) != le.Uint32(h[88:]) {
		return nil, fmt.Errorf("checksum of the entries: %w", ErrMalformed)
	}
	t := &Table{Disk: GUID(h[56:72]).swap(), Sectors: le.Uint64(h[32:]) + 1}
	for i := range entryCount {
		e := entries[i*entrySize:]
		if GUID(e[:16]) == (GUID{}) {
			continue
		}
		p := Partition{Type: GUID(e[:16]).swap(), GUID: GUID(e[16:32]).swap(), First: le.Uint64(e[32:]), Last: le.Uint64(e[40:]), Attributes: le.Uint64(e[48:])}
		var name []uint16
		for j := 0; j < 36 && le.Uint16(e[56+2*j:]) != 0; j++ {
			name = append(name, le.Uint16(e[56+2*j:]))
		}
		p.Name = string(utf16.Decode(name))
		t.Partitions = append(t.Partitions, p)
	}
	return t, t.check()
}
