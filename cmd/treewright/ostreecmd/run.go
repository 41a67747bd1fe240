package ostreecmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Program tells how the program presents itself.
type Program struct {
	Name    string // how it was called, as usage texts show it: "ostree", "treewright ostree"
	Version string
	Environ []string // KEY=VALUE, as os.Environ has them
}

// Run runs the command that args, without the program's name, call for, and returns
// the exit status.
func (p Program) Run(ctx context.Context, args []string, s Streams) int {
	out := bufio.NewWriter(s.Out)
	err := p.run(ctx, args, Streams{s.In, out, s.Err})
	if flushed := out.Flush(); err == nil {
		err = flushed
	}
	var quiet *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &quiet):
		return quiet.status
	}
	fmt.Fprintf(s.Err, "error: %s\n", sentence(err))
	if ctx.Err() != nil {
		return interrupted
	}
	return 1
}

// interrupted is the status of a program that a signal ends.
const interrupted = 130

// exitError ends the program with a status and says nothing more.
type exitError struct{ status int }

func (e *exitError) Error() string { return fmt.Sprintf("exit status %d", e.status) }

// usageError is shown behind the usage of the command.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, a ...any) error { return &usageError{fmt.Sprintf(format, a...)} }

func (p Program) run(ctx context.Context, args []string, s Streams) error {
	at := newGroup("ostree", "", commands()...)
	title := p.Name
	for at.sub != nil {
		i := word(args)
		if i < 0 {
			return p.group(at, title, args, s)
		}
		next := find(at.sub, args[i])
		if next == nil {
			return p.unknown(at, title, args, i, s)
		}
		args = append(args[:i:i], args[i+1:]...)
		at, title = next, title+" "+next.name
	}
	return p.command(ctx, at, title, args, s)
}

// word is the place of the first argument that is no option, nor the value of --repo.
func word(args []string) int {
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--":
			return -1
		case a == "--repo":
			i++
		case !strings.HasPrefix(a, "-"):
			return i
		}
	}
	return -1
}

// common are the options that every command has.
type common struct {
	repo                   *string
	verbose, version, help *bool
}

func addCommon(c *command) common {
	var o common
	if !c.noRepo {
		o.repo = c.flags.String("repo", "", "OSTree repository in `PATH` (default: the current folder, OSTREE_REPO, or that of the system)")
	}
	short := "v"
	if c.flags.ShorthandLookup(short) != nil {
		short = "" // the command's own
	}
	o.verbose = c.flags.BoolP("verbose", short, false, "tell more on standard error")
	o.version = c.flags.Bool("version", false, "print the version and exit")
	o.help = c.flags.BoolP("help", "h", false, "show the options")
	return o
}

// group handles a call of a group without a command.
func (p Program) group(c *command, title string, args []string, s Streams) error {
	o := addCommon(c)
	if err := parse(c.flags, args); err != nil {
		return err
	}
	switch {
	case *o.help:
		return p.help(s.Out, c, title)
	case *o.version:
		return p.version(s.Out)
	}
	if err := p.help(s.Err, c, title); err != nil {
		return err
	}
	if c.name == "ostree" || c.name == "static-delta" {
		return errors.New("No command specified")
	}
	return fmt.Errorf("No %q subcommand specified", c.name)
}

// unknown handles a command that is none of ours: a program ostree-NAME stands in.
func (p Program) unknown(c *command, title string, args []string, i int, s Streams) error {
	name := args[i]
	if c.name == "ostree" {
		if prog, err := exec.LookPath("ostree-" + name); err == nil || errors.Is(err, exec.ErrDot) {
			err = unix.Exec(prog, append([]string{prog}, args[i+1:]...), p.Environ)
			return fmt.Errorf("%s: %w", prog, err)
		}
	}
	if c.name == "ostree" && name == "admin" {
		return errors.New("admin is not here: hosts manage their deployments with their own ostree")
	}
	addCommon(c)
	if err := p.help(s.Err, c, title); err != nil {
		return err
	}
	if c.name == "ostree" {
		return fmt.Errorf("Unknown command '%s'%s", name, maybe(c.sub, name))
	}
	return fmt.Errorf("Unknown %q subcommand '%s'%s", c.name, name, maybe(c.sub, name))
}

// command runs a command that is no group.
func (p Program) command(ctx context.Context, c *command, title string, args []string, s Streams) error {
	o := addCommon(c)
	if err := parse(c.flags, args); err != nil {
		return err
	}
	switch {
	case *o.help:
		return p.help(s.Out, c, title)
	case *o.version:
		return p.version(s.Out)
	}
	e := &env{Streams: s, program: p, args: c.flags.Args(), flags: c.flags, verbose: *o.verbose}
	if o.repo != nil {
		e.repoPath = *o.repo
	}
	err := c.run(ctx, e)
	var wrong *usageError
	if errors.As(err, &wrong) {
		if err := p.help(s.Err, c, title); err != nil {
			return err
		}
	}
	return err
}

// parse reads options; its errors are GLib's.
func parse(f *pflag.FlagSet, args []string) error {
	err := f.Parse(args)
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return fmt.Errorf("Unknown option -%s", unknown.GetSpecifiedShortnames())
	case errors.As(err, &unknown):
		return fmt.Errorf("Unknown option --%s", unknown.GetSpecifiedName())
	case errors.As(err, &missing):
		return fmt.Errorf("Missing argument for --%s", missing.GetFlag().Name)
	case errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "int":
		return fmt.Errorf("Cannot parse integer value “%s” for --%s", invalid.GetValue(), invalid.GetFlag().Name)
	case errors.As(err, &invalid):
		return fmt.Errorf("Cannot parse value “%s” for --%s", invalid.GetValue(), invalid.GetFlag().Name)
	}
	return err
}
