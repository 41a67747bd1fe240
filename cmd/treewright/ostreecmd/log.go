package ostreecmd

import (
	"context"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

func logCommand() *command {
	c := newCommand("log", "REV", "Show a commit and those before it")
	c.run = func(_ context.Context, e *env) error {
		r, sum, err := e.commit()
		if err != nil {
			return err
		}
		for {
			if err := e.show(r, sum); err != nil {
				return err
			}
			commit, err := r.ReadCommit(sum)
			if err != nil || commit.Parent == nil {
				return err
			}
			sum = *commit.Parent
			if ok, err := r.Has(ostree.TypeCommit, sum); err != nil || !ok {
				e.printf("<< History beyond this commit not fetched >>\n")
				return err
			}
		}
	}
	return c
}

func showCommand() *command {
	c := newCommand("show", "OBJECT", "Show a commit")
	c.run = func(_ context.Context, e *env) error {
		r, sum, err := e.commit()
		if err != nil {
			return err
		}
		return e.show(r, sum)
	}
	return c
}

// commit opens the repository and resolves the first argument.
func (e *env) commit() (*repo.Repo, ostree.Checksum, error) {
	r, err := e.open()
	if err != nil {
		return nil, ostree.Checksum{}, err
	}
	if len(e.args) == 0 {
		return nil, ostree.Checksum{}, usagef("A revision is required")
	}
	sum, err := r.Resolve(e.args[0])
	return r, sum, err
}

func (e *env) show(r *repo.Repo, sum ostree.Checksum) error {
	commit, err := r.ReadCommit(sum)
	if err != nil {
		return err
	}
	e.printf("commit %s\n", sum)
	if commit.Parent != nil {
		e.printf("Parent:  %s\n", commit.Parent)
	}
	date := time.Unix(int64(commit.Timestamp), 0).UTC().Format("2006-01-02 15:04:05 -0700")
	e.printf("ContentChecksum:  %s\nDate:  %s\n", commit.ContentChecksum(), date)
	if v := commit.Version(); v != "" {
		e.printf("Version: %s\n", v)
	}
	subject := commit.Subject
	if subject == "" {
		subject = "(no subject)"
	}
	e.printf("\n    %s\n", subject)
	if commit.Body != "" {
		e.printf("\n    %s\n", strings.ReplaceAll(strings.TrimRight(commit.Body, "\n"), "\n", "\n    "))
	}
	e.printf("\n")
	return nil
}
