package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/treewright/treewright/cmd/treewright/ostreecmd"
)

// ostreeCommand hands over to the `ostree` command, which has flags of its own kind.
func ostreeCommand() *cli.Command {
	return &cli.Command{
		Name: "ostree", ArgsUsage: "COMMAND...", Usage: "the ostree command but admin: the same commands, flags, output and exit status",
		Description:     "A link named ostree to this program is the same. docs/ostree.md has the commands.",
		SkipFlagParsing: true,
		BashComplete:    func(c *cli.Context) { ostreecmd.Complete(c.App.Writer, c.Args().Slice()) },
		Action: func(c *cli.Context) error {
			s := ostreecmd.Streams{In: c.App.Reader, Out: c.App.Writer, Err: c.App.ErrWriter}
			if status := runOSTree(c.Context, "treewright ostree", c.Args().Slice(), s); status != 0 {
				return statusError(status)
			}
			return nil
		},
	}
}

// isOSTree tells whether the program was called by the name of the ostree command.
func isOSTree(program string) bool { return filepath.Base(program) == "ostree" }

// completionFlag is what completion scripts end a command line with.
const completionFlag = "--generate-bash-completion"

func runOSTree(ctx context.Context, name string, args []string, s ostreecmd.Streams) int {
	if n := len(args); n > 0 && args[n-1] == completionFlag { // of the link: in treewright's own name the library takes it
		if err := ostreecmd.Complete(s.Out, args[:n-1]); err != nil {
			return 1
		}
		return 0
	}
	p := ostreecmd.Program{Name: name, Version: version(), Environ: os.Environ()}
	return p.Run(ctx, args, s)
}
