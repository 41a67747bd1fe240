package ostreecmd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/pull"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// transfer is what pull and pull-local have in common.
type transfer struct {
	commitOnly, disableFsync, perObject, untrusted, userOnly *bool
	requireDeltas, noBindings                                *bool
	depth                                                    *int
}

func addTransfer(c *command) transfer {
	f := c.flags
	return transfer{
		commitOnly:    f.Bool("commit-metadata-only", false, "fetch commits without their trees"),
		disableFsync:  f.Bool("disable-fsync", false, "do not wait for the disk"),
		perObject:     f.Bool("per-object-fsync", false, "write each object to the disk by itself"),
		untrusted:     f.Bool("untrusted", false, "compare what comes from this machine with its checksums; HTTP always is"),
		userOnly:      f.Bool("bareuseronly-files", false, "refuse files with mode bits outside of 0775"),
		requireDeltas: f.Bool("require-static-deltas", false, "fail where no static delta leads"),
		noBindings:    f.Bool("disable-verify-bindings", false, "accept commits that are bound to other refs"),
		depth:         f.Int("depth", 0, "fetch that many parents as well, `DEPTH` -1 being all"),
	}
}

// options are those of a pull that the flags tell.
func (t transfer) options(to *repo.Repo) pull.Options {
	if *t.perObject {
		to.SyncEach()
	}
	if *t.disableFsync {
		to.DisableSync()
	}
	return pull.Options{
		To:         to,
		Depth:      *t.depth,
		CommitOnly: *t.commitOnly,
		NoBindings: *t.noBindings,
		Import:     repo.ImportOptions{Trust: !*t.untrusted, UserOnly: *t.userOnly},
	}
}

func pullLocalCommand() *command {
	c := newCommand("pull-local", "SRC_REPO [REFS...]", "Copy commits from a repository on this machine")
	t := addTransfer(c)
	remote := c.flags.String("remote", "", "file the refs under `REMOTE`")
	gpg := c.flags.Bool("gpg-verify", false, "verify the GPG signatures of commits; needs --remote")
	gpgSummary := c.flags.Bool("gpg-verify-summary", false, "verify the GPG signature of the summary; needs --remote")
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) == 0 {
			return usagef("DESTINATION must be specified")
		}
		src, err := repo.Open(e.args[0])
		if err != nil {
			return fmt.Errorf("opening repo: %w", err)
		}
		o := t.options(r)
		o.From, o.Remote, o.Collection = pull.Local{Repo: src}, *remote, src.Collection()
		if o.Refs, err = localRefs(src, e.args[1:]); err != nil {
			return err
		}
		if err := e.addVerify(&o, *remote, verifyKinds{gpg: *gpg, gpgSummary: *gpgSummary}); err != nil {
			return err
		}
		return e.pull(ctx, o, 0)
	}
	return c
}

// localRefs are the refs that are named, or all those of a repository.
func localRefs(src *repo.Repo, names []string) ([]pull.Ref, error) {
	if len(names) == 0 {
		refs, err := src.Refs()
		if err != nil {
			return nil, err
		}
		names = slices.Sorted(maps.Keys(refs))
	}
	return parseRefs(names)
}

// parseRefs reads the refs of a command line: REF, CHECKSUM, or REF@CHECKSUM.
func parseRefs(names []string) ([]pull.Ref, error) {
	var out []pull.Ref
	for _, name := range names {
		r, err := parseRef(name)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// pull pulls, and prints what it did in a line. On a terminal it shows every so often how
// far it is; 0 is a second.
func (e *env) pull(ctx context.Context, o pull.Options, every time.Duration) error {
	begin := time.Now()
	if p := e.newPullProgress(every); p != nil {
		o.Progress = p.show
		defer p.end()
	}
	report, err := pull.Run(ctx, o)
	if err != nil {
		return err
	}
	if d := report.Delta; o.DryRun {
		e.printf("Delta update: %d/%d parts, %s/%s, %s total uncompressed\n",
			d.Fetched, d.Parts, formatSize(d.FetchedSize), formatSize(d.Size), formatSize(d.USize))
		return nil
	}
	e.printf("%s\n", pullLine(report, time.Since(begin)))
	return nil
}

// pullLine says what a pull did.
func pullLine(r *pull.Report, took time.Duration) string {
	fetched := r.FetchedMetadata+r.FetchedContent > 0
	local := r.LocalMetadata+r.LocalContent > 0
	var s string
	switch {
	case r.Delta.Fetched > 0:
		s = fmt.Sprintf("%d delta parts, %d loose fetched", r.Delta.Fetched, r.FetchedMetadata+r.FetchedContent)
	case fetched && local:
		s = fmt.Sprintf("%d metadata, %d content objects fetched (%d meta, %d content local)",
			r.FetchedMetadata, r.FetchedContent, r.LocalMetadata, r.LocalContent)
	case fetched:
		s = fmt.Sprintf("%d metadata, %d content objects fetched", r.FetchedMetadata, r.FetchedContent)
	default:
		s = fmt.Sprintf("%d metadata, %d content objects imported", r.LocalMetadata, r.LocalContent)
	}
	switch n := r.Transferred; {
	case n >= 1024:
		s += fmt.Sprintf("; %d KiB transferred in %d seconds", n/1024, int(took.Seconds()))
	case n > 0:
		s += fmt.Sprintf("; %d B transferred in %d seconds", n, int(took.Seconds()))
	}
	return s + "; " + formatSize(uint64(r.Written)) + " content written"
}

// parseRef reads a ref of the command line.
func parseRef(name string) (pull.Ref, error) {
	if ostree.IsChecksum(name) {
		c, err := ostree.ParseChecksum(name)
		return pull.Ref{Commit: &c}, err
	}
	ref, rev, pinned := cutLast(name, "@")
	r := pull.Ref{Name: ref}
	if pinned {
		c, err := ostree.ParseChecksum(rev)
		if err != nil {
			return r, &revError{rev}
		}
		r.Commit = &c
	}
	if ostree.CheckRef(ref) != nil {
		return r, &refNameError{ref}
	}
	return r, nil
}
