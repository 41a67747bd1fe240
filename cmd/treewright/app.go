package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"

	"github.com/treewright/treewright/cmd/treewright/ostreecmd"
	"github.com/treewright/treewright/composer"
	"github.com/treewright/treewright/pkg/spelling"
)

// Exit statuses; the help text lists them.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitUnsolvable  = 4
	exitCorrupt     = 5
	exitUnchanged   = 77
	exitInterrupted = 130
)

const exitHelp = `Exit status: 0 done, 1 error, 2 usage, 3 not found, 4 no solution for the packages,
5 corrupt or failed verification, 77 unchanged (only with --unchanged-exit-77),
130 interrupted.`

// errUsage marks errors of the command line itself.
var errUsage = errors.New("usage")

// usageError is an error of the command line with the text that people see.
type usageError struct{ text string }

func (e *usageError) Error() string        { return e.text }
func (e *usageError) Is(target error) bool { return target == errUsage }

func usagef(format string, a ...any) error { return &usageError{fmt.Sprintf(format, a...)} }

// statusError ends the program with a status and says nothing more.
type statusError int

func (s statusError) Error() string { return "exit status " + strconv.Itoa(int(s)) }

// errUnchanged ends a command with the status for it.
const errUnchanged = statusError(exitUnchanged)

// run is the program but for the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if isOSTree(args[0]) {
		return runOSTree(ctx, "ostree", args[1:], ostreecmd.Streams{In: os.Stdin, Out: stdout, Err: stderr})
	}
	err := newApp(stdout, stderr).RunContext(ctx, args)
	status := exitStatus(ctx, err)
	if err == nil || errors.As(err, new(statusError)) {
		return status
	}
	fmt.Fprintf(stderr, "treewright: error: %v\n", err)
	if h := hint(err); h != "" {
		fmt.Fprintf(stderr, "treewright: hint: %s\n", h)
	}
	return status
}

func exitStatus(ctx context.Context, err error) int {
	var status statusError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &status):
		return int(status)
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, composer.ErrUnsolvable):
		return exitUnsolvable
	case errors.Is(err, composer.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return exitNotFound
	case errors.Is(err, composer.ErrCorrupt):
		return exitCorrupt
	}
	return exitError
}

// hint is the sentence that says what to do next, or nothing.
func hint(err error) string {
	var h interface{ Hint() string }
	switch {
	case errors.As(err, &h):
		return h.Hint()
	case errors.Is(err, errUsage):
		return "treewright help lists the commands, treewright COMMAND --help its flags"
	}
	return ""
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v, rev, dirty := info.Main.Version, "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	if (v == "" || v == "(devel)") && rev != "" {
		return "devel-" + rev[:min(12, len(rev))] + dirty
	}
	if v == "" {
		return "devel"
	}
	return v
}

func newApp(stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:                 "treewright",
		Usage:                "from a treefile to OSTree commits, disk images and static deltas",
		UsageText:            "treewright COMMAND [flags] [arguments]",
		Description:          exitHelp,
		Version:              version(),
		Writer:               stdout,
		ErrWriter:            stderr,
		EnableBashCompletion: true,
		HideHelpCommand:      false,
		Suggest:              false,
		// A comma may stand in a package name's relation or a kernel argument.
		DisableSliceFlagSeparator: true,
		ExitErrHandler:            func(*cli.Context, error) {},
		Commands: []*cli.Command{
			buildCommand(), lockCommand(), composeCommand(), imageCommand(), diffCommand(), bootCommand(), rpmmdCommand(),
			ostreeCommand(), completionCommand(), docsCommand(),
		},
	}
	app.OnUsageError = onUsageError
	for _, c := range app.Commands {
		setUsageHandler(c)
	}
	app.Action = func(c *cli.Context) error {
		if c.NArg() == 0 {
			return cli.ShowAppHelp(c)
		}
		return unknownCommand(c.App.Commands, "treewright", c.Args().First())
	}
	return app
}

