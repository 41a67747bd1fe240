// Package sandbox runs a program inside a folder as its root, away from the host: in
// user, mount, pid, ipc, uts and network namespaces of its own. It needs no
// privileges but that the kernel lets users make namespaces.
//
// The user who runs it is root inside, and the only user there. There is no
// network; /proc is fresh; /dev has null, zero, full, random, urandom and tty of the
// host; /tmp, /run and /var are empty and forgotten at the end.
//
// The process that sets this up is this program itself, started again: [Init] must
// be called first thing in main, and in TestMain of tests that use it.
package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrUnavailable is wrapped when namespaces cannot be made here.
var ErrUnavailable = errors.New("no sandbox can be made here")

// Options tells what to run.
type Options struct {
	Root    string   // folder that becomes /; the program may change it
	Args    []string // program and arguments, as seen inside
	Env     []string // added to PATH, LANG and SYSTEMD_OFFLINE
	Stdin   io.Reader
	Output  io.Writer     // gets stdout and stderr; nil: nobody
	Timeout time.Duration // 0: none
}

// ExitError is a program that failed. Output is the last lines of what it printed.
type ExitError struct {
	Status int
	Output string
}

func (e *ExitError) Error() string {
	if e.Output == "" {
		return fmt.Sprintf("exit status %d", e.Status)
	}
	return fmt.Sprintf("exit status %d: %s", e.Status, e.Output)
}

// childName is what the process that sets the sandbox up is called.
const childName = "treewright-sandbox"

// setup is what that process is told.
type setup struct {
	Root string
	Args []string
	Env  []string
}

// setupFailed is the status of a process that could not set the sandbox up.
const setupFailed = 212

const tailSize = 2048

// Run runs a program and waits for it. The error is an [*ExitError] when the program
// failed, wraps [ErrUnavailable] when there is no sandbox, or is the context's cause.
func Run(ctx context.Context, o Options) error {
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return err
	}
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("no end within %v", o.Timeout))
		defer cancel()
	}
	env := append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "SYSTEMD_OFFLINE=1", "HOME=/root"}, o.Env...)
	told, err := json.Marshal(setup{root, o.Args, env})
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	tail := &tailWriter{next: o.Output}
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{childName}
	cmd.ExtraFiles = []*os.File{r}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = o.Stdin, tail, tail
	cmd.Env = []string{}
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET,
		// The first process of a pid namespace takes all others with it.
		Pdeathsig:                  syscall.SIGKILL,
		UidMappings:                []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings:                []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		GidMappingsEnableSetgroups: false,
	}
	if err := cmd.Start(); err != nil {
		w.Close()
		return unavailable(err)
	}
	_, err = w.Write(told)
	if err = errors.Join(err, w.Close()); err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return err
	}
	return finish(ctx, cmd.Wait(), tail)
}

func finish(ctx context.Context, err error, tail *tailWriter) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if exit.ExitCode() == setupFailed {
		return unavailable(errors.New(tail.last()))
	}
	status := exit.ExitCode()
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		status = 128 + int(ws.Signal())
	}
	return &ExitError{status, tail.last()}
}

func unavailable(err error) error {
	return fmt.Errorf("%w: %v: allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces; in a container --security-opt seccomp=unconfined), or run as root", ErrUnavailable, err)
}

// tailWriter passes on what is written and keeps the end of it.
type tailWriter struct {
	next io.Writer
	buf  []byte
}

func (t *tailWriter) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*tailSize {
		t.buf = append([]byte{}, t.buf[len(t.buf)-tailSize:]...)
	}
	if t.next != nil {
		return t.next.Write(p)
	}
	return len(p), nil
}

// last is the last lines, joined into one.
func (t *tailWriter) last() string {
	const lines = 5
	all := strings.Split(strings.TrimSpace(string(bytes.ToValidUTF8(t.buf, []byte("?")))), "\n")
	return strings.Join(all[max(0, len(all)-lines):], " | ")
}
