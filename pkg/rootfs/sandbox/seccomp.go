package sandbox

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// denied are the system calls that no script of a package needs: they reach the
// kernel or the machine, not the tree. Most need privileges that programs do not
// have; a kernel's bug could lie behind each.
var denied = []uint32{
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_MOUNT_SETATTR, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE,
	unix.SYS_FSOPEN, unix.SYS_FSMOUNT, unix.SYS_FSCONFIG, unix.SYS_FSPICK, unix.SYS_SETNS, unix.SYS_UNSHARE,
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP,
	unix.SYS_ADD_KEY, unix.SYS_KEYCTL, unix.SYS_REQUEST_KEY, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF,
	unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
	unix.SYS_SYSLOG, unix.SYS_VHANGUP, unix.SYS_LOOKUP_DCOOKIE,
}

// Offsets of struct seccomp_data.
const (
	dataNumber = 0
	dataArch   = 4
)

// filter makes a classic BPF program that answers a system call: it fails with EPERM
// when it is denied, succeeds and does nothing when it is ignored. One of another
// architecture, whose numbers are others, fails with ENOSYS.
func filter(arch uint32, denied, ignored []uint32) []unix.SockFilter {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	ret := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	// Falls through when they are equal, else skips one.
	equal := func(k uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jf: 1}
	}
	fail := func(e unix.Errno) unix.SockFilter { return ret(unix.SECCOMP_RET_ERRNO | uint32(e)) }

	program := []unix.SockFilter{
		load(dataArch),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: arch, Jt: 1},
		fail(unix.ENOSYS),
		load(dataNumber),
	}
	if arch == unix.AUDIT_ARCH_X86_64 { // the numbers of x32 have this bit
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: 1 << 30, Jf: 1}, fail(unix.ENOSYS))
	}
	for _, n := range denied {
		program = append(program, equal(n), fail(unix.EPERM))
	}
	for _, n := range ignored {
		program = append(program, equal(n), fail(0))
	}
	return append(program, ret(unix.SECCOMP_RET_ALLOW))
}

// restrict puts the filter before this thread's system calls and those of all that it
// starts. Programs cannot get privileges any more by then, which the kernel asks for.
func restrict(users Users) error {
	if auditArch == 0 {
		return nil
	}
	var ignored []uint32
	if users == OnlyRoot {
		ignored = ownerCalls
	}
	program := filter(auditArch, append(denied, deniedHere...), ignored)
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
}
