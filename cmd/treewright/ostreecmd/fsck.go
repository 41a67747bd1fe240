package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

func fsckCommand() *command {
	c := newCommand("fsck", "", "Check the repository for consistency")
	f := c.flags
	tombstones := f.Bool("add-tombstones", false, "add tombstones for commits that are missing")
	quiet := f.BoolP("quiet", "q", false, "print only errors")
	all := f.BoolP("all", "a", false, "go on behind the first error")
	remove := f.Bool("delete", false, "remove corrupt objects")
	bindings := f.Bool("verify-bindings", false, "verify that commits are meant for the refs that point to them")
	backRefs := f.Bool("verify-back-refs", false, "verify that commits have the refs they are meant for; implies --verify-bindings")
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		p := e.newProgress("fsck objects")
		report, err := r.Fsck(ctx, repo.FsckOptions{
			First: !*all && !*remove, Mark: true, Delete: *remove, Tombstones: *tombstones,
			Bindings: *bindings, BackRefs: *backRefs,
			Stage: func(s repo.FsckStage, n int) {
				if !*quiet {
					e.printf("%s\n", fsckStage(s, n))
				}
			},
			Progress: p.step,
		})
		if err != nil {
			var ref *repo.FsckRefError
			if errors.As(err, &ref) {
				e.printMissing(ref.Err)
			}
			return err
		}
		return e.printFsck(report, *quiet, *all || *remove)
	}
	return c
}

func fsckStage(s repo.FsckStage, commits int) string {
	switch s {
	case repo.FsckRefs:
		return "Validating refs..."
	case repo.FsckCollections:
		return "Validating refs in collections..."
	case repo.FsckCommits:
		return "Enumerating commits..."
	}
	return fmt.Sprintf("Verifying content integrity of %d commit objects...", commits)
}

// printMissing says that a commit is missing, if err is about that.
func (e *env) printMissing(err error) {
	var o *repo.ObjectError
	if errors.As(err, &o) && errors.Is(o.Err, ostree.ErrNotFound) {
		fmt.Fprintf(e.Err, "Object missing: %s\n", o.Object)
	}
}

// printFsck says what is wrong. goOn tells that corrupt objects did not end it.
func (e *env) printFsck(report *repo.FsckReport, quiet, goOn bool) error {
	for i := range report.Problems {
		p := &report.Problems[i]
		text := problemSentence(p)
		if !p.Missing() && !goOn {
			return errors.New(text)
		}
		fmt.Fprintln(e.Err, text)
		for _, c := range p.Marked {
			fmt.Fprintf(e.Err, "Marking commit as partial: %s\n", c)
		}
	}
	for _, c := range report.Tombstones {
		e.printf("Adding tombstone for commit %s\n", c)
	}
	if n := len(report.Partial); n > 0 {
		e.printf("%d partial commits not verified\n", n)
	}
	switch {
	case len(report.Problems) > 0:
		return errors.New("Repository corruption encountered")
	case report.Damaged > 0:
		return fmt.Errorf("%d partial commits from fsck-detected corruption", report.Damaged)
	}
	if !quiet {
		e.printf("object fsck of %d commits completed successfully - no errors found.\n", report.Commits)
	}
	return nil
}

// problemSentence is what stands on standard error for a bad object.
func problemSentence(p *repo.FsckProblem) string {
	var in []string
	for _, c := range p.Commits {
		in = append(in, c.String())
	}
	commits := strings.Join(in, ", ")
	switch {
	case p.Missing():
		return fmt.Sprintf("Object missing in commits %s: %s", commits, p.Object)
	case p.Object.Type == ostree.TypeFile:
		return fmt.Sprintf("In commits %s: fsck content object %s: %s", commits, p.Object.Checksum, sentence(p.Err))
	}
	return fmt.Sprintf("In commits %s: fsck %s: %s", commits, p.Object, sentence(p.Err))
}
