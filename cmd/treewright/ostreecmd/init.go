package ostreecmd

import (
	"context"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

func initCommand() *command {
	c := newCommand("init", "", "Make an empty repository")
	mode := c.flags.String("mode", "bare", "how objects are stored: `MODE` is bare, bare-user, bare-user-only or archive")
	c.run = func(_ context.Context, e *env) error {
		m, err := ostree.ParseMode(*mode)
		if err != nil {
			return err
		}
		_, err = repo.Create(e.where(), m)
		return err
	}
	return c
}
