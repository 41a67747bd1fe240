package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/treewright/treewright/composer"
)

func rpmmdCommand() *cli.Command {
	sub := func(name, usage string, details bool, print func(io.Writer, composer.FoundPackage)) *cli.Command {
		return &cli.Command{
			Name: name, ArgsUsage: "TREEFILE [WORD...]", Usage: usage, Flags: sharedFlags(resolveFlags()...),
			Action: func(c *cli.Context) error { return queryAction(c, details, print) },
		}
	}
	return &cli.Command{
		Name: "rpm-md", Usage: "look into the RPM repositories of a treefile",
		Description: `A WORD is one of the treefile's packages: a name, with version or architecture, a glob,
a capability, a relation, a path.`,
		Subcommands: []*cli.Command{
			sub("ls", "list packages", false, printFound),
			sub("show", "tell all about packages", true, printDetails),
			sub("deplist", "list what packages require, and what provides it", true, printNeeded),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return usagef("rpm-md: missing command: want ls, show or deplist")
			}
			return unknownCommand(c.Command.Subcommands, "rpm-md", c.Args().First())
		},
	}
}

func queryAction(c *cli.Context, details bool, print func(io.Writer, composer.FoundPackage)) error {
	if err := nArgs(c, 1, 1000); err != nil {
		return err
	}
	r, err := resolveOptions(c)
	if err != nil {
		return err
	}
	words := c.Args().Tail()
	if details && len(words) == 0 {
		return usagef("%s: missing argument: want a WORD behind the treefile", c.Command.Name)
	}
	found, err := composer.Query(c.Context, composer.QueryOptions{ResolveOptions: r, Words: words, Details: details})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, map[string]any{"packages": found})
	}
	for _, p := range found {
		print(c.App.Writer, p)
	}
	return nil
}

func printFound(w io.Writer, p composer.FoundPackage) {
	fmt.Fprintln(w, strings.TrimSpace(fmt.Sprintf("%s (%s) %s", p.NEVRA, p.Repo, p.Summary)))
}

func printDetails(w io.Writer, p composer.FoundPackage) {
	fmt.Fprintf(w, "package    %s\nrepository %s\nsummary    %s\nsize       %d, installed %d bytes\nchecksum   %s\n",
		p.NEVRA, p.Repo, p.Summary, p.Size, p.InstalledSize, p.Checksum)
	line := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				fmt.Fprintf(w, "%-10s %s\n", name, v)
			}
		}
	}
	line("license", p.License)
	line("url", p.URL)
	line("source", p.SourceRPM)
	line("groups", strings.Join(p.Groups, ", "))
	line("advisory", p.Advisories...)
	line("provides", p.Provides...)
	for _, n := range p.Requires {
		line("requires", n.Relation)
	}
	for _, n := range p.Recommends {
		line("recommends", n.Relation)
	}
	line("conflicts", p.Conflicts...)
	line("obsoletes", p.Obsoletes...)
	fmt.Fprintln(w)
}

func printNeeded(w io.Writer, p composer.FoundPackage) {
	fmt.Fprintf(w, "%s (%s)\n", p.NEVRA, p.Repo)
	for kind, list := range [][]composer.Needed{p.Requires, p.Recommends} {
		for _, n := range list {
			fmt.Fprintf(w, "  %s %s\n", []string{"requires", "recommends"}[kind], n.Relation)
			for _, q := range n.Providers {
				fmt.Fprintf(w, "    %s\n", q)
			}
			if len(n.Providers) == 0 {
				fmt.Fprintln(w, "    nothing provides it")
			}
		}
	}
}
