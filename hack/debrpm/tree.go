package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// writeTree unpacks the packages asked for into one folder: a tree such as people
// commit, without its maintainer scripts' work. It appears whole or not at all.
func writeTree(ctx context.Context, o *options) (int, error) {
	if _, err := os.Lstat(o.tree); err == nil {
		return 0, fmt.Errorf("%s is there already: remove it, or name another folder", o.tree)
	}
	debs, err := download(ctx, o)
	if err != nil {
		return 0, err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(o.tree)), ".tree-*")
	if err != nil {
		return 0, err
	}
	for _, d := range debs {
		if _, err := command(ctx, "dpkg-deb", "--extract", d.path, tmp); err != nil {
			return 0, errors.Join(err, os.RemoveAll(tmp))
		}
	}
	return len(debs), errors.Join(os.Chmod(tmp, 0o755), os.Rename(tmp, o.tree))
}
