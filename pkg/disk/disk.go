// Package disk plans the disk of an OSTree host: a partition table, boot loaders, and
// the file systems, as one list of segments. Nothing is written here.
//
// The layout, whatever the firmware, so that partition numbers never change:
//
//	1  BIOS-BOOT   from 1 MiB, 1 MiB      GRUB's core image
//	2  EFI-SYSTEM  127 MiB                FAT32, with GRUB for UEFI
//	3  boot        384 MiB or more        ext4, kernels and boot entries
//	4  root        the rest               ext4, repository and deployment
//
// and 1 MiB at the end. All identifiers come from one seed.
package disk

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/treewright/treewright/pkg/disk/ext4"
	"github.com/treewright/treewright/pkg/disk/fat"
	"github.com/treewright/treewright/pkg/disk/gpt"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/segment"
	"github.com/treewright/treewright/pkg/units"
)

// ErrTooSmall is wrapped when the content does not fit.
var ErrTooSmall = errors.New("too small")

const (
	mib     = int64(units.MiB)
	espSize = 127 * mib
	// minBoot holds three kernels with their initramfs, as an upgrade needs for a
	// moment, of the usual size.
	minBoot = 384 * mib
	tail    = mib // for the second copy of the table
)

// BIOSBootSector is the sector at which GRUB's core image begins.
const BIOSBootSector = mib / gpt.SectorSize

// Spec is what the disk holds.
type Spec struct {
	Size     int64    // bytes; 0: what the content needs, and room for an upgrade
	Seed     [32]byte // of all identifiers
	Time     int64    // of file systems, seconds since 1970 UTC
	RootType gpt.GUID // zero: x86-64's

	Root, Boot *filetree.Node
	Immutable  *filetree.Node // folder in Root that gets the immutable flag
	ESP        *filetree.Node // nil: an empty one
	BootCode   []byte         // of sector 0; nil: none
	Core       []byte         // GRUB's core image; nil: none
}

// Disk is a planned disk.
type Disk struct {
	Size     int64
	Segments segment.List
	Table    *gpt.Table
}

// ID is an identifier.
type ID [16]byte

func (i ID) String() string { return gpt.GUID(i).String() }

// newID derives an identifier of version 4's form.
func newID(seed [32]byte, label string) ID {
	sum := sha256.Sum256(append(seed[:], label...))
	id := ID(sum[:16])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// RootID is the UUID of the root file system, BootID that of the boot file system: a
// boot entry names them before the disk is planned.
func RootID(seed [32]byte) ID { return newID(seed, "root file system") }

// BootID is the UUID of the boot file system.
func BootID(seed [32]byte) ID { return newID(seed, "boot file system") }

// sizes of the partitions, in bytes.
type sizes struct{ boot, root int64 }

func alignUp(n int64) int64 { return (n + mib - 1) / mib * mib }

const bootStart = 2*mib + espSize

// measure chooses the sizes, or tells that the disk is too small.
func measure(s *Spec) (sizes, error) {
	least := ext4.MinSize(s.Root)
	var z sizes
	z.boot = max(minBoot, alignUp(3*ext4.MinSize(s.Boot)))
	fixed := bootStart + z.boot + tail
	if s.Size == 0 {
		// As much again, so that an upgrade has room beside what is there.
		z.root = alignUp(max(2*least, least+512*mib))
		return z, nil
	}
	z.root = (s.Size - fixed) / mib * mib
	if z.root < alignUp(least) {
		return z, fmt.Errorf("disk of %s: needs at least %s: %w", units.Bytes(s.Size), units.Bytes(fixed+alignUp(least)), ErrTooSmall)
	}
	return z, nil
}

// New plans the disk.
func New(s Spec) (*Disk, error) {
	z, err := measure(&s)
	if err != nil {
		return nil, err
	}
	rootStart := bootStart + z.boot
	d := &Disk{Size: s.Size}
	if d.Size == 0 {
		d.Size = rootStart + z.root + tail
	}
	d.Size = d.Size / gpt.SectorSize * gpt.SectorSize
	d.Table = table(&s, d.Size, z)
	list, err := d.Table.Segments(s.BootCode)
	if err != nil {
		return nil, err
	}
	if len(s.Core) > 0 {
		if int64(len(s.Core)) > mib {
			return nil, fmt.Errorf("GRUB's core image of %d bytes does not fit into its partition", len(s.Core))
		}
		list = append(list, segment.Segment{Offset: mib, Length: int64(len(s.Core)), From: segment.Bytes(s.Core)})
	}
	esp, err := espSegments(&s)
	if err != nil {
		return nil, err
	}
	list = append(list, esp.Shift(2*mib)...)
	for _, fs := range []struct {
		root  *filetree.Node
		o     ext4.Options
		start int64
	}{
		{s.Boot, ext4.Options{Size: z.boot, UUID: BootID(s.Seed), Label: "boot", Time: s.Time}, bootStart},
		{s.Root, ext4.Options{Size: z.root, UUID: RootID(s.Seed), Label: "root", Time: s.Time, Immutable: s.Immutable}, rootStart},
	} {
		p, err := ext4.New(fs.root, fs.o)
		if err != nil {
			return nil, err
		}
		list = append(list, p.Segments().Shift(fs.start)...)
	}
	slices.SortFunc(list, func(a, b segment.Segment) int { return cmp.Compare(a.Offset, b.Offset) })
	d.Segments = list
	return d, list.Check(d.Size)
}

func espSegments(s *Spec) (segment.List, error) {
	esp := s.ESP
	if esp == nil {
		esp = filetree.NewDir(0o755)
	}
	id := newID(s.Seed, "EFI system partition volume")
	return fat.New(esp, fat.Options{Size: espSize, Start: 2 * mib, VolumeID: binary.BigEndian.Uint32(id[:]), Label: "EFI-SYSTEM", Time: s.Time})
}

// table is the partition table.
func table(s *Spec, size int64, z sizes) *gpt.Table {
	root := s.RootType
	if root == (gpt.GUID{}) {
		root = gpt.TypeRootX86
	}
	t := &gpt.Table{Disk: gpt.GUID(newID(s.Seed, "disk")), Sectors: uint64(size / gpt.SectorSize)}
	at := mib
	for _, p := range []struct {
		typ  gpt.GUID
		name string
		size int64
		attr uint64
	}{
		{gpt.TypeBIOSBoot, "BIOS-BOOT", mib, gpt.AttrLegacyBootable}, {gpt.TypeESP, "EFI-SYSTEM", espSize, 0},
		{gpt.TypeXBootLdr, "boot", z.boot, 0}, {root, "root", z.root, 0},
	} {
		t.Partitions = append(t.Partitions, gpt.Partition{
			Type: p.typ, GUID: gpt.GUID(newID(s.Seed, "partition "+p.name)), Name: p.name, Attributes: p.attr,
			First: uint64(at / gpt.SectorSize), Last: uint64((at+p.size)/gpt.SectorSize) - 1,
		})
		at += p.size
	}
	return t
}
