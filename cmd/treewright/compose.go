package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/treewright/treewright/composer"
)

// composeFlags are those of compose, which build has too.
func composeFlags() []cli.Flag {
	return append(resolveFlags(),
		&cli.BoolFlag{Name: "locked", Usage: "take exactly the lockfile's packages, and fail when it does not fit"},
		&cli.StringSliceFlag{Name: "add-metadata-string", Usage: "put `KEY=VALUE` into the commit's metadata"},
		&cli.StringFlag{Name: "parent", Usage: "parent `REV` of the commit (default: the ref's commit)"},
		&cli.BoolFlag{Name: "no-parent", Usage: "make a commit without a parent"},
		&cli.BoolFlag{Name: "force", Usage: "make a commit though no input changed"},
		&cli.StringFlag{Name: "scripts", Value: "run", Usage: "postprocess scripts: `run or skip`"},
		&cli.PathFlag{Name: "touch-if-changed", Usage: "set the time of `FILE` when there is a new commit"},
		&cli.PathFlag{Name: "write-commitid-to", Usage: "write the checksum to `FILE`, and leave the ref as it is"},
		&cli.PathFlag{Name: "write-composejson-to", Usage: "write facts of the compose to `FILE`, as rpm-ostree does"},
		&cli.BoolFlag{Name: "unchanged-exit-77", Usage: "exit with status 77 when no input changed"},
	)
}

func composeOptions(c *cli.Context) (composer.ComposeOptions, error) {
	r, err := resolveOptions(c)
	o := composer.ComposeOptions{
		ResolveOptions: r,
		Parent:         c.String("parent"), NoParent: c.Bool("no-parent"), Force: c.Bool("force"),
		TouchIfChanged: c.Path("touch-if-changed"), CommitIDFile: c.Path("write-commitid-to"),
		ComposeJSONFile: c.Path("write-composejson-to"),
	}
	if err != nil {
		return o, err
	}
	switch c.String("scripts") {
	case "run":
	case "skip":
		o.SkipScripts = true
	default:
		return o, usagef("--scripts %q: want run or skip", c.String("scripts"))
	}
	if o.NoParent && o.Parent != "" {
		return o, usagef("--parent and --no-parent exclude each other")
	}
	for _, s := range c.StringSlice("add-metadata-string") {
		k, v, err := splitPair("add-metadata-string", s)
		if err != nil {
			return o, err
		}
		o.Metadata = append(o.Metadata, composer.MetadataString{Key: k, Value: v})
	}
	return o, nil
}

func composeCommand() *cli.Command {
	return &cli.Command{
		Name: "compose", ArgsUsage: "TREEFILE", Usage: "make an OSTree commit from a treefile",
		Description: `What "rpm-ostree compose tree" does, without root. The last line of the output is
the commit's checksum. When no input changed since the ref's commit, no commit is made
and that one's checksum is printed.`,
		Flags: append(sharedFlags(composeFlags()...),
			&cli.BoolFlag{Name: "dry-run", Usage: "resolve the packages, print them, and stop"},
			&cli.BoolFlag{Name: "explain", Usage: "tell which stages would run, and because of which input, and stop"},
			&cli.BoolFlag{Name: "print-only", Usage: "print the treefile with all includes merged, and stop"},
		),
		Action: func(c *cli.Context) error {
			if err := nArgs(c, 1, 1); err != nil {
				return err
			}
			o, err := composeOptions(c)
			if err != nil {
				return err
			}
			switch {
			case c.Bool("print-only"):
				flat, err := composer.Flatten(c.Context, o.ResolveOptions)
				if err == nil {
					_, err = c.App.Writer.Write(flat)
				}
				return err
			case c.Bool("explain"):
				return printPlan(c, o)
			case c.Bool("dry-run"):
				return printResolved(c, o.ResolveOptions)
			}
			report, err := composer.Compose(c.Context, o)
			if err != nil {
				return err
			}
			if err := printCompose(c, report); err != nil {
				return err
			}
			if report.Unchanged && c.Bool("unchanged-exit-77") {
				return errUnchanged
			}
			return nil
		},
	}
}

func printPlan(c *cli.Context, o composer.ComposeOptions) error {
	plan, err := composer.Explain(c.Context, o)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, map[string]any{"stages": plan})
	}
	for _, s := range plan {
		does := "does not run"
		if s.Runs {
			does = "runs"
		}
		fmt.Fprintf(c.App.Writer, "%-9s %s\n", s.Stage, does)
		for _, why := range s.Because {
			fmt.Fprintf(c.App.Writer, "          %s\n", why)
		}
	}
	return nil
}

func printResolved(c *cli.Context, o composer.ResolveOptions) error {
	packages, err := composer.Resolve(c.Context, o)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, map[string]any{"packages": packages})
	}
	for _, p := range packages {
		fmt.Fprintf(c.App.Writer, "%s (%s)\n", p.NEVRA, p.Repo)
	}
	fmt.Fprintf(c.App.Writer, "%d packages\n", len(packages))
	return nil
}

func printCompose(c *cli.Context, r *composer.ComposeReport) error {
	if c.Bool("json") {
		return printJSON(c, r)
	}
	out := c.App.Writer
	if r.Unchanged {
		fmt.Fprintln(out, "no input changed since the last commit (--force makes one all the same)")
	} else {
		fmt.Fprintf(out, "ref      %s\nversion  %s\npackages %d\nobjects  %d new of %d\n",
			orNone(r.Ref), orNone(r.Version), len(r.Packages), r.ObjectsWritten, r.Objects)
	}
	_, err := fmt.Fprintln(out, r.Commit)
	return err
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}
