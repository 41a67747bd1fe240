package ostreecmd

import (
	"context"
	"errors"
	"io"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

func catCommand() *command {
	c := newCommand("cat", "COMMIT PATH...", "Print the content of files of a commit")
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) < 2 {
			return usagef("A COMMIT and at least one PATH argument are required")
		}
		sum, err := r.Resolve(e.args[0])
		if err != nil {
			return err
		}
		for _, at := range e.args[1:] {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			if err := e.catOne(r, sum, at); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

func (e *env) catOne(r *repo.Repo, commit ostree.Checksum, at string) error {
	file, err := r.Follow(commit, at)
	if errors.Is(err, repo.ErrIsDir) {
		return errors.New("Can't open directory")
	}
	if err != nil {
		return err
	}
	_, content, err := r.OpenFile(file)
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(e.Out, content)
	return err
}
