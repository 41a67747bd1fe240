package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

func diffCommand() *command {
	c := newCommand("diff", "REV_OR_DIR REV_OR_DIR", "Tell how a commit or folder differs from another one")
	f := c.flags
	stats := f.Bool("stats", false, "count the objects that both have")
	files := f.Bool("fs-diff", false, "list files, also with --stats")
	noXattrs := f.Bool("no-xattrs", false, "leave extended attributes of folders on disk out")
	uid := f.Int("owner-uid", -1, "take all files of a second folder for those of `UID`")
	gid := f.Int("owner-gid", -1, "take all files of a second folder for those of `GID`")
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) == 0 {
			return usagef("REV must be specified")
		}
		from, to := e.args[0]+"^", e.args[0]
		if len(e.args) > 1 {
			from, to = e.args[0], e.args[1]
		}
		if *files || !*stats {
			o := repo.DiffOptions{NoXattrs: *noXattrs, UID: id(*uid), GID: id(*gid)}
			if err := e.diffFiles(ctx, r, from, to, o); err != nil {
				return err
			}
		}
		if *stats {
			return e.diffStats(ctx, r, from, to)
		}
		return nil
	}
	return c
}

// treeOf is what an argument names: a folder when it begins with "/" or "./".
func treeOf(r *repo.Repo, arg string) (repo.Tree, error) {
	if strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, "./") {
		path, err := filepath.Abs(arg) // so that errors say it
		return repo.FolderTree(path), err
	}
	sum, err := r.Resolve(arg)
	return r.CommitTree(sum), err
}

func (e *env) diffFiles(ctx context.Context, r *repo.Repo, from, to string, o repo.DiffOptions) error {
	a, err := treeOf(r, from)
	if err != nil {
		return err
	}
	b, err := treeOf(r, to)
	if err != nil {
		return err
	}
	d, err := repo.Compare(ctx, a, b, o)
	var file *fs.PathError
	if errors.As(err, &file) && !errors.Is(err, ostree.ErrCorrupt) {
		return fmt.Errorf("Error when getting information for file “%s”: %s", file.Path, strerror(file.Err))
	}
	if err != nil {
		return err
	}
	for _, p := range d.Modified {
		e.printf("M    %s\n", p)
	}
	for _, p := range d.Removed {
		e.printf("D    %s\n", p)
	}
	for _, p := range d.Added {
		e.printf("A    %s\n", p)
	}
	return nil
}

func (e *env) diffStats(ctx context.Context, r *repo.Repo, from, to string) error {
	var sums [2]ostree.Checksum
	for i, rev := range []string{from, to} {
		var err error
		if sums[i], err = r.Resolve(rev); err != nil {
			return err
		}
	}
	s, err := r.CompareObjects(ctx, sums[0], sums[1])
	if err != nil {
		return err
	}
	e.printf("[A] Object Count: %d\n[B] Object Count: %d\nCommon Object Count: %d\nCommon Object Size: %s\n", s.A, s.B, s.Common, formatSize(uint64(s.CommonSize)))
	return nil
}
