package ostreecmd

import (
	"context"
	"fmt"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

func initCommand() *command {
	c := newCommand("init", "", "Make an empty repository")
	mode := c.flags.String("mode", "bare", "how objects are stored: `MODE` is bare, bare-user, bare-user-only or archive")
	id := c.flags.String("collection-id", "", "the repository's refs belong to the collection `COLLECTION-ID`")
	c.run = func(_ context.Context, e *env) error {
		m, err := ostree.ParseMode(*mode)
		if err != nil {
			return fmt.Errorf("Invalid mode '%s' in repository configuration", *mode)
		}
		if e.given("collection-id") {
			if err := ostree.CheckCollection(*id); err != nil {
				return invalidCollection(*id)
			}
		}
		_, err = repo.CreateWith(e.where(), repo.CreateOptions{Mode: m, Collection: *id})
		return err
	}
	return c
}
