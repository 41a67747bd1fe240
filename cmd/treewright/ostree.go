package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// ostreeCommand has the everyday commands of `ostree`, with its flags and its output.
func ostreeCommand() *cli.Command {
	with := func(name, args, usage string, lo, hi int, more []cli.Flag, do func(*cli.Context, *repo.Repo) error) *cli.Command {
		return &cli.Command{
			Name: name, ArgsUsage: args, Usage: usage,
			Flags: append([]cli.Flag{&cli.PathFlag{Name: "repo", Value: ".", Usage: "repository `DIR`"}}, more...),
			Action: func(c *cli.Context) error {
				if err := nArgs(c, lo, hi); err != nil {
					return err
				}
				path := c.Path("repo")
				if !c.IsSet("repo") && c.Lineage()[1].IsSet("repo") {
					path = c.Lineage()[1].Path("repo")
				}
				r, err := repo.Open(path)
				if err != nil {
					return err
				}
				return do(c, r)
			},
		}
	}
	return &cli.Command{
		Name: "ostree", Usage: "look at an OSTree repository and commit to it, as the ostree command does",
		Flags: []cli.Flag{&cli.PathFlag{Name: "repo", Value: ".", Usage: "repository `DIR`"}},
		Subcommands: []*cli.Command{
			{Name: "init", Usage: "make an empty repository", Flags: []cli.Flag{
				&cli.PathFlag{Name: "repo", Value: ".", Usage: "repository `DIR`"},
				&cli.StringFlag{Name: "mode", Value: "bare", Usage: "`MODE`: bare, bare-user or archive"},
			}, Action: initRepo},
			with("commit", "DIR", "make a commit of a folder and print its checksum", 1, 1, commitFlags(), commitFolder),
			with("refs", "[PREFIX]", "list refs", 0, 1, nil, listRefs),
			with("rev-parse", "REV", "print the checksum of a revision", 1, 1, nil, func(c *cli.Context, r *repo.Repo) error {
				sum, err := r.Resolve(c.Args().First())
				if err == nil {
					_, err = fmt.Fprintln(c.App.Writer, sum)
				}
				return err
			}),
			with("log", "REV", "show a commit and its ancestors", 1, 1, nil, logCommits),
			with("show", "REV", "show a commit", 1, 1, nil, func(c *cli.Context, r *repo.Repo) error {
				sum, err := r.Resolve(c.Args().First())
				if err != nil {
					return err
				}
				return showCommit(c, r, sum)
			}),
			with("ls", "REV [PATH]", "list files of a commit", 1, 2, []cli.Flag{
				&cli.BoolFlag{Name: "recursive", Aliases: []string{"R"}, Usage: "also what is in folders"},
			}, listFiles),
			with("checkout", "REV DEST", "write a commit's files into a new folder", 2, 2, []cli.Flag{
				&cli.BoolFlag{Name: "user-mode", Aliases: []string{"U"}, Usage: "leave owners and attributes out"},
				&cli.StringFlag{Name: "subpath", Usage: "only what is in `PATH` of the commit"},
			}, func(c *cli.Context, r *repo.Repo) error {
				sum, err := r.Resolve(c.Args().First())
				if err != nil {
					return err
				}
				return r.Checkout(c.Context, sum, c.Args().Get(1), repo.CheckoutOptions{UserMode: c.Bool("user-mode"), Subpath: c.String("subpath")})
			}),
			with("fsck", "", "check every object", 0, 0, nil, fsckRepo),
			with("summary", "", "write the summary", 0, 0, []cli.Flag{
				&cli.BoolFlag{Name: "update", Aliases: []string{"u"}, Usage: "write it anew"},
			}, func(c *cli.Context, r *repo.Repo) error {
				if !c.Bool("update") {
					return usagef("summary: want --update")
				}
				return r.UpdateSummary(time.Now().Unix())
			}),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return cli.ShowSubcommandHelp(c)
			}
			return unknownCommand(c.Command.Subcommands, "treewright ostree", c.Args().First())
		},
	}
}

