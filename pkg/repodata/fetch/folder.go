package fetch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/repodata/index"
)

// plainFolder tells whether a repository is a folder of packages without metadata.
func plainFolder(cfg repodata.RepoConfig) (dir string, ok bool) {
	if len(cfg.BaseURL) != 1 || cfg.Mirrorlist != "" || cfg.Metalink != "" || cfg.RepoGPGCheck {
		return "", false
	}
	dir, ok = isLocal(cfg.BaseURL[0])
	if !ok {
		return "", false
	}
	if _, err := os.Stat(filepath.Join(dir, "repodata")); err == nil {
		return "", false
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.rpm"))
	return dir, err == nil && len(found) > 0
}

// loadFolder reads the packages of a folder.
func (c *Client) loadFolder(ctx context.Context, rem *remote, repo *repodata.Repo, dir string) error {
	rem.bases = []string{dir}
	files, err := filepath.Glob(filepath.Join(dir, "*.rpm"))
	if err != nil {
		return err
	}
	found := make([]*repodata.Package, len(files))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.workers())
	for i, file := range files {
		group.Go(func() (err error) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if found[i], err = index.Package(file); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, p := range found {
		if p != nil { // a source package
			p.Repo = repo
			repo.Packages = append(repo.Packages, p)
			repo.Timestamp = max(repo.Timestamp, p.BuildTime)
		}
	}
	repodata.Sort(repo.Packages)
	return nil
}
