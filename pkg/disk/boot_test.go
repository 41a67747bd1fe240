package disk_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/disk"
	"github.com/treewright/treewright/pkg/disk/grub"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/qemu"
)

// kernel is what a boot loader takes for Linux (boot protocol 2.10): a program that
// prints its command line on the first serial port, then '+' if it was given an initrd
// and '-' if not, and stops.
func kernel() []byte {
	const setup = 2 * 512
	b := make([]byte, setup)
	le := binary.LittleEndian
	b[0x1f1] = 1 // sectors of setup behind the first
	le.PutUint16(b[0x1fe:], 0xaa55)
	copy(b[0x200:], []byte{0xeb, 0x6a})
	copy(b[0x202:], "HdrS")
	le.PutUint16(b[0x206:], 0x020a)
	b[0x211] = 1                        // loaded high
	le.PutUint32(b[0x214:], 0x100000)   // where
	le.PutUint32(b[0x22c:], 0x7fffffff) // initrd below
	le.PutUint32(b[0x230:], 0x200000)   // alignment
	b[0x234], b[0x235] = 1, 21          // can be moved
	le.PutUint32(b[0x238:], 2047)       // command line
	le.PutUint64(b[0x258:], 0x1000000)  // preferred address
	le.PutUint32(b[0x260:], 0x10000)    // memory needed
	code := []byte{
		0x89, 0xf3, // mov ebx, esi
		0x8b, 0xb3, 0x28, 0x02, 0, 0, // mov esi, [ebx+0x228]: command line
		0xac,       // next: lodsb
		0x84, 0xc0, // test al, al
		0x74, 0x07, // jz end
		0xe8, 0x1f, 0, 0, 0, // call print
		0xeb, 0xf4, // jmp next
		0x31, 0xc0, // end: xor eax, eax
		0x39, 0x83, 0x1c, 0x02, 0, 0, // cmp [ebx+0x21c], eax: size of the initrd
		0xb0, '-', // mov al, '-'
		0x74, 0x02, // jz none
		0xb0, '+', // mov al, '+'
		0xe8, 0x0a, 0, 0, 0, // none: call print
		0xb0, '\n', // mov al, '\n'
		0xe8, 0x03, 0, 0, 0, // call print
		0xf4,       // stop: hlt
		0xeb, 0xfd, // jmp stop
		0x88, 0xc4, // print: mov ah, al
		0x66, 0xba, 0xfd, 0x03, // mov dx, 0x3fd
		0xec,       // wait: in al, dx
		0xa8, 0x20, // test al, 0x20
		0x74, 0xfb, // jz wait
		0x88, 0xe0, // mov al, ah
		0xb2, 0xf8, // mov dl, 0xf8
		0xee, // out dx, al
		0xc3, // ret
	}
	b = append(b, code...)
	le.PutUint32(b[0x1f4:], uint32((len(code)+15)/16))
	return append(b, make([]byte, 4096-len(code))...)
}

// grubFolder is the folder of the installed GRUB for a platform; see the tests of grub.
func grubFolder(t *testing.T, platform string) (string, grub.ReadFile, *grub.Info) {
	t.Helper()
	dir := filepath.Join(filepath.Dir(fixture.Tool(t, "grub-mkimage")), "..", "lib", "grub", platform)
	read := func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) }
	info, err := grub.Detect(read)
	if err != nil {
		t.Fatal(err)
	}
	return dir, read, info
}

const marker = "MARKER-FROM-BOOT-ENTRY"

