// Package gpt writes, reads and checks GUID partition tables.
//
// # Format
//
// Sector 0 is a protective MBR: 440 bytes of boot code, one entry of type EE that
// covers the disk, 55 AA. Sector 1 is the header, sectors 2 to 33 are 128 entries of
// 128 bytes; a second copy of the entries and the header are the last 33 sectors.
// Header and entries have CRC-32 checksums. GUIDs are stored with their first three
// parts little-endian, as all numbers here.
//
// Not here: sectors of 4096 bytes, and tables of another shape than 128 entries of
// 128 bytes at sector 2, which no tool makes unless it is told to.
//
// Source: UEFI specification 2.10, chapter 5; see docs/FORMATS.md.
package gpt

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// ErrMalformed is wrapped by errors of [Parse], [Read] and [Table.Segments].
var ErrMalformed = errors.New("partition table is malformed")

const (
	// SectorSize is the only one that is supported, in bytes.
	SectorSize = 512

	entryCount   = 128
	entrySize    = 128
	entrySectors = entryCount * entrySize / SectorSize
	headerSize   = 92
	nameUnits    = 36
	bootCode     = 440
)

// GUID is a GUID in the order in which it is printed.
type GUID [16]byte

// ParseGUID reads xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx.
func ParseGUID(s string) (g GUID, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != len(g) || !strings.EqualFold(GUID(b).String(), s) {
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
	// TypeReserved holds the place of BIOS-BOOT on machines that have no BIOS.
	TypeReserved = GUID{0x8D, 0xA6, 0x33, 0x39, 0x00, 0x07, 0x60, 0xC0, 0xC4, 0x36, 0x08, 0x3A, 0xC8, 0x23, 0x09, 0x08}
	TypeLinux    = GUID{0x0F, 0xC6, 0x3D, 0xAF, 0x84, 0x83, 0x47, 0x72, 0x8E, 0x79, 0x3D, 0x69, 0xD8, 0x47, 0x7D, 0xE4}
)

// Attributes of a partition.
const (
	AttrRequired       = 1 << 0
	AttrLegacyBootable = 1 << 2
	AttrGrowFileSystem = 1 << 59 // systemd's: the file system grows with the partition
)

// Partition is an entry. First and Last are sectors, both in it. The one whose Type
// is zero is a gap in the numbering and has nothing else.
type Partition struct {
	Type, GUID  GUID
	First, Last uint64
	Attributes  uint64
	Name        string // at most 36 UTF-16 units
}

// Table is a disk's partition table. Partition number n is Partitions[n-1].
type Table struct {
	Disk       GUID
	Sectors    uint64 // of the disk
	Partitions []Partition
}

// FirstUsable and LastUsable bound where partitions may be.
func (t *Table) FirstUsable() uint64 { return 2 + entrySectors }

// LastUsable is the last sector that a partition may have.
func (t *Table) LastUsable() uint64 { return t.Sectors - entrySectors - 2 }

// maxSectors keeps every offset in bytes within 63 bits.
const maxSectors = 1 << 54

// check tells what is wrong with a table, the numbers of partitions as users count.
func (t *Table) check() error {
	if t.Sectors < 2*(2+entrySectors) || t.Sectors > maxSectors || len(t.Partitions) > entryCount {
		return fmt.Errorf("%d sectors with %d partitions: %w", t.Sectors, len(t.Partitions), ErrMalformed)
	}
	var order []int
	guids := map[GUID]int{}
	for i, p := range t.Partitions {
		if p.Type == (GUID{}) {
			if p != (Partition{}) {
				return fmt.Errorf("partition %d: has no type: %w", i+1, ErrMalformed)
			}
			continue
		}
		if err := t.checkPartition(p); err != nil {
			return fmt.Errorf("partition %d: %w", i+1, err)
		}
		if other, ok := guids[p.GUID]; ok {
			return fmt.Errorf("partitions %d and %d have the same GUID %s: %w", other, i+1, p.GUID, ErrMalformed)
		}
		guids[p.GUID] = i + 1
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(t.Partitions[a].First, t.Partitions[b].First) })
	for k := 1; k < len(order); k++ {
		a, b := order[k-1], order[k]
		if t.Partitions[b].First <= t.Partitions[a].Last {
			return fmt.Errorf("partitions %d and %d overlap at sector %d: %w", a+1, b+1, t.Partitions[b].First, ErrMalformed)
		}
	}
	return nil
}

func (t *Table) checkPartition(p Partition) error {
	switch {
	case p.First < t.FirstUsable() || p.Last < p.First || p.Last > t.LastUsable():
		return fmt.Errorf("sectors %d to %d do not lie in %d to %d: %w", p.First, p.Last, t.FirstUsable(), t.LastUsable(), ErrMalformed)
	case len(utf16.Encode([]rune(p.Name))) > nameUnits || strings.Contains(p.Name, "\x00"):
		return fmt.Errorf("name %q is longer than %d characters or has a NUL: %w", p.Name, nameUnits, ErrMalformed)
	case p.GUID == (GUID{}):
		return fmt.Errorf("GUID is zero: %w", ErrMalformed)
	}
	return nil
}
