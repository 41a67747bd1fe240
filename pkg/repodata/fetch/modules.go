package fetch

import (
	"context"
	"io"

	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/repodata/modulemd"
)

// Modules adds the modules of a repository that was loaded, if it has some.
func (c *Client) Modules(ctx context.Context, cfg repodata.RepoConfig, to *modulemd.Modules) error {
	return c.extra(ctx, cfg, []string{"modules"}, func(r io.Reader) error { return to.Read(r) })
}
