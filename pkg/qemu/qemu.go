// Package qemu boots a disk image in QEMU and watches its serial console.
//
// The machine is a q35 with virtio devices, two processors and no display; the
// disk is opened as a snapshot, so the image stays as it is. Emulation (TCG) is
// used always: it is there on every host, and a boot takes about a minute.
package qemu

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Errors that a caller can tell apart.
var (
	ErrNoQEMU  = errors.New("QEMU is not installed")
	ErrTimeout = errors.New("timed out")
	ErrEnded   = errors.New("the machine ended")
)

// Firmware is what starts the boot loader.
type Firmware string

// The kinds of firmware.
const (
	BIOS Firmware = "bios"
	UEFI Firmware = "uefi"
)

// ovmf lists where distributions put OVMF: code, and the template of its variables.
var ovmf = [][2]string{
	{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
	{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
	{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
	{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
}

// Options tells what to boot and what to wait for.
type Options struct {
	Image    string   // path of the disk image
	Format   string   // raw, qcow2, vdi, …; empty: by the file's first bytes
	Firmware Firmware // empty: BIOS
	Memory   int      // MiB; 0: 1024
	Write    bool     // let the machine change the image

	// Steps are waited for in this order; the boot is a success when all were seen.
	Steps []Step
	// Extra are more arguments of QEMU.
	Extra   []string
	Timeout time.Duration // from the start; 0: none but the context's
	Console io.Writer     // gets the serial console as it comes; nil: nobody
}

// Step is something to wait for on the serial console and an answer to type.
type Step struct {
	Expect *regexp.Regexp // matched against a line, also one that is not complete yet
	Send   string         // typed when it was seen; "\n" ends a line
}

// Result is a successful boot.
type Result struct {
	Lines   []string      // the line that each step matched, escape sequences removed
	Elapsed time.Duration // until the last step was seen
}

// Boot starts the machine, waits for the steps, and stops it.
//
// The error wraps [ErrNoQEMU], [ErrTimeout], [ErrEnded] when QEMU went away
// first, or the context's cause; it quotes the console's last lines.
func Boot(ctx context.Context, o Options) (*Result, error) {
	program, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		return nil, fmt.Errorf("qemu-system-x86_64: %w", ErrNoQEMU)
	}
	if _, err := os.Stat(o.Image); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "treewright-boot-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	args, err := o.args(dir)
	if err != nil {
		return nil, err
	}
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("no answer within %v: %w", o.Timeout, ErrTimeout))
		defer cancel()
	}
	return o.watch(ctx, program, args)
}

// args is QEMU's command line; files that it changes are made in dir.
func (o *Options) args(dir string) ([]string, error) {
	format := o.Format
	if format == "" {
		var err error
		if format, err = Detect(o.Image); err != nil {
			return nil, err
		}
	}
	snapshot := "on"
	if o.Write {
		snapshot = "off"
	}
	memory := o.Memory
	if memory == 0 {
		memory = 1024
	}
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-monitor", "none",
		"-accel", "tcg,thread=multi", "-machine", "q35", "-cpu", "qemu64", "-smp", "2", "-m", fmt.Sprint(memory),
		"-drive", fmt.Sprintf("file=%s,format=%s,if=none,id=d0,cache=unsafe,snapshot=%s", strings.ReplaceAll(o.Image, ",", ",,"), format, snapshot),
		"-device", "virtio-blk-pci,drive=d0",
		"-netdev", "user,id=n0,restrict=on", "-device", "virtio-net-pci,netdev=n0,romfile=",
		"-device", "virtio-rng-pci",
	}
	if o.Firmware == UEFI {
		firmware, err := uefiArgs(dir)
		if err != nil {
			return nil, err
		}
		args = append(args, firmware...)
	}
	return append(args, o.Extra...), nil
}

