package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/treewright/treewright/composer"
)

func diffCommand() *cli.Command {
	return &cli.Command{
		Name: "diff", ArgsUsage: "OLD NEW", Usage: "what changed between two commits",
		Description: `OLD and NEW are refs, checksums, or either with ^ for the parent. The packages are
those that the commits' metadata lists, in the shape of "rpm-ostree db diff".`,
		Flags: sharedFlags(
			&cli.BoolFlag{Name: "files", Usage: "also compare the trees, file by file"},
		),
		Action: func(c *cli.Context) error {
			if err := nArgs(c, 2, 2); err != nil {
				return err
			}
			cfg, err := config(c)
			if err != nil {
				return err
			}
			d, err := composer.DiffCommits(c.Context, composer.DiffOptions{
				Config: cfg, Old: c.Args().Get(0), New: c.Args().Get(1), Files: c.Bool("files"),
			})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c, d)
			}
			fmt.Fprintf(c.App.Writer, "from %s\nto   %s\n", d.From, d.To)
			for _, p := range d.Packages {
				printPackageChange(c, p)
			}
			for _, f := range d.Files {
				fmt.Fprintf(c.App.Writer, "%c    %s  %+d B\n", f.Kind, f.Path, f.NewSize-f.OldSize)
			}
			if len(d.Packages) == 0 && len(d.Files) == 0 {
				fmt.Fprintln(c.App.Writer, "no package changed")
			}
			return nil
		},
	}
}

func printPackageChange(c *cli.Context, p composer.PackageChange) {
	switch p.Kind {
	case composer.Added:
		fmt.Fprintf(c.App.Writer, "added     %s\n", p.New)
	case composer.Removed:
		fmt.Fprintf(c.App.Writer, "removed   %s\n", p.Old)
	case composer.Upgraded:
		fmt.Fprintf(c.App.Writer, "upgraded  %s %s -> %s\n", p.Name, p.Old.EVR, p.New.EVR)
	case composer.Downgraded:
		fmt.Fprintf(c.App.Writer, "downgraded %s %s -> %s\n", p.Name, p.Old.EVR, p.New.EVR)
	}
}
