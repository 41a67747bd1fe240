package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/treewright/treewright/composer"
	"github.com/treewright/treewright/pkg/units"
)

func buildCommand() *cli.Command {
	return &cli.Command{
		Name: "build", ArgsUsage: "TREEFILE", Usage: "the whole pipeline: packages, commit, images, delta, record",
		Description: `Leaves builds/ID/ with images, lockfile and meta.json, and the commit and its static
deltas in the repository. What did not change is not made again.`,
		Flags: append(append(sharedFlags(composeFlags()...), diskFlags()...),
			&cli.IntFlag{Name: "delta-from", Value: -1, Usage: "make deltas from the `N` newest earlier commits of the ref (default: the treefile's deltas, else 1)"},
			&cli.BoolFlag{Name: "no-delta", Usage: "make no deltas"},
		),
		Action: func(c *cli.Context) error {
			if err := nArgs(c, 1, 1); err != nil {
				return err
			}
			o, err := composeOptions(c)
			if err != nil {
				return err
			}
			disk, err := diskOptions(c)
			if err != nil {
				return err
			}
			report, err := composer.Build(c.Context, composer.BuildOptions{
				ComposeOptions: o, Disk: disk, DeltaFrom: c.Int("delta-from"), NoDelta: c.Bool("no-delta"),
			})
			if err != nil {
				return err
			}
			if err := printBuild(c, report); err != nil {
				return err
			}
			if report.Unchanged && c.Bool("unchanged-exit-77") {
				return errUnchanged
			}
			return nil
		},
	}
}

func printBuild(c *cli.Context, r *composer.BuildReport) error {
	if c.Bool("json") {
		return printJSON(c, r)
	}
	out := c.App.Writer
	if r.Unchanged {
		fmt.Fprintln(out, "nothing changed since the last build (--force makes one all the same)")
	} else {
		for _, p := range r.Changes {
			printPackageChange(c, p)
		}
		for _, i := range r.Images {
			printImage(c, i)
		}
		for _, d := range r.Deltas {
			fmt.Fprintf(out, "delta     %s  from %s: %d parts, %d fallbacks, %s\n",
				d.Path, orNothing(d.From), d.Parts, d.Fallbacks, units.Bytes(d.Size))
		}
		fmt.Fprintf(out, "record    %s\n", r.Dir)
	}
	_, err := fmt.Fprintf(out, "%s %s\n", r.ID, r.Commit)
	return err
}

func orNothing(checksum string) string {
	if checksum == "" {
		return "nothing"
	}
	return checksum[:min(12, len(checksum))]
}