// bootable is a host whose boot entry runs kernel. A GRUB that cannot read boot
// entries gets the same commands, behind a look at the entry.
func bootable(t *testing.T, info *grub.Info) disk.Spec {
	t.Helper()
	s := spec(t, 3, 1000)
	const linux, initrd = "/ostree/os-1/vmlinuz-1", "/ostree/os-1/initramfs-1.img"
	// The length at which GRUB 2.14 loses the initrd, see grub.Module.
	options := "root=UUID=" + disk.RootID(s.Seed).String() + " "
	options += strings.Repeat("x", 32-(len(linux)+len(options)+1+len(marker)+8)%32) + " " + marker
	config := grub.Config(info.EntryModule)
	if info.EntryModule == "" {
		config = strings.Replace(config, "insmod \nblscfg\n", "cat /loader/entries/ostree-1-os.conf\nlinux "+linux+" "+options+"\ninitrd "+initrd+"\nboot\n", 1)
	}
	for name, body := range map[string]string{
		"loader.1/entries/ostree-1-os.conf": "title An entry\nversion 1\noptions " + options + "\nlinux " + linux + "\ninitrd " + initrd + "\n",
		linux:                               string(kernel()), initrd: strings.Repeat("\x00", 512), "grub/grub.cfg": config,
	} {
		if err := s.Boot.Put(name, filetree.Bytes([]byte(body), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Boot.Put("loader", filetree.NewSymlink("loader.1")); err != nil {
		t.Fatal(err)
	}
	return s
}

func boot(t *testing.T, s disk.Spec, firmware qemu.Firmware) {
	t.Helper()
	fixture.Tool(t, "qemu-system-x86_64")
	d, err := disk.New(s)
	if err != nil {
		t.Fatal(err)
	}
	var console bytes.Buffer
	r, err := qemu.Boot(t.Context(), qemu.Options{
		Image: write(t, d), Format: "raw", Firmware: firmware, Memory: 512, Timeout: 3 * time.Minute, Console: &console,
		Steps: []qemu.Step{{Expect: regexp.MustCompile(`BOOT_IMAGE=.* ` + marker + `[+-]$|error: can't find.*`)}},
	})
	if err != nil {
		t.Fatalf("%v\n%q", err, console.String())
	}
	if !strings.HasSuffix(r.Lines[0], "+") {
		t.Errorf("the kernel was given no initrd: %s\n%q", r.Lines[0], console.String())
	}
	t.Logf("%s after %s", r.Lines[0], r.Elapsed)
}

func TestBootBIOS(t *testing.T) {
	_, read, info := grubFolder(t, "i386-pc")
	s := bootable(t, info)
	modules := slices.Clone(grub.BIOSModules)
	if info.EntryModule != "" {
		modules = append(modules, info.EntryModule)
	}
	var err error
	s.Core, err = grub.Core(read, grub.CoreOptions{
		Modules: modules, Prefix: "/grub", Sector: disk.BIOSBootSector,
		Config: grub.Find(disk.BootID(s.Seed).String()) + "configfile $prefix/grub.cfg\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.BootCode, err = grub.BootCode(read, disk.BIOSBootSector); err != nil {
		t.Fatal(err)
	}
	boot(t, s, qemu.BIOS)
}

// TestBootUEFI boots the image that Debian ships linked: its configuration lies where
// it looks for one, and the module that it lacks on the boot partition.
func TestBootUEFI(t *testing.T) {
	dir, read, info := grubFolder(t, "x86_64-efi")
	linked, err := os.ReadFile(filepath.Join(dir, "monolithic", "grubx64.efi"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this GRUB has no monolithic/grubx64.efi")
	}
	if err != nil {
		t.Fatal(err)
	}
	e, err := grub.ParseEFI(linked)
	if err != nil {
		t.Fatal(err)
	}
	s := bootable(t, info)
	s.ESP = filetree.NewDir(0o755)
	files := map[string][]byte{
		"EFI/BOOT/BOOTX64.EFI": linked,
		e.Prefix + "/grub.cfg": []byte(grub.Find(disk.BootID(s.Seed).String()) + "configfile $prefix/grub.cfg\n"),
	}
	for name, b := range files {
		if err := s.ESP.Put(name, filetree.Bytes(b, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if info.EntryModule != "" {
		lacks, err := e.Lacks(read, info.EntryModule)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("from the boot partition: %q", lacks)
		for _, m := range lacks {
			b, err := grub.Module(read, m)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Boot.Put("grub/"+info.Platform+"/"+m+".mod", filetree.Bytes(b, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
	}
	boot(t, s, qemu.UEFI)
}
