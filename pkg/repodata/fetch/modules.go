package fetch

import (
	"context"
	"fmt"
	"io"

	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/repodata/modulemd"
)

// Modules adds the modules of a repository that was loaded, if it has some.
func (c *Client) Modules(ctx context.Context, cfg repodata.RepoConfig, to *modulemd.Modules) error {
	rem, err := c.remote(cfg)
	if err != nil {
		return err
	}
	if rem.index == nil {
		return nil
	}
	d, ok := rem.index.Find("modules")
	if !ok {
		return nil
	}
	if err := c.metadata(ctx, rem, d, func(r io.Reader) error { return to.Read(&cancelled{ctx, r}) }); err != nil {
		return fmt.Errorf("RPM repository %s: %w", cfg.ID, err)
	}
	return nil
}
