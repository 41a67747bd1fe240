package rootfs

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
	"sync"
	"syscall"
	"time"

	"github.com/treewright/treewright/pkg/rootfs/lua"
	"github.com/treewright/treewright/pkg/rootfs/sandbox"
)

// ScriptTimeout is how long one scriptlet may take.
const ScriptTimeout = 10 * time.Minute

// ScriptError is a scriptlet that failed.
type ScriptError struct {
	Package string
	Kind    string // "%post"
	Status  int    // 128 + the signal's number when a signal ended it; -1 when it did not start or end
	Message string // what went wrong, when it is not the status
	Output  string // its last lines, as one line
}

func (e *ScriptError) Error() string {
	text := fmt.Sprintf("package %s: %s: ", e.Package, e.Kind)
	if e.Message != "" {
		text += e.Message
	} else {
		text += fmt.Sprintf("exit status %d", e.Status)
	}
	if e.Output != "" {
		text += ": " + e.Output
	}
	return text
}

// session is a list of scriptlets that run in one sandbox, one after the other: what
// [scriptletsBuiltin] is told.
type session struct {
	Runs    []scriptRun
	Timeout time.Duration
}

// The files by which the two sides of a session talk, as seen inside.
const (
	planPath   = "run/treewright/plan"
	reportPath = "run/treewright/report"
	systemctl  = "run/treewright/systemctl"
)

// scriptletsBuiltin is the function that runs them inside.
const scriptletsBuiltin = "scriptlets"

func init() { sandbox.Register(scriptletsBuiltin, func([]string) error { return runSession() }) }

// runScriptlets runs scriptlets with the tree as their root.
func (a *assembly) runScriptlets(d *disk, runs []scriptRun) error {
	if len(runs) == 0 {
		return nil
	}
	a.o.Step(fmt.Sprintf("running %d package scripts", len(runs)))
	timeout := a.o.ScriptTimeout
	if timeout == 0 {
		timeout = ScriptTimeout
	}
	plan, err := json.Marshal(session{runs, timeout})
	if err != nil {
		return err
	}
	binds, err := a.sessionFiles(d, plan)
	if err != nil {
		return err
	}
	err = d.run(a.ctx, sandbox.Options{Builtin: scriptletsBuiltin, Env: a.environment(), Stdout: a.o.Output, Binds: binds})
	report, readErr := os.ReadFile(filepath.Join(d.dir, "report"))
	if err == nil || readErr != nil || len(report) == 0 {
		return errors.Join(err, readErr)
	}
	failed := &ScriptError{}
	if err := json.Unmarshal(report, failed); err != nil {
		return fmt.Errorf("report of the package scripts: %w", err)
	}
	return failed
}

// sessionFiles writes what a session needs and tells where it is seen inside.
func (a *assembly) sessionFiles(d *disk, plan []byte) ([]sandbox.Bind, error) {
	var out []sandbox.Bind
	for _, f := range []struct {
		name, target string
		body         []byte
		mode         os.FileMode
	}{{"plan", planPath, plan, 0o600}, {"report", reportPath, nil, 0o600}, {"booted", "run/ostree-booted", nil, 0o644}} {
		file := filepath.Join(d.dir, f.name)
		if err := os.WriteFile(file, f.body, f.mode); err != nil {
			return nil, err
		}
		out = append(out, sandbox.Bind{Source: file, Target: f.target, ReadOnly: f.target != reportPath})
	}
	const real = "usr/bin/systemctl"
	if n := a.root.Lookup(real); n == nil || d.known[real].node == nil {
		return out, nil
	}
	wrapper := filepath.Join(d.dir, "systemctl")
	if err := os.WriteFile(wrapper, []byte(systemctlWrapper), 0o755); err != nil {
		return nil, err
	}
	return append(out, sandbox.Bind{Source: filepath.Join(d.root, real), Target: systemctl, ReadOnly: true},
		sandbox.Bind{Source: wrapper, Target: real, ReadOnly: true}), nil
}

