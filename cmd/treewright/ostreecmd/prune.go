package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/datetime"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// pruneFlags are the flags of prune.
type pruneFlags struct {
	noPrune, refsOnly, deltasOnly, commitOnly *bool
	depth                                     *int
	deleteCommit, younger                     *string
	retain, only                              *[]string
}

func pruneCommand() *command {
	c := newCommand("prune", "", "Search for unreachable objects")
	f := c.flags
	o := pruneFlags{
		noPrune:      f.Bool("no-prune", false, "only tell what is unreachable; delete nothing"),
		refsOnly:     f.Bool("refs-only", false, "keep only what refs lead to"),
		depth:        f.Int("depth", -1, "keep `DEPTH` parents of each commit; -1 for all"),
		deleteCommit: f.String("delete-commit", "", "delete `COMMIT`"),
		younger:      f.String("keep-younger-than", "", "delete commits that are older than `DATE`"),
		deltasOnly:   f.Bool("static-deltas-only", false, "with --delete-commit: delete only the static deltas to it"),
		retain:       f.StringArray("retain-branch-depth", nil, "keep that many commits of a branch: `BRANCH=DEPTH`"),
		only:         f.StringArray("only-branch", nil, "shorten the history of `BRANCH` alone"),
		commitOnly:   f.Bool("commit-only", false, "look at commits alone, and delete only them"),
	}
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		opt, err := o.options(e)
		if err != nil {
			return err
		}
		report, err := r.Prune(ctx, opt)
		if err != nil {
			return o.sentence(err)
		}
		e.printPrune(report, opt)
		return nil
	}
	return c
}

func (o *pruneFlags) options(e *env) (opt repo.PruneOptions, err error) {
	opt = repo.PruneOptions{
		Refs: *o.refsOnly, Depth: o.depth, Only: *o.only, BranchDepth: map[string]int{},
		DryRun: *o.noPrune, CommitsOnly: *o.commitOnly, DeltasOnly: *o.deltasOnly,
	}
	switch {
	case e.given("delete-commit") && *o.noPrune:
		return opt, usagef("Cannot specify both --delete-commit and --no-prune")
	case e.given("delete-commit"):
		c, err := ostree.ParseChecksum(*o.deleteCommit)
		if err != nil {
			return opt, notDeleted(*o.deleteCommit)
		}
		opt.Delete = &c
	case *o.deltasOnly:
		return opt, errors.New("--static-deltas-only requires --delete-commit; see https://github.com/ostreedev/ostree/issues/1479")
	}
	if e.given("keep-younger-than") {
		t, err := datetime.Parse(*o.younger, time.Now().In(e.zone()))
		if err != nil {
			return opt, fmt.Errorf("Could not parse '%s'", *o.younger)
		}
		at := t.Unix()
		opt.Since = &at
	}
	for _, s := range *o.retain {
		branch, text, ok := strings.Cut(s, "=")
		if !ok {
			return opt, fmt.Errorf("Invalid value %s, must specify BRANCH=DEPTH", s)
		}
		if opt.BranchDepth[branch], err = parseDepth(text); err != nil {
			return opt, err
		}
	}
	return opt, nil
}

// parseDepth reads as strtol does: what stands behind the digits does not matter.
func parseDepth(s string) (int, error) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[end] == '-' || s[end] == '+')) {
		end++
	}
	n, err := strconv.ParseInt(s[:end], 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // then n is the nearest
		return 0, fmt.Errorf("Invalid depth %s", s)
	}
	return int(max(min(n, math.MaxInt32), math.MinInt32)), nil
}

// sentence has the words for a commit that is to be deleted and not there.
func (o *pruneFlags) sentence(err error) error {
	var e *repo.ObjectError
	if errors.As(err, &e) && errors.Is(err, ostree.ErrNotFound) && e.Object.Type == ostree.TypeCommit && e.Object.Checksum.String() == *o.deleteCommit {
		return notDeleted(*o.deleteCommit)
	}
	return err
}

func notDeleted(commit string) error {
	file := commit
	if len(commit) >= 2 {
		file = commit[:2] + "/" + commit[2:] + ".commit"
	}
	return fmt.Errorf("Deleting object %s.commit: unlinkat(%s): No such file or directory", commit, file)
}

func (e *env) printPrune(report *repo.PruneReport, o repo.PruneOptions) {
	what := "objects"
	if o.CommitsOnly {
		what = "(commit only) objects"
	}
	e.printf("Total %s: %d\n", what, report.Objects)
	switch {
	case report.Deleted == 0:
		e.printf("No unreachable objects\n")
	case o.DryRun:
		e.printf("Would delete: %d objects, freeing %s\n", report.Deleted, formatSize(report.Freed))
	default:
		e.printf("Deleted %d objects, %s freed\n", report.Deleted, formatSize(report.Freed))
	}
}
