package fetch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/repodata"
)

// Packages returns the path of each package's file, its size and checksum verified.
// Those of local repositories are used in their place; others are downloaded, a few
// at a time. The packages are of repositories that this Client has loaded.
//
// An error names the package, its repository and the place.
func (c *Client) Packages(ctx context.Context, packages []*repodata.Package) ([]string, error) {
	out := make([]string, len(packages))
	var total, done atomic.Int64
	for _, p := range packages {
		total.Add(p.Size)
	}
	count := func(n int64) { c.step("fetching packages", done.Add(n), total.Load()) }
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.workers())
	for i, p := range packages {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			file, err := c.pkg(ctx, p, count)
			if err != nil {
				return fmt.Errorf("package %s from %s: %w", p.NEVRA, p.Repo.ID, err)
			}
			out[i] = file
			return nil
		})
	}
	return out, group.Wait()
}

func (c *Client) pkg(ctx context.Context, p *repodata.Package, count func(int64)) (string, error) {
	if !p.Checksum.Algorithm.Strong() {
		return "", fmt.Errorf("its checksum is of kind %s, which a forger can match", p.Checksum.Algorithm)
	}
	rem := c.of(p)
	if rem == nil {
		return "", fmt.Errorf("its repository was not loaded: %w", ErrNotFound)
	}
	urls := rem.places(p.Location)
	if p.Base != "" {
		urls = []string{join(p.Base, p.Location)}
		if _, local := isLocal(urls[0]); local && !rem.isLocal() {
			return "", fmt.Errorf("%s: a repository elsewhere names a place on this machine: %w", urls[0], repodata.ErrMalformed)
		}
	}
	if file, ok := isLocal(urls[0]); ok {
		count(p.Size)
		return file, verify(file, p.Checksum, p.Size)
	}
	hex := p.Checksum.Hex
	file := filepath.Join(c.Cache, "rpms", hex[:2], hex+".rpm")
	if _, err := os.Stat(file); err == nil {
		if verify(file, p.Checksum, p.Size) == nil {
			count(p.Size)
			return file, nil
		}
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			return "", err
		}
	}
	return file, c.download(ctx, rem, urls, file, p.Checksum, p.Size, count)
}

func (r *remote) isLocal() bool {
	_, ok := isLocal(r.bases[0])
	return ok
}
