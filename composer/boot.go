package composer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/treewright/treewright/pkg/qemu"
)

// BootOptions tells what to boot and what to wait for.
type BootOptions struct {
	Config
	Image     string
	Expect    string        // regular expression; empty: a login prompt
	Firmware  string        // "bios" or "uefi"
	Timeout   time.Duration // 0: none
	SerialLog string        // file that gets the serial console too; empty: none
	Write     bool          // let the machine change the image
	Console   io.Writer     // gets the serial console; nil: nobody
}

// BootReport is a successful boot.
type BootReport struct {
	Line    string  `json:"line"`    // of the console, that told it
	Seconds float64 `json:"seconds"` // until then
}

// loginPrompt is what getty prints, or the shell of an automatic login.
const loginPrompt = `(\S+ login: ?$|^\S+@\S+:\S*[#$] ?$)`

// Boot boots an image in QEMU and waits until it is up.
func Boot(ctx context.Context, o BootOptions) (*BootReport, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	if o.Expect == "" {
		o.Expect = loginPrompt
	}
	expect, err := regexp.Compile(o.Expect)
	if err != nil {
		return nil, fmt.Errorf("--expect: %w", err)
	}
	firmware := qemu.Firmware(o.Firmware)
	if firmware != qemu.BIOS && firmware != qemu.UEFI && firmware != "" {
		return nil, fmt.Errorf("firmware %q: want bios or uefi", o.Firmware)
	}
	console := o.Console
	if o.SerialLog != "" {
		f, err := os.Create(o.SerialLog)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if console == nil {
			console = f
		} else {
			console = io.MultiWriter(console, f)
		}
	}
	r, err := qemu.Boot(ctx, qemu.Options{
		Image: o.Image, Firmware: firmware, Timeout: o.Timeout, Write: o.Write, Console: console,
		Steps: []qemu.Step{{Expect: expect}},
	})
	if errors.Is(err, qemu.ErrNoQEMU) {
		return nil, &hintError{err, "install the package qemu-system-x86 (qemu-system-x86-core)"}
	}
	if err != nil {
		return nil, fmt.Errorf("boot of %s: %w", o.Image, err)
	}
	return &BootReport{Line: r.Lines[0], Seconds: r.Elapsed.Seconds()}, nil
}
