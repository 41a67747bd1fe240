package ostreecmd

import (
	"context"
	"errors"

	"github.com/treewright/treewright/pkg/ostree/repo"
)

func revParseCommand() *command {
	c := newCommand("rev-parse", "REV", "Print the checksum that a revision stands for")
	single := c.flags.BoolP("single", "S", false, "print the one commit that the repository has; none or several are an error")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		switch {
		case *single && len(e.args) > 0:
			return usagef("Cannot specify arguments with --single")
		case *single:
			return e.printSingle(r)
		case len(e.args) == 0:
			return usagef("REV must be specified")
		}
		for _, rev := range e.args {
			sum, err := r.Resolve(rev)
			if err != nil {
				return err
			}
			e.printf("%s\n", sum)
		}
		return nil
	}
	return c
}

// printSingle prints the repository's one commit.
func (e *env) printSingle(r *repo.Repo) error {
	commits, err := r.Commits()
	switch {
	case err != nil:
		return err
	case len(commits) == 0:
		return errors.New("No commit objects found")
	case len(commits) > 1:
		return errors.New("Multiple commit objects found")
	}
	e.printf("%s\n", commits[0])
	return nil
}
