package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/delta"
)

func staticDeltaCommand() *command {
	return newGroup("static-delta", "Static delta related commands",
		deltaListCommand(), deltaShowCommand(), deltaDeleteCommand(), deltaGenerateCommand(), deltaApplyCommand(), deltaVerifyCommand(), deltaIndexesCommand(), deltaReindexCommand())
}

// deltaName reads the name of a delta from the command line.
func (e *env) deltaName() (from *ostree.Checksum, to ostree.Checksum, err error) {
	if len(e.args) == 0 {
		return nil, to, errors.New("DELTA must be specified")
	}
	from, to, err = ostree.ParseDeltaName(e.args[0])
	if err != nil {
		rev, _, _ := strings.Cut(e.args[0], "-")
		return nil, to, &revError{rev}
	}
	return from, to, nil
}

func deltaListCommand() *command {
	c := newCommand("list", "", "List static delta files")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		names, err := r.DeltaNames()
		if err != nil {
			return err
		}
		e.printNames(names, "(No static deltas)")
		return nil
	}
	return c
}

func deltaIndexesCommand() *command {
	c := newCommand("indexes", "", "List static delta indexes")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		names, err := r.DeltaIndexes()
		if err != nil {
			return err
		}
		e.printNames(names, "(No static deltas indexes)")
		return nil
	}
	return c
}

// printNames prints a line each, or what stands for none.
func (e *env) printNames(names []string, none string) {
	for _, n := range names {
		e.printf("%s\n", n)
	}
	if len(names) == 0 {
		e.printf("%s\n", none)
	}
}

func deltaReindexCommand() *command {
	c := newCommand("reindex", "", "Regenerate static delta indexes")
	to := c.flags.String("to", "", "only that of deltas to `REV`")
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if !e.given("to") {
			return r.Reindex(ctx, nil)
		}
		sum, err := ostree.ParseChecksum(*to)
		if err != nil {
			return &revError{*to}
		}
		return r.Reindex(ctx, &sum)
	}
	return c
}

func deltaDeleteCommand() *command {
	c := newCommand("delete", "DELTA", "Remove a delta")
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		from, to, err := e.deltaName()
		if err != nil {
			return err
		}
		err = r.DeleteDelta(ctx, delta.Dir(from, to))
		if errors.Is(err, ostree.ErrNotFound) {
			return fmt.Errorf("Can't find delta %s", delta.Name(from, to))
		}
		return err
	}
	return c
}
