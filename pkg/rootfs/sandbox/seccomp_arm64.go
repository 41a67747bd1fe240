package sandbox

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// deniedHere are those that other architectures lack.
var deniedHere = []uint32{unix.SYS_KEXEC_FILE_LOAD}

// ownerCalls change who owns a file.
var ownerCalls = []uint32{unix.SYS_FCHOWN, unix.SYS_FCHOWNAT}
