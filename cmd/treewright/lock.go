package main

import (
	"fmt"
	"math"

	"github.com/urfave/cli/v2"

	"github.com/treewright/treewright/composer"
)

// resolveFlags are those of every command that resolves packages.
func resolveFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "lockfile", Usage: "lockfile `FILE` (default: TREEFILE's name with .lock.json; used when it is there); given several times, the later ones override the earlier"},
		&cli.StringSliceFlag{Name: "rpm-repo", Usage: "add RPM repository `ID=URL-or-DIR`, or give the one called ID another place"},
		&cli.StringFlag{Name: "releasever", Usage: "value of $releasever (default: the treefile's)"},
		&cli.PathFlag{Name: "cachedir", Usage: "`DIR` for downloaded packages and metadata, which several workdirs may share (default: WORKDIR/cache)"},
		&cli.PathFlag{Name: "rpm-vars", Usage: "`DIR` of variables for .repo files, as /etc/dnf/vars"},
	}
}

// resolveOptions reads what resolveFlags and the shared flags say.
func resolveOptions(c *cli.Context) (composer.ResolveOptions, error) {
	cfg, err := config(c)
	o := composer.ResolveOptions{
		Config: cfg, Treefile: c.Args().First(), Lockfiles: c.StringSlice("lockfile"),
		Locked: c.Bool("locked"), Releasever: c.String("releasever"),
		Cachedir: c.Path("cachedir"), VarsDir: c.Path("rpm-vars"),
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
		Name: "lock", ArgsUsage: "TREEFILE [PACKAGE...]", Usage: "resolve the packages and write the lockfile",
		Description: `Writes rpm-ostree's lockfile format. Packages that the lockfile names already stay as
they are. With --update all are resolved anew, or only the PACKAGEs named, which may be
globs. With --locked nothing is written: the command fails when the lockfile does not
fit the treefile. Of several lockfiles the first is written, the others override it.`,
		Flags: append(sharedFlags(resolveFlags()...),
			&cli.BoolFlag{Name: "update", Usage: "take the newest of every package, or of each PACKAGE"},
			&cli.StringSliceFlag{Name: "update-package", Usage: "take the newest of `PACKAGE`"},
			&cli.BoolFlag{Name: "locked", Usage: "only check that the lockfile fits"},
		),
		Action: lockAction,
	}
}

func lockAction(c *cli.Context) error {
	most := 1
	if c.Bool("update") {
		most = math.MaxInt
	}
	if err := nArgs(c, 1, most); err != nil {
		return err
	}
	r, err := resolveOptions(c)
	if err != nil {
		return err
	}
	o := composer.LockOptions{ResolveOptions: r, Update: append(c.StringSlice("update-package"), c.Args().Tail()...)}
	o.UpdateAll = c.Bool("update") && len(o.Update) == 0
	if o.Locked && (o.UpdateAll || len(o.Update) > 0) {
		return usagef("--locked and --update exclude each other")
	}
	report, err := composer.Lock(c.Context, o)
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
}
