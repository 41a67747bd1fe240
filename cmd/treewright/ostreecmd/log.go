package ostreecmd

import (
	"context"
	"errors"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

func logCommand() *command {
	c := newCommand("log", "REV", "Show a commit and those before it")
	raw := c.flags.Bool("raw", false, "print each commit as the text of its GVariant")
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) == 0 {
			return usagef("A rev argument is required")
		}
		sum, err := r.Resolve(e.args[0])
		if err != nil {
			return err
		}
		return e.log(ctx, r, sum, dumpOptions{raw: *raw})
	}
	return c
}

func (e *env) log(ctx context.Context, r *repo.Repo, sum ostree.Checksum, o dumpOptions) error {
	for first := true; ; first = false {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		raw, err := r.ReadObject(ostree.TypeCommit, sum)
		if !first && errors.Is(err, ostree.ErrNotFound) {
			e.printf("<< History beyond this commit not fetched >>\n")
			return nil
		}
		if err != nil {
			return err
		}
		commit, err := e.dumpCommit(sum, raw, o)
		if err != nil || commit.Parent == nil {
			return err
		}
		sum = *commit.Parent
	}
}
