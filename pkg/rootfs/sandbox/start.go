package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// childName is what the process that sets the sandbox up is called.
const childName = "treewright-sandbox"

// ready tells that Init was called: without it the child would run all of this program
// again.
var ready atomic.Bool

var errNoInit = errors.New("sandbox: Init was not called at the start of main")

// failure is what the child reports when it could not set the sandbox up.
type failure struct {
	Stage   string // what it was at
	Message string
}

const (
	namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET

	childSetup  = 3 // descriptors of the child: reads its setup,
	childReport = 4 // writes a failure
)

// run starts the child and waits for it.
func (s *setup) run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	if !ready.Load() {
		return errNoInit
	}
	// The child is killed when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out := &output{}
	c, err := s.start(ctx, stdin, out, stdout, stderr)
	if err != nil {
		return err
	}
	var f failure
	reported := json.NewDecoder(c.report).Decode(&f) // ends when the program starts
	err = errors.Join(c.cmd.Wait(), ignorePipe(<-c.told), c.report.Close())
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case reported == nil:
		return f.err()
	}
	return exitError(err, out)
}

// child is a started process and the ends of its pipes.
type child struct {
	cmd    *exec.Cmd
	report *os.File
	told   <-chan error // gets one value
}

// start starts the child; as root without a user namespace where there can be none.
func (s *setup) start(ctx context.Context, stdin io.Reader, out *output, stdout, stderr io.Writer) (*child, error) {
	ids := idMap{uids: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}, gids: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}}
	if s.Users == AllUsers {
		ids = hostIDs()
	}
	userspace := &syscall.SysProcAttr{Cloneflags: namespaces | unix.CLONE_NEWUSER}
	if !ids.helpers {
		userspace.UidMappings, userspace.GidMappings = ids.uids, ids.gids
		userspace.GidMappingsEnableSetgroups = s.Users == AllUsers && os.Geteuid() == 0
	}
	c, err := s.startWith(ctx, userspace, ids, stdin, out, stdout, stderr)
	if err != nil && os.Geteuid() == 0 && ctx.Err() == nil {
		c, err = s.startWith(ctx, &syscall.SysProcAttr{Cloneflags: namespaces}, idMap{}, stdin, out, stdout, stderr)
	}
	if err != nil {
		return nil, unavailable("making namespaces", err)
	}
	return c, nil
}

func (s *setup) startWith(ctx context.Context, attr *syscall.SysProcAttr, ids idMap, stdin io.Reader, out *output, stdout, stderr io.Writer) (*child, error) {
	told, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer told.Close()
	report, reporter, err := os.Pipe()
	if err != nil {
		tell.Close()
		return nil, err
	}
	defer reporter.Close()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{childName}
	if ids.helpers {
		cmd.Args = append(cmd.Args, "wait")
	}
	cmd.Env = []string{}
	cmd.ExtraFiles = []*os.File{told, reporter} // childSetup, childReport
	cmd.Stdin = stdin
	cmd.Stdout = out.to(stdout)
	cmd.Stderr = cmd.Stdout
	if stderr != nil {
		cmd.Stderr = out.to(stderr)
	}
	cmd.WaitDelay = 5 * time.Second
	// The first process of a pid namespace takes all others with it. A session of its
	// own keeps the program from the terminal of the one who runs this.
	attr.Pdeathsig, attr.Setsid = syscall.SIGKILL, true
	cmd.SysProcAttr = attr
	if err := cmd.Start(); err != nil {
		tell.Close()
		report.Close()
		return nil, err
	}
	if ids.helpers {
		err := ids.write(cmd.Process.Pid)
		if err == nil {
			_, err = tell.Write([]byte{'\n'})
		}
		if err != nil {
			tell.Close()
			report.Close()
			return nil, errors.Join(err, cmd.Process.Kill(), ignoreExit(cmd.Wait()))
		}
	}
	wrote := make(chan error, 1)
	go func() { wrote <- errors.Join(json.NewEncoder(tell).Encode(s), tell.Close()) }()
	return &child{cmd, report, wrote}, nil
}

// ignoreExit drops the error of a child that was killed.
func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// ignorePipe drops the error of a child that has gone: its status tells more.
func ignorePipe(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// exitError is the program's status as an error.
func exitError(err error, out *output) error {
	var exit *exec.ExitError
	if err == nil || !errors.As(err, &exit) {
		return err
	}
	status := exit.ExitCode()
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		status = 128 + int(ws.Signal())
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	return &ExitError{status, out.last()}
}

// output passes on what the program prints, and keeps the end of it.
type output struct {
	mu sync.Mutex
	tail
}

type outputWriter struct {
	o    *output
	next io.Writer
}

func (o *output) to(w io.Writer) io.Writer { return &outputWriter{o, w} }

func (w *outputWriter) Write(p []byte) (int, error) {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	w.o.add(p)
	if w.next == nil {
		return len(p), nil
	}
	return w.next.Write(p)
}
