package fetch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/treewright/treewright/pkg/repodata"
)

// Filelists tells which packages of a repository have the files in want, by the
// packages' numbers. What it has found out is kept for the next time.
func (c *Client) Filelists(ctx context.Context, cfg repodata.RepoConfig, repo *repodata.Repo, want []string, found func(i int, path string)) error {
	rem, err := c.remote(cfg)
	if err != nil {
		return err
	}
	if rem.index == nil || repo.Packed == nil {
		return nil // a folder: all files are known
	}
	d, ok := rem.index.Find("filelists")
	if !ok {
		return nil
	}
	owners, err := c.owners(ctx, rem, d, want)
	if err != nil {
		return fmt.Errorf("RPM repository %s: %w", cfg.ID, err)
	}
	paths := map[string][]string{} // by package
	for _, path := range want {
		for _, id := range owners[path] {
			paths[id] = append(paths[id], path)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	for i := range repo.Packed.Len() {
		for _, path := range paths[fmt.Sprintf("%x", repo.Packed.Pkgid(i))] {
			found(i, path)
		}
	}
	return nil
}

// owners lists the checksums of the packages that have files.
func (c *Client) owners(ctx context.Context, rem *remote, d repodata.Data, want []string) (map[string][]string, error) {
	file := c.parsedFile(d, ".files")
	known := map[string][]string{}
	if b, err := os.ReadFile(file); err == nil && json.Unmarshal(b, &known) != nil {
		known = map[string][]string{} // of another version, or damaged
	}
	set := map[string]bool{}
	for _, path := range want {
		if _, ok := known[path]; !ok {
			set[path] = true
		}
	}
	if len(set) == 0 {
		return known, nil
	}
	c.step("looking for files in "+rem.cfg.ID, 0, 0)
	fresh := map[string][]string{}
	err := c.metadata(ctx, rem, d, func(r io.Reader) error {
		clear(fresh)
		return repodata.ParseFilelists(&cancelled{ctx, r}, set, func(id, path string) { fresh[path] = append(fresh[path], id) })
	})
	if err != nil {
		return nil, err
	}
	for path := range set {
		slices.Sort(fresh[path])
		known[path] = append([]string{}, fresh[path]...)
	}
	b, err := json.Marshal(known)
	if err == nil {
		err = write(file, b)
	}
	if err != nil {
		c.log().WithError(err).Warn("what files packages have is not kept")
	}
	return known, nil
}

// cancelled ends a reader with its context.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelled) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
