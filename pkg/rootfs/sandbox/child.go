package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Init lets this process use [Run]. In the process that Run starts it sets the sandbox
// up, runs the program, and does not return.
func Init() {
	if len(os.Args) == 0 || os.Args[0] != childName {
		ready.Store(true)
		return
	}
	runtime.LockOSThread() // capabilities are a thread's
	report := os.NewFile(childReport, "report")
	var err error
	if len(os.Args) > 1 {
		err = waitForIDs()
	} else {
		err = runChild(report)
	}
	f := failure{Message: err.Error()}
	var at *stageError
	if errors.As(err, &at) {
		f = failure{at.stage, at.err.Error()}
	}
	json.NewEncoder(report).Encode(f)
	os.Exit(1)
}

// stageError is a step of the setup that failed.
type stageError struct {
	stage string
	err   error
}

func (e *stageError) Error() string { return e.stage + ": " + e.err.Error() }
func (e *stageError) Unwrap() error { return e.err }

// stage names the step that an error is from.
func stage(name string, err error) error {
	if err == nil {
		return nil
	}
	return &stageError{name, err}
}

// waitForIDs waits until the ids of this process's user namespace are there, and starts
// anew: whoever has no id in it loses what it may do there at the first program.
func waitForIDs() error {
	var b [1]byte
	if n, err := unix.Read(childSetup, b[:]); err != nil || n == 0 {
		return stage("making namespaces", fmt.Errorf("no ids came: %v", err))
	}
	return stage("making namespaces", unix.Exec("/proc/self/exe", []string{childName}, []string{}))
}

// runChild never returns nil: it ends with the program's status.
func runChild(report *os.File) error {
	var s setup
	told := os.NewFile(childSetup, "setup")
	if err := json.NewDecoder(told).Decode(&s); err != nil {
		return fmt.Errorf("the sandbox's setup: %w", err)
	}
	told.Close()
	// A start anew forgets that this process is to end with the one that started it.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return stage("tying lives together", err)
	}
	// Nothing that this process was given by mistake reaches the program.
	if err := unix.CloseRange(childReport, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return stage("closing files", err)
	}
	if s.Host {
		report.Close()
		s.builtin()
	}
	if err := s.mounts(); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte("localhost")); err != nil {
		return stage("naming the host", err)
	}
	unix.Umask(0o022)
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return stage("turning core files off", err)
	}
	if err := dropPrivileges(); err != nil {
		return stage("dropping capabilities", err)
	}
	if err := restrict(s.Users); err != nil {
		return stage("restricting system calls", err)
	}
	if err := os.Chdir(filepath.Join("/", s.Dir)); err != nil {
		return err
	}
	if s.Probe {
		os.Exit(0)
	}
	report.Close()
	if s.Builtin != "" {
		for _, kv := range s.Env {
			k, v, _ := strings.Cut(kv, "=")
			os.Setenv(k, v)
		}
		s.builtin()
	}
	s.supervise()
	panic("unreachable")
}

// supervise starts the program and ends with its status. This process is the first of
// its pid namespace: all others of it end then, too.
func (s *setup) supervise() {
	program, err := lookPath(s.Args[0], s.Env)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(127)
	}
	pid, err := syscall.ForkExec(program, s.Args, &syscall.ProcAttr{Env: s.Env, Files: []uintptr{0, 1, 2}})
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", s.Args[0], err)
		os.Exit(126)
	}
	for {
		var ws syscall.WaitStatus
		got, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case err == syscall.EINTR, err == nil && got != pid: // an orphan
			continue
		case err != nil:
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		case ws.Signaled():
			os.Exit(128 + int(ws.Signal()))
		}
		os.Exit(ws.ExitStatus())
	}
}

func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, e := range env {
		dirs, _ := strings.CutPrefix(e, "PATH=")
		for _, d := range filepath.SplitList(dirs) {
			p := filepath.Join(d, name)
			if st, err := os.Stat(p); err == nil && !st.IsDir() && st.Mode()&0o111 != 0 {
				return p, nil
			}
		}
	}
	return "", fmt.Errorf("%s: command not found", name)
}

// kept are the capabilities of a program, those that package scripts need: files and
// processes of its own tree, no mounts, no devices.
var kept = []int{unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_KILL,
	unix.CAP_SETGID, unix.CAP_SETUID, unix.CAP_SETPCAP, unix.CAP_SYS_CHROOT, unix.CAP_SETFCAP}

// dropPrivileges gives up all other capabilities, for what this thread starts, too. The
// runtime's other threads keep theirs: that is why nobody may look into this process.
func dropPrivileges() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	var mask uint64
	for _, c := range kept {
		mask |= 1 << c
	}
	for c := range 64 {
		if mask&(1<<c) != 0 {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0)
		if err == unix.EINVAL {
			break // the kernel has no more
		}
		if err != nil {
			return err
		}
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{}
	for i := range data {
		half := uint32(mask >> (32 * i))
		data[i] = unix.CapUserData{Effective: half, Permitted: half}
	}
	return unix.Capset(&head, &data[0])
}
