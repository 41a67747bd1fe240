package grub

// Find is the command that makes the file system with a UUID the root.
func Find(uuid string) string {
	return "search --no-floppy --fs-uuid --set=root " + uuid + "\nset prefix=($root)/grub\n"
}

// Config is the configuration that reads boot entries. module is the one that has
// blscfg ([Info.EntryModule]); it is loaded when it is not there yet. The serial
// console is used beside the other one where there is a port.
func Config(module string) string {
	return "# Boot entries are in /loader/entries; this file never changes.\n" +
		"if serial --unit=0 --speed=115200; then\n" +
		"  terminal_input serial console\n  terminal_output serial console\nfi\n" +
		"set timeout=1\nset default=0\n" +
		// What a mended blsuki calls linux; see Module.
		"function " + shortLinux + " {\n  linux \"$@\"\n}\n" +
		"insmod " + module + "\nblscfg\n"
}
