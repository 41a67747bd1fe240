package ostreecmd

import (
	"context"
	"fmt"

	"github.com/treewright/treewright/pkg/ostree"
)

func fsckCommand() *command {
	c := newCommand("fsck", "", "Check every object")
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		report, err := r.Fsck(ctx)
		if err != nil {
			return err
		}
		for _, bad := range report.Errors {
			fmt.Fprintln(e.Err, bad)
		}
		if n := len(report.Errors); n > 0 {
			return fmt.Errorf("%d problems in %d objects of %d commits: %w", n, report.Objects, report.Commits, ostree.ErrCorrupt)
		}
		e.printf("object fsck of %d commits completed successfully - no errors found.\n", report.Commits)
		return nil
	}
	return c
}
