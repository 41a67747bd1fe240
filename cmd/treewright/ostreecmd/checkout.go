package ostreecmd

import (
	"context"

	"github.com/treewright/treewright/pkg/ostree/repo"
)

func checkoutCommand() *command {
	c := newCommand("checkout", "COMMIT [DESTINATION]", "Write a commit's files into a folder")
	user := c.flags.BoolP("user-mode", "U", false, "leave owners and attributes out")
	subpath := c.flags.String("subpath", "", "only what is in `PATH` of the commit")
	c.run = func(ctx context.Context, e *env) error {
		r, sum, err := e.commit()
		if err != nil {
			return err
		}
		dest := e.args[0]
		if len(e.args) > 1 {
			dest = e.args[1]
		}
		return r.Checkout(ctx, sum, dest, repo.CheckoutOptions{UserMode: *user, Subpath: *subpath})
	}
	return c
}
