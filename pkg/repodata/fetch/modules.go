package fetch

import (
	"context"

	"github.com/treewright/treewright/pkg/repodata"
)

func (c *Client) loadModules(ctx context.Context, rem *remote, repo *repodata.Repo) error { return nil }
