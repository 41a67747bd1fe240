package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/treewright/treewright/composer"
)

// resolveFlags are those of every command that resolves packages.
func resolveFlags() []cli.Flag {
	return []cli.Flag{
		&cli.PathFlag{Name: "lockfile", Usage: "lockfile `FILE` (default: TREEFILE's name with .lock.json; used when it is there)"},
		&cli.StringSliceFlag{Name: "rpm-repo", Usage: "add RPM repository `ID=URL-or-DIR`, or give the one called ID another place"},
		&cli.StringFlag{Name: "releasever", Usage: "value of $releasever (default: the treefile's)"},
	}
}

// resolveOptions reads what resolveFlags and the shared flags say.
func resolveOptions(c *cli.Context) (composer.ResolveOptions, error) {
	cfg, err := config(c)
	o := composer.ResolveOptions{
		Config: cfg, Treefile: c.Args().First(), Lockfile: c.Path("lockfile"),
		Locked: c.Bool("locked"), Releasever: c.String("releasever"),
	}
	if err != nil {
		return o, err
	}
	for _, s := range c.StringSlice("rpm-repo") {
		id, place, err := splitPair("rpm-repo", s)
		if err != nil {
			return o, err
		}
		o.RPMRepos = append(o.RPMRepos, composer.RPMRepo{ID: id, Place: place})
	}
	return o, nil
}

func lockCommand() *cli.Command {
	return &cli.Command{
		Name: "lock", ArgsUsage: "TREEFILE", Usage: "resolve the packages and write the lockfile",
		Description: `Writes rpm-ostree's lockfile format. Packages that the lockfile names already stay as
they are; with --update all are resolved anew, with --update-package only those.`,
		Flags: append(sharedFlags(resolveFlags()...),
			&cli.BoolFlag{Name: "update", Usage: "take the newest of every package"},
			&cli.StringSliceFlag{Name: "update-package", Usage: "take the newest of `PACKAGE`"},
		),
		Action: func(c *cli.Context) error {
			if err := nArgs(c, 1, 1); err != nil {
				return err
			}
			o, err := resolveOptions(c)
			if err != nil {
				return err
			}
			report, err := composer.Lock(c.Context, composer.LockOptions{
				ResolveOptions: o, UpdateAll: c.Bool("update"), Update: c.StringSlice("update-package"),
			})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c, report)
			}
			for _, p := range report.Changes {
				printPackageChange(c, p)
			}
			fmt.Fprintf(c.App.Writer, "%d packages in %s\n", len(report.Packages), report.Lockfile)
			return nil
		},
	}
}