func uefiArgs(dir string) ([]string, error) {
	for _, f := range ovmf {
		vars, err := os.ReadFile(f[1])
		if err != nil {
			continue
		}
		own := filepath.Join(dir, "vars.fd")
		if err := os.WriteFile(own, vars, 0o600); err != nil {
			return nil, err
		}
		return []string{
			"-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + f[0],
			"-drive", "if=pflash,format=raw,unit=1,file=" + own,
		}, nil
	}
	return nil, errors.New("no OVMF firmware found for a UEFI boot: install the package ovmf (edk2-ovmf)")
}

// Detect tells an image's format by its first bytes.
func Detect(image string) (string, error) {
	f, err := os.Open(image)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, 68)
	if _, err := io.ReadFull(f, head); err != nil {
		return "", fmt.Errorf("%s: too short for a disk image", image)
	}
	switch {
	case bytes.HasPrefix(head, []byte("QFI\xfb")):
		return "qcow2", nil
	case bytes.Equal(head[64:68], []byte{0x7f, 0x10, 0xda, 0xbe}):
		return "vdi", nil
	case bytes.HasPrefix(head, []byte("KDMV")):
		return "vmdk", nil
	}
	return "raw", nil
}

// watch runs QEMU and feeds its console to the steps.
func (o *Options) watch(ctx context.Context, program string, args []string) (*Result, error) {
	start := time.Now()
	cmd := exec.Command(program, args...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer pr.Close()
	cmd.Stdout, cmd.Stderr = pw, pw
	err = cmd.Start()
	pw.Close()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	defer stop()
	c := console{steps: o.Steps, answer: stdin, copy: o.Console}
	seen := c.follow(bufio.NewReader(pr))
	elapsed := time.Since(start)
	cmd.Process.Kill()
	io.Copy(io.Discard, pr)
	cmd.Wait()
	if seen {
		return &Result{Lines: c.seen, Elapsed: elapsed}, nil
	}
	cause := context.Cause(ctx)
	if cause == nil {
		cause = ErrEnded
	}
	return nil, fmt.Errorf("waited for %q: %w; the console's last lines:\n%s", c.wanted(), cause, strings.Join(c.last, "\n"))
}

// console matches what a machine prints against the steps.
type console struct {
	steps  []Step
	answer io.Writer
	copy   io.Writer
	seen   []string // line of each step done
	last   []string // the last lines, for errors
}

const (
	keepLines = 15
	maxLine   = 16 << 10 // bytes; a longer line is cut in pieces
)

func (c *console) wanted() string {
	if len(c.seen) < len(c.steps) {
		return c.steps[len(c.seen)].Expect.String()
	}
	return ""
}

// follow reads until all steps were seen (true) or the console ends.
func (c *console) follow(r *bufio.Reader) bool {
	var line []byte
	for len(c.seen) < len(c.steps) {
		b, err := r.ReadByte()
		if err != nil {
			return false
		}
		if c.copy != nil {
			c.copy.Write([]byte{b})
		}
		if b != '\n' && len(line) < maxLine {
			line = append(line, b)
			if r.Buffered() > 0 {
				continue // look at an unfinished line only when nothing more is there
			}
		}
		text := plain(line)
		if b == '\n' || len(line) >= maxLine {
			line = line[:0]
			c.last = append(c.last[max(0, len(c.last)-keepLines+1):], text)
		}
		if c.match(text) {
			line = line[:0]
		}
	}
	return true
}

// match tries the next step on a line and types its answer.
func (c *console) match(text string) bool {
	s := c.steps[len(c.seen)]
	if !s.Expect.MatchString(text) {
		return false
	}
	c.seen = append(c.seen, text)
	if s.Send != "" {
		io.WriteString(c.answer, s.Send) // a machine that is gone is seen at the next read
	}
	return true
}

var escape = regexp.MustCompile(`\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9]|[A-Za-z=>78])`)

// plain removes terminal escape sequences and carriage returns.
func plain(line []byte) string {
	return strings.ReplaceAll(string(escape.ReplaceAll(line, nil)), "\r", "")
}