func initRepo(c *cli.Context) error {
	if err := nArgs(c, 0, 0); err != nil {
		return err
	}
	mode, err := ostree.ParseMode(c.String("mode"))
	if err != nil {
		return err
	}
	_, err = repo.Create(c.Path("repo"), mode)
	return err
}

func listRefs(c *cli.Context, r *repo.Repo) error {
	refs, err := r.Refs()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		if p := c.Args().First(); p != "" {
			rest, ok := strings.CutPrefix(name, p+"/")
			if !ok {
				continue
			}
			name = rest
		}
		fmt.Fprintln(c.App.Writer, name)
	}
	return nil
}

func logCommits(c *cli.Context, r *repo.Repo) error {
	sum, err := r.Resolve(c.Args().First())
	if err != nil {
		return err
	}
	for {
		if err := showCommit(c, r, sum); err != nil {
			return err
		}
		commit, err := r.ReadCommit(sum)
		if err != nil || commit.Parent == nil {
			return err
		}
		sum = *commit.Parent
		if ok, err := r.Has(ostree.TypeCommit, sum); err != nil || !ok {
			fmt.Fprintln(c.App.Writer, "<< History beyond this commit not fetched >>")
			return err
		}
	}
}

func showCommit(c *cli.Context, r *repo.Repo, sum ostree.Checksum) error {
	commit, err := r.ReadCommit(sum)
	if err != nil {
		return err
	}
	out := c.App.Writer
	fmt.Fprintf(out, "commit %s\n", sum)
	if commit.Parent != nil {
		fmt.Fprintf(out, "Parent:  %s\n", commit.Parent)
	}
	fmt.Fprintf(out, "ContentChecksum:  %s\nDate:  %s\n", commit.ContentChecksum(), time.Unix(int64(commit.Timestamp), 0).UTC().Format("2006-01-02 15:04:05 -0700"))
	if v := commit.Version(); v != "" {
		fmt.Fprintf(out, "Version: %s\n", v)
	}
	subject := commit.Subject
	if subject == "" {
		subject = "(no subject)"
	}
	fmt.Fprintf(out, "\n    %s\n", subject)
	if commit.Body != "" {
		fmt.Fprintf(out, "\n    %s\n", strings.ReplaceAll(strings.TrimRight(commit.Body, "\n"), "\n", "\n    "))
	}
	_, err = fmt.Fprintln(out)
	return err
}

func listFiles(c *cli.Context, r *repo.Repo) error {
	sum, err := r.Resolve(c.Args().First())
	if err != nil {
		return err
	}
	root, err := r.ReadTree(c.Context, sum)
	if err != nil {
		return err
	}
	at := strings.Trim(c.Args().Get(1), "/")
	top := root.Lookup(at)
	if top == nil {
		return fmt.Errorf("/%s in the commit: %w", at, ostree.ErrNotFound)
	}
	return top.Walk(func(p string, n *filetree.Node) error {
		full := "/" + strings.Trim(at+"/"+p, "/")
		printEntry(c, full, n)
		if n.Kind == filetree.Dir && p != "" && !c.Bool("recursive") {
			return filetree.SkipDir
		}
		return nil
	})
}

func printEntry(c *cli.Context, path string, n *filetree.Node) {
	kind, link := byte('-'), ""
	switch n.Kind {
	case filetree.Dir:
		kind = 'd'
	case filetree.Symlink:
		kind, link = 'l', " -> "+n.Target
	}
	fmt.Fprintf(c.App.Writer, "%c%05o %d %d %6d %s%s\n", kind, n.Mode, n.UID, n.GID, n.Size, path, link)
}

func fsckRepo(c *cli.Context, r *repo.Repo) error {
	report, err := r.Fsck(c.Context)
	if err != nil {
		return err
	}
	for _, e := range report.Errors {
		fmt.Fprintln(c.App.ErrWriter, e)
	}
	if n := len(report.Errors); n > 0 {
		return fmt.Errorf("%d problems in %d objects of %d commits: %w", n, report.Objects, report.Commits, ostree.ErrCorrupt)
	}
	_, err = fmt.Fprintf(c.App.Writer, "object fsck of %d commits completed successfully - no errors found.\n", report.Commits)
	return err
}