// systemctlWrapper stands in for systemctl: nothing runs in the tree, and which units
// are enabled is the presets' and the treefile's to say.
const systemctlWrapper = `#!/bin/sh
for word; do
	case $word in
	preset | preset-all) exec /` + systemctl + ` --root=/ "$@" ;;
	esac
done
echo "systemctl $*: left out: nothing runs in a tree that is composed" >&2
`

// runSession runs inside: it takes the plan and writes a report when a scriptlet fails.
func runSession() error {
	b, err := os.ReadFile("/" + planPath)
	if err != nil {
		return err
	}
	var s session
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	for _, r := range s.Runs {
		failed := r.run(s.Timeout)
		if failed == nil {
			continue
		}
		report, err := json.Marshal(failed)
		if err == nil {
			err = os.WriteFile("/"+reportPath, report, 0o600)
		}
		return errors.Join(failed, err)
	}
	return nil
}

// run runs one scriptlet; nil tells that all is well.
func (r *scriptRun) run(timeout time.Duration) *ScriptError {
	if err := os.Chdir("/"); err != nil {
		return &ScriptError{Package: r.Package, Kind: r.Kind, Status: -1, Message: err.Error()}
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), timeout, fmt.Errorf("did not end within %v", timeout))
	defer cancel()
	out := &lines{prefix: r.Package + "." + strings.TrimPrefix(r.Kind, "%") + ": ", to: os.Stdout}
	var err error
	if len(r.Interpreter) > 0 && r.Interpreter[0] == "<lua>" {
		err = lua.Run(ctx, lua.Script{Name: r.Kind, Body: r.Body, Args: r.Args, Files: strings.Fields(r.Stdin), Stdout: out})
	} else {
		err = r.program(ctx, out)
	}
	out.end()
	var exit *exec.ExitError
	var failed *lua.Error
	e := &ScriptError{Package: r.Package, Kind: r.Kind, Status: -1, Output: out.last()}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		e.Message = context.Cause(ctx).Error()
	case errors.As(err, &failed):
		if e.Status = failed.Status; e.Status == 0 {
			return nil
		}
		e.Message = failed.Message
	case errors.As(err, &exit):
		e.Status = exit.ExitCode()
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			e.Status = 128 + int(ws.Signal())
		}
	default:
		e.Message = err.Error()
	}
	return e
}

// program runs a scriptlet by the program that interprets it.
func (r *scriptRun) program(ctx context.Context, out io.Writer) error {
	const file = "/run/treewright/scriptlet"
	args := append([]string{}, r.Interpreter...)
	if len(args) == 0 {
		return errors.New("no interpreter")
	}
	if r.Body != "" {
		if err := os.WriteFile(file, []byte(r.Body), 0o700); err != nil {
			return err
		}
		defer os.Remove(file)
		args = append(append(args, file), r.Args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(r.Stdin), out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // what a script leaves running keeps no pipe open
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}

// lines passes lines on with a prefix, and keeps the last ones.
type lines struct {
	prefix string
	to     io.Writer

	mu   sync.Mutex
	part []byte
	kept []string
}

// maxLine is the longest line that is passed on in one piece, in bytes.
const maxLine = 4096

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, p...)
	for {
		i := bytes.IndexByte(l.part, '\n')
		if i < 0 {
			if len(l.part) < maxLine {
				return len(p), nil
			}
			i = len(l.part)
		}
		l.line(string(l.part[:i]))
		l.part = l.part[min(i+1, len(l.part)):]
	}
}

func (l *lines) line(s string) {
	fmt.Fprintf(l.to, "%s%s\n", l.prefix, s)
	if s = strings.TrimSpace(s); s != "" {
		l.kept = append(l.kept, s)
		l.kept = l.kept[max(0, len(l.kept)-5):]
	}
}

func (l *lines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.part) > 0 {
		l.line(string(l.part))
		l.part = nil
	}
}

func (l *lines) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.kept, " | ")
}
