package fetch

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/treewright/treewright/pkg/repodata"
)

// Comps loads the groups of a repository that was loaded; nil when it has none.
func (c *Client) Comps(ctx context.Context, cfg repodata.RepoConfig) (out *repodata.Comps, err error) {
	err = c.extra(ctx, cfg, []string{"group_gz", "group_xz", "group_zst", "group"}, func(r io.Reader) (err error) {
		out, err = repodata.ParseComps(r)
		return err
	})
	return out, err
}

// Advisories loads the advisories of a repository that was loaded.
func (c *Client) Advisories(ctx context.Context, cfg repodata.RepoConfig) (out []repodata.Advisory, err error) {
	err = c.extra(ctx, cfg, []string{"updateinfo"}, func(r io.Reader) (err error) {
		out, err = repodata.ParseUpdateinfo(r)
		return err
	})
	return out, err
}

// extra reads the first of some types of metadata that the repository has.
func (c *Client) extra(ctx context.Context, cfg repodata.RepoConfig, types []string, use func(io.Reader) error) error {
	rem, err := c.remote(cfg)
	if err != nil || rem.index == nil {
		return err
	}
	i := slices.IndexFunc(types, func(t string) bool { _, ok := rem.index.Find(t); return ok })
	if i < 0 {
		return nil
	}
	d, _ := rem.index.Find(types[i])
	if err := c.metadata(ctx, rem, d, func(r io.Reader) error { return use(&cancelled{ctx, r}) }); err != nil {
		return fmt.Errorf("RPM repository %s: %w", cfg.ID, err)
	}
	return nil
}
