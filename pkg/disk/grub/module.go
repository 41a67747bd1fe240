package grub

import "bytes"

// shortLinux is a function that [Config] defines.
const shortLinux = "krnl"

// Module returns the file of a module, as it has to be on a disk.
//
// It is the file as it is but for blsuki, whose blscfg is wrong in GRUB 2.14: for a
// boot entry it puts "linux PATH OPTIONS\n" together in a buffer that is one byte too
// short. When the buffer fills a unit of GRUB's heap (16 bytes on i386, 32 on x86-64)
// the end of the text is lost, the next command, which is initrd, is not understood,
// and the host does not find its root: after one update in 16 or 32, as the length of
// the kernel's version has it. So the module's text "linux " is replaced by a shorter
// one, the name of a function of [Config] that does the same. A module that has the
// text not exactly once stays as it is.
func Module(read ReadFile, name string) ([]byte, error) {
	b, err := read(name + ".mod")
	if err != nil || name != "blsuki" {
		return b, err
	}
	from, to := []byte("\x00linux \x00"), []byte("\x00"+shortLinux+" \x00\x00")
	if bytes.Count(b, from) != 1 {
		return b, nil
	}
	return bytes.Replace(b, from, to, 1), nil
}
