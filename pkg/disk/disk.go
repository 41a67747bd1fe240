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
// and 1 MiB at the end. Every partition begins and ends at a whole MiB. Root is the
// last, so that it can grow on a larger disk. All identifiers come from one seed.
package disk

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/treewright/treewright/pkg/disk/ext4"
	"github.com/treewright/treewright/pkg/disk/fat"
	"github.com/treewright/treewright/pkg/disk/gpt"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/segment"
)

// ErrTooSmall is wrapped when the content does not fit; the error tells what would do.
var ErrTooSmall = errors.New("too small")

// Spec is what the disk holds.
type Spec struct {
	Size     int64    // bytes; 0: what the content needs, and room for an upgrade
	ESPSize  int64    // of EFI-SYSTEM, bytes; 0: DefaultESPSize
	BootSize int64    // of boot, bytes; 0: three times what is in it, at least MinBootSize
	Seed     [32]byte // of all identifiers
	Time     int64    // of file systems, seconds since 1970 UTC
	RootType gpt.GUID // zero: x86-64's. With another, BIOS-BOOT is only reserved.

	Root, Boot *filetree.Node
	Immutable  *filetree.Node   // folder in Root that gets the immutable flag
	LostFound  []filetree.Xattr // attributes of lost+found in both
	ESP        *filetree.Node   // nil: an empty one
	BootCode   []byte           // of sector 0; nil: none
	Core       []byte           // GRUB's core image; nil: none
}

// Disk is a planned disk.
type Disk struct {
	Size     int64
	Segments segment.List
	Table    *gpt.Table
}

// New plans the disk. The error wraps [ErrTooSmall] when the content does not fit.
func New(s Spec) (*Disk, error) {
	l, err := measure(&s)
	if err != nil {
		return nil, err
	}
	d := &Disk{Size: l.size, Table: l.table(&s)}
	if d.Segments, err = d.Table.Segments(s.BootCode); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		start int64
		plan  func() (segment.List, error)
	}{
		{biosStart, func() (segment.List, error) { return coreSegments(&s) }},
		{espStart, func() (segment.List, error) { return espSegments(&s, l.esp) }},
		{l.bootStart, func() (segment.List, error) {
			return ext4Segments(s.Boot, ext4.Options{Size: l.boot, UUID: BootID(s.Seed), Label: "boot", Time: s.Time, LostFound: s.LostFound})
		}},
		{l.rootStart, func() (segment.List, error) {
			return ext4Segments(s.Root, ext4.Options{Size: l.root, UUID: RootID(s.Seed), Label: "root", Time: s.Time, Immutable: s.Immutable, LostFound: s.LostFound})
		}},
	} {
		list, err := part.plan()
		if err != nil {
			return nil, err
		}
		d.Segments = append(d.Segments, list.Shift(part.start)...)
	}
	slices.SortFunc(d.Segments, func(a, b segment.Segment) int { return cmp.Compare(a.Offset, b.Offset) })
	if err := d.Segments.Check(d.Size); err != nil {
		return nil, err
	}
	return d, nil
}

func coreSegments(s *Spec) (segment.List, error) {
	switch n := int64(len(s.Core)); {
	case n > biosSize:
		return nil, fmt.Errorf("GRUB's core image of %d bytes does not fit into its partition of %d", n, biosSize)
	case n == 0:
		return nil, nil
	default:
		return segment.List{{Offset: 0, Length: n, From: segment.Bytes(s.Core)}}, nil
	}
}

func espSegments(s *Spec, size int64) (segment.List, error) {
	esp := s.ESP
	if esp == nil {
		esp = filetree.NewDir(0o755)
	}
	id := newID(s.Seed, "EFI system partition volume")
	list, err := fat.New(esp, fat.Options{Size: size, Start: espStart, VolumeID: binary.BigEndian.Uint32(id[:]), Label: "EFI-SYSTEM", Time: s.Time})
	return list, also(err, fat.ErrTooSmall)
}

func ext4Segments(root *filetree.Node, o ext4.Options) (segment.List, error) {
	p, err := ext4.New(root, o)
	if err != nil {
		return nil, also(err, ext4.ErrTooSmall)
	}
	return p.Segments(), nil
}

// also makes an error that wraps a format's own sentinel be [ErrTooSmall] as well.
func also(err, own error) error {
	if errors.Is(err, own) {
		return smallError{err}
	}
	return err
}

type smallError struct{ error }

func (e smallError) Unwrap() error        { return e.error }
func (e smallError) Is(target error) bool { return target == ErrTooSmall }
