package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/treewright/treewright/cmd/treewright/ostreecmd"
	"github.com/treewright/treewright/pkg/fsutil"
)

const generated = "<!-- Written by `make docs` from the commands; do not edit. -->\n\n"

// docsCommand writes the reference pages from the commands themselves.
func docsCommand() *cli.Command {
	return &cli.Command{
		Name: "docs", Usage: "write cli.md, ostree.md and treewright.1 from the commands", Hidden: true,
		Flags: []cli.Flag{&cli.PathFlag{Name: "dir", Value: "docs", Usage: "`DIR` for the pages"}},
		Action: func(c *cli.Context) error {
			if err := nArgs(c, 0, 0); err != nil {
				return err
			}
			app := *c.App
			app.Version = "" // the pages are those of the commit that they lie in
			md, err := app.ToMarkdown()
			if err != nil {
				return err
			}
			md = generated + strings.TrimSpace(md) + "\n"
			man, err := app.ToManWithSection(1)
			if err != nil {
				return err
			}
			var ref strings.Builder
			ref.WriteString(generated + "# The ostree command\n\nAs `treewright ostree …`, or through a link named `ostree` to the program.\n")
			if err := ostreecmd.Reference(&ref); err != nil {
				return err
			}
			for name, text := range map[string]string{"cli.md": md, "treewright.1": man, "ostree.md": ref.String()} {
				if err := fsutil.WriteBytes(filepath.Join(c.Path("dir"), name), 0o644, []byte(text)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// completions are the scripts that make a shell ask the program itself.
var completions = map[string]string{
	"bash": `_treewright() {
	local cur=${COMP_WORDS[COMP_CWORD]}
	COMPREPLY=($(compgen -W "$("${COMP_WORDS[@]:0:COMP_CWORD}" --generate-bash-completion 2>/dev/null)" -- "$cur"))
	[ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -F _treewright treewright
[[ $(readlink -f "$(type -P ostree)") != */treewright ]] || complete -F _treewright ostree
`,
	"zsh": `#compdef treewright
_treewright() {
	local -a opts
	opts=("${(@f)$(${words[@]:0:#words[@]-1} --generate-bash-completion 2>/dev/null)}")
	_describe 'values' opts || _files
}
compdef _treewright treewright
`,
}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", ArgsUsage: "SHELL", Usage: "print the completion script for bash, zsh or fish",
		Description: `For example: treewright completion bash > /etc/bash_completion.d/treewright`,
		Action: func(c *cli.Context) error {
			if err := nArgs(c, 1, 1); err != nil {
				return err
			}
			script, ok := completions[c.Args().First()]
			if c.Args().First() == "fish" {
				var err error
				if script, err = c.App.ToFishCompletion(); err != nil {
					return err
				}
				ok = true
			}
			if !ok {
				return usagef("completion: shell %q: want bash, zsh or fish", c.Args().First())
			}
			_, err := fmt.Fprint(c.App.Writer, script)
			return err
		},
	}
}
