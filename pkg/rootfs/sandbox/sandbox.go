// Package sandbox runs a program inside a folder as its root, away from the host: in
// user, mount, pid, ipc, uts and network namespaces of its own. It needs no
// privileges but that the kernel lets users make namespaces, and Linux 5.12.
//
// The user who runs it is root inside. Others are there when [Options].Users asks for
// them and this user has ids to give: root has, and whom /etc/subuid gives some.
// Without, what gives a file to another user succeeds and changes nothing, so that a
// script goes on. Where root may make no user namespace, as in some containers, there
// is none.
//
// There is no network. /proc is fresh, with what is the whole machine's read-only; /dev
// has null, zero, full, random, urandom and tty of the host; /sys is empty; /tmp, /run
// and /var are empty and forgotten at the end. The program has the capabilities that
// package scripts need and can get no other, a filter keeps it from system calls that
// reach past the tree; it has no controlling terminal and only
// its standard files open.
//
// The process that sets this up is this program itself, started again: [Init] must
// be called first thing in main, and in TestMain of tests that use it.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Options tells what to run, and where.
type Options struct {
	Root string   // folder that becomes /; gets the mount points that it lacks
	Args []string // program and arguments, as seen inside
	Env  []string // added to PATH, LANG, HOME and SYSTEMD_OFFLINE; nothing else is there
	Dir  string   // working folder, as seen inside; empty: /

	Stdin  io.Reader // nil: empty
	Stdout io.Writer // nil: nobody
	Stderr io.Writer // nil: where Stdout goes

	// Overlay is a folder that gets what the program changes, while Root stays as it
	// is: see [Changes]. Runs with one folder see each other's changes. Empty: Root
	// itself changes.
	Overlay string

	ReadOnly      bool     // the root cannot be changed, but for /tmp, /run and /var
	ReadOnlyPaths []string // of the root; these cannot be changed, nor what is below
	KeepVar       bool     // /var is that of the root
	Binds         []Bind   // of the host

	Timeout time.Duration // 0: none

	// Users tells which users there are inside; where they are not available
	// ([AvailableUsers]) there is only root.
	Users Users

	// Builtin is a function of this program, known by [Register], that runs in the
	// place of Args[0] and gets Args. "" is none.
	Builtin string
}

// Bind is a file or folder of the host that is seen inside.
type Bind struct {
	Source   string // on the host
	Target   string // inside; made when it is missing. In /run it leaves no trace in Root
	ReadOnly bool
}

// environment is what every program has.
var environment = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "SYSTEMD_OFFLINE=1", "HOME=/root"}

// setup is what the process that sets the sandbox up is told.
type setup struct {
	Root, Overlay, Dir string
	Args, Env          []string
	ReadOnly, KeepVar  bool
	ReadOnlyPaths      []string
	Binds              []Bind
	Users              Users
	Builtin            string
	Host               bool // no other root: Builtin is trusted
	Probe              bool // set up, and run nothing
}

// Run runs a program and waits for it. When it ends, or ctx does, no process of it is
// left.
//
// The error is an [*ExitError] when the program failed; it wraps [ErrUnavailable] when
// there is no sandbox, [ErrNoOverlay] when only that is missing; or it is the context's
// cause.
func Run(ctx context.Context, o Options) error {
	if len(o.Args) == 0 && o.Builtin == "" {
		return errors.New("sandbox: no program to run")
	}
	s, err := o.setup()
	if err != nil {
		return err
	}
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("no end within %v", o.Timeout))
		defer cancel()
	}
	return s.run(ctx, o.Stdin, o.Stdout, o.Stderr)
}

func (o *Options) setup() (*setup, error) {
	s := &setup{Dir: o.Dir, Args: o.Args, Env: append(append([]string{}, environment...), o.Env...), ReadOnly: o.ReadOnly,
		KeepVar: o.KeepVar, ReadOnlyPaths: o.ReadOnlyPaths, Users: min(o.Users, AvailableUsers()), Builtin: o.Builtin}
	var err error
	if s.Root, err = filepath.Abs(o.Root); err != nil {
		return nil, err
	}
	if _, err := os.Stat(s.Root); err != nil {
		return nil, err
	}
	if o.Overlay != "" {
		if s.Overlay, err = filepath.Abs(o.Overlay); err != nil {
			return nil, err
		}
	}
	for _, b := range o.Binds {
		if b.Source, err = filepath.Abs(b.Source); err != nil {
			return nil, err
		}
		s.Binds = append(s.Binds, b)
	}
	return s, nil
}

// ExitError is a program that failed.
type ExitError struct {
	Status int    // 128 + the signal's number when a signal ended it
	Output string // the last lines of what it printed, as one line
}

func (e *ExitError) Error() string {
	if e.Output == "" {
		return fmt.Sprintf("exit status %d", e.Status)
	}
	return fmt.Sprintf("exit status %d: %s", e.Status, e.Output)
}

// tailSize is how much of a program's output is kept for errors, in bytes.
const tailSize = 2048

// tail keeps the end of what is written.
type tail struct{ buf []byte }

func (t *tail) add(p []byte) {
	t.buf = append(t.buf, p[max(0, len(p)-tailSize):]...)
	if len(t.buf) > 2*tailSize {
		t.buf = append([]byte{}, t.buf[len(t.buf)-tailSize:]...)
	}
}

// last is the last lines, joined into one, without what would move a cursor.
func (t *tail) last() string {
	const lines = 5
	text := strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(t.buf), "?"))
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], " | ")
}