func onUsageError(_ *cli.Context, err error, _ bool) error { return usagef("%v", err) }

func setUsageHandler(c *cli.Command) {
	c.OnUsageError = onUsageError
	for _, s := range c.Subcommands {
		setUsageHandler(s)
	}
}

func unknownCommand(commands []*cli.Command, parent, name string) error {
	var names []string
	for _, c := range commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	best := spelling.Nearest(name, slices.Values(names), 3)
	if best != "" {
		return usagef("%s has no command %q: did you mean %q?", parent, name, best)
	}
	return usagef("%s has no command %q", parent, name)
}

// nArgs checks that the command has from lo to hi arguments. The library ends the
// flags at the first argument, so a flag behind it is an error here.
func nArgs(c *cli.Context, lo, hi int) error {
	args := c.Args().Slice()
	if i := slices.IndexFunc(args, func(a string) bool { return len(a) > 1 && a[0] == '-' }); i >= 0 {
		return usagef("%s: flag %s stands behind an argument: put the flags first", c.Command.Name, args[i])
	}
	switch {
	case len(args) < lo:
		return usagef("%s: missing argument: want %s", c.Command.Name, c.Command.ArgsUsage)
	case len(args) > hi:
		return usagef("%s: argument %q is one too many: want %s", c.Command.Name, args[hi], c.Command.ArgsUsage)
	}
	return nil
}

// sharedFlags are those that every pipeline command has.
func sharedFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		&cli.PathFlag{Name: "workdir", Value: ".", Usage: "`DIR` that holds cache/, repo/ and builds/"},
		&cli.PathFlag{Name: "repo", Usage: "OSTree repository `DIR` (default: WORKDIR/repo, made when missing)"},
		&cli.StringFlag{Name: "arch", Usage: "basearch to build for, e.g. x86_64 (default: this machine's)"},
		&cli.BoolFlag{Name: "offline", Usage: "use only what the cache holds"},
		&cli.BoolFlag{Name: "json", Usage: "print the result as one JSON object"},
		&cli.StringFlag{Name: "progress", Value: "auto", Usage: "`KIND` of progress on stderr: auto, plain or none"},
		&cli.StringFlag{Name: "log-level", Value: "warn", Usage: "least `LEVEL` to log: debug, info, warn or error"},
	}, more...)
}

// config reads the shared flags.
func config(c *cli.Context) (composer.Config, error) {
	cfg := composer.Config{
		Workdir: c.Path("workdir"), Repo: c.Path("repo"), Arch: c.String("arch"), Offline: c.Bool("offline"),
	}
	log := logrus.New()
	log.SetOutput(c.App.ErrWriter)
	level, err := logrus.ParseLevel(c.String("log-level"))
	if err != nil {
		return cfg, usagef("--log-level %q: want debug, info, warn or error", c.String("log-level"))
	}
	log.SetLevel(level)
	cfg.Log, cfg.Usage = log, usage
	if cfg.Progress, err = newProgress(c.String("progress"), c.App.ErrWriter); err != nil {
		return cfg, err
	}
	cfg.Time, cfg.TimeFixed, err = clock()
	return cfg, err
}

// clock is SOURCE_DATE_EPOCH, which is fixed, else the time now.
func clock() (t time.Time, fixed bool, err error) {
	s := os.Getenv("SOURCE_DATE_EPOCH")
	if s == "" {
		return time.Now(), false, nil
	}
	sec, err := strconv.ParseInt(s, 10, 64)
	if err != nil || sec < 0 {
		return t, false, usagef("SOURCE_DATE_EPOCH=%q: want seconds since 1970", s)
	}
	return time.Unix(sec, 0), true, nil
}

// splitPair reads "KEY=VALUE".
func splitPair(flag, s string) (key, value string, err error) {
	key, value, ok := strings.Cut(s, "=")
	if !ok || key == "" {
		return "", "", usagef("--%s %q: want NAME=VALUE", flag, s)
	}
	return key, value, nil
}
