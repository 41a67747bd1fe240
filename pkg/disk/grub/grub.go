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
// A GRUB for UEFI is a PE executable, whose section "mods" begins with the same list;
// on 64-bit machines the two numbers behind "mimg" are uint64, and padding stands
// before them. Modules are ELF objects that tell their name in section .modname.
//
// Source: GRUB 2.06 and 2.14 as observed; see docs/FORMATS.md.
package grub

import "errors"

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

// Types of the objects in a list of modules.
const (
	typeModule = 0
	typeConfig = 2
	typePrefix = 3
)

const listMagic = "mimg"
