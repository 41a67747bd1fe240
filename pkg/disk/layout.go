package disk

import (
	"errors"
	"fmt"

	"github.com/treewright/treewright/pkg/disk/ext4"
	"github.com/treewright/treewright/pkg/disk/fat"
	"github.com/treewright/treewright/pkg/disk/gpt"
	"github.com/treewright/treewright/pkg/units"
)

const (
	mib = int64(units.MiB)
	gib = int64(units.GiB)

	biosStart = mib
	biosSize  = mib
	espStart  = biosStart + biosSize
	tail      = mib // for the second copy of the table

	// DefaultESPSize is the size of EFI-SYSTEM, and MinBootSize the least one of boot
	// that is chosen: enough for three kernels with their initramfs of the usual size,
	// as many as an upgrade needs for a moment.
	DefaultESPSize = 127 * mib
	MinBootSize    = 384 * mib
)

// BIOSBootSector is the sector at which GRUB's core image begins.
const BIOSBootSector = biosStart / gpt.SectorSize

// layout is where partitions are, bytes.
type layout struct {
	size                 int64 // of the disk
	esp, boot, root      int64 // sizes of partitions
	bootStart, rootStart int64
}

func alignUp(n int64) int64 { return (n + mib - 1) / mib * mib }

// measure chooses the sizes, or tells which are too small.
func measure(s *Spec) (l layout, err error) {
	if s.Size < 0 || s.BootSize < 0 || s.ESPSize < 0 {
		return l, errors.New("a size is negative")
	}
	if l.esp = DefaultESPSize; s.ESPSize > 0 {
		l.esp = s.ESPSize / mib * mib
	}
	if l.esp < fat.MinSize {
		return l, tooSmall("EFI system partition", s.ESPSize, fat.MinSize)
	}
	leastBoot := alignUp(ext4.MinSize(s.Boot))
	if l.boot = max(MinBootSize, 3*leastBoot); s.BootSize > 0 {
		l.boot = s.BootSize / mib * mib
	}
	if l.boot < leastBoot {
		return l, tooSmall("boot partition", s.BootSize, leastBoot)
	}
	l.bootStart = espStart + l.esp
	l.rootStart = l.bootStart + l.boot
	leastRoot := alignUp(ext4.MinSize(s.Root))
	if s.Size == 0 {
		// As much again, so that an upgrade has room beside what is there.
		l.root = max(2*leastRoot, leastRoot+512*mib)
		l.size = l.rootStart + l.root + tail
		return l, nil
	}
	l.size = s.Size / gpt.SectorSize * gpt.SectorSize
	l.root = (l.size - l.rootStart - tail) / mib * mib
	if l.root < leastRoot {
		return l, tooSmall("disk", s.Size, l.rootStart+leastRoot+tail)
	}
	return l, nil
}

// tooSmall tells a size that would do, rounded up to what people write.
func tooSmall(what string, size, need int64) error {
	unit := mib
	if need >= gib {
		unit = gib
	}
	tenths := (need*10 + unit - 1) / unit
	return fmt.Errorf("%s of %s is %w: needs at least %s", what, units.Bytes(size), ErrTooSmall, units.Bytes((tenths*unit+9)/10))
}

// table is the partition table.
func (l *layout) table(s *Spec) *gpt.Table {
	root, first := s.RootType, gpt.TypeReserved
	if root == (gpt.GUID{}) {
		root = gpt.TypeRootX86
	}
	if root == gpt.TypeRootX86 {
		first = gpt.TypeBIOSBoot
	}
	t := &gpt.Table{Disk: gpt.GUID(newID(s.Seed, "disk")), Sectors: uint64(l.size / gpt.SectorSize)}
	at := biosStart
	for _, p := range []struct {
		typ  gpt.GUID
		name string
		size int64
		attr uint64
	}{
		{first, "BIOS-BOOT", biosSize, gpt.AttrLegacyBootable}, {gpt.TypeESP, "EFI-SYSTEM", l.esp, 0},
		{gpt.TypeXBootLdr, "boot", l.boot, 0}, {root, "root", l.root, 0},
	} {
		t.Partitions = append(t.Partitions, gpt.Partition{
			Type: p.typ, GUID: gpt.GUID(newID(s.Seed, "partition "+p.name)), Name: p.name, Attributes: p.attr,
			First: uint64(at / gpt.SectorSize), Last: uint64((at+p.size)/gpt.SectorSize) - 1,
		})
		at += p.size
	}
	return t
}
