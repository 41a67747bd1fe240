package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/pull"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// findOptions are the flags of find-remotes.
type findOptions struct {
	network
	disableFsync, pull, mirror *bool
	finders                    *string
}

func findRemotesCommand() *command {
	c := newCommand("find-remotes", "COLLECTION-ID REF [COLLECTION-ID REF...]", "Find repositories that have refs")
	f := c.flags
	o := findOptions{
		network:      addCacheDir(c),
		disableFsync: f.Bool("disable-fsync", false, "do not wait for the disk"),
		finders:      f.String("finders", "", "look in these ways: `FINDERS` of config and mount, with commas between them"),
		pull:         f.Bool("pull", false, "pull what was found"),
		mirror:       f.Bool("mirror", false, "make the refs those of a mirror; needs --pull"),
	}
	c.run = func(ctx context.Context, e *env) error { return e.findRemotes(ctx, o) }
	return c
}

// refPairs reads pairs of a collection ID and a ref.
func refPairs(args []string) ([]repo.RefName, error) {
	switch {
	case len(args) < 2:
		return nil, usagef("At least one COLLECTION-ID REF pair must be specified")
	case len(args)%2 != 0:
		return nil, usagef("Only complete COLLECTION-ID REF pairs may be specified")
	}
	var out []repo.RefName
	for pair := range slices.Chunk(args, 2) {
		if ostree.CheckCollection(pair[0]) != nil {
			return nil, usagef("Invalid collection ID %s", pair[0])
		}
		if ostree.CheckRef(pair[1]) != nil {
			return nil, usagef("Invalid ref name %s", pair[1])
		}
		out = append(out, repo.RefName{Collection: pair[0], Name: pair[1]})
	}
	return out, nil
}

// lanFinder asks the neighbours, by a service of the system that this program does not
// speak to: it finds nobody, as where that service does not run.
const lanFinder = "lan"

// finders are those that a user names, or those that the configuration does.
func finders(r *repo.Repo, names string) ([]pull.Finder, error) {
	list := strings.Split(names, ",")
	if names == "" {
		list, _ = r.Config().List("core", "default-repo-finders")
		if list == nil {
			return pull.Finders, nil
		}
	}
	var out []pull.Finder
	for i, name := range list {
		at := slices.IndexFunc(pull.Finders, func(f pull.Finder) bool { return f.Name == name })
		if slices.Contains(list[:i], name) || at < 0 && name != lanFinder {
			return nil, usagef("Unknown or duplicate finder type given in --finders option: ‘%s’", name)
		}
		if at >= 0 {
			out = append(out, pull.Finders[at])
		}
	}
	return out, nil
}

func (e *env) findRemotes(ctx context.Context, o findOptions) error {
	r, err := e.open()
	if err != nil {
		return err
	}
	refs, err := refPairs(e.args)
	if err != nil {
		return err
	}
	if *o.mirror && !*o.pull {
		return usagef("When --mirror is specified, --pull must also be")
	}
	ways, err := finders(r, *o.finders)
	if err != nil {
		return err
	}
	if *o.disableFsync {
		r.DisableSync()
	}
	with, err := e.remoteOptions(r, o.network)
	if err != nil {
		return err
	}
	warn := func(err error) {
		if e.verbose {
			fmt.Fprintf(e.Err, "%s\n", sentence(err))
		}
	}
	found, err := pull.Find(ctx, r, refs, ways, with, warn)
	if err != nil {
		return err
	}
	if !e.showFound(found, refs) || !*o.pull {
		return nil
	}
	return e.pullFound(ctx, r, found, refs, with, *o.mirror)
}

// showFound prints what was found, and tells whether that is anything.
func (e *env) showFound(found []pull.Found, refs []repo.RefName) bool {
	if len(found) == 0 {
		e.printf("No results.\n")
		return false
	}
	anywhere := map[repo.RefName]bool{}
	for i, f := range found {
		e.printf("Result %d: %s\n - Finder: %s\n - Keyring: %s.trustedkeys.gpg\n - Priority: %d\n", i, f.URL, f.Finder.Title, f.Remote, f.Finder.Priority)
		if f.LastModified > 0 {
			e.printf(" - Summary last modified: %s\n", time.Unix(int64(f.LastModified), 0).UTC().Format(time.RFC3339))
		}
		e.printf(" - Refs:\n")
		for _, ref := range refs {
			at := "(not found)"
			if c, ok := f.Refs[ref]; ok {
				at, anywhere[ref] = c.String(), true
			}
			e.printf("    - %s = %s\n", ref, at)
		}
		e.printf("\n")
	}
	e.printf("%d/%d refs were found.\n", len(anywhere), len(refs))
	if len(anywhere) < len(refs) {
		e.printf("Refs not found in any remote:\n")
		for _, ref := range refs {
			if !anywhere[ref] {
				e.printf(" - %s\n", ref)
			}
		}
	}
	return true
}

// pullFound pulls each ref from the first repository that has it and that it can be
// pulled from.
func (e *env) pullFound(ctx context.Context, r *repo.Repo, found []pull.Found, refs []repo.RefName, with pull.RemoteOptions, mirror bool) error {
	open := map[repo.RefName]bool{}
	for _, f := range found {
		for ref := range f.Refs {
			open[ref] = true
		}
	}
	for _, f := range found {
		var want []repo.RefName
		for _, ref := range refs {
			if _, here := f.Refs[ref]; here && open[ref] {
				want = append(want, ref)
			}
		}
		if want == nil {
			continue
		}
		if err := pullOneFound(ctx, r, f, want, with, mirror); ctx.Err() != nil {
			return err
		} else if err != nil {
			if e.verbose {
				fmt.Fprintf(e.Err, "%s: %s\n", f.URL, sentence(err))
			}
			continue
		}
		for _, ref := range want {
			delete(open, ref)
		}
	}
	var failed []string
	for _, ref := range refs {
		if open[ref] {
			failed = append(failed, ref.String())
		}
	}
	if failed != nil {
		return errors.New("Failed to pull some refs from the remotes: " + strings.Join(failed, ", "))
	}
	e.printf("Pulled %d/%d refs successfully.\n", len(refs), len(refs))
	return nil
}

func pullOneFound(ctx context.Context, r *repo.Repo, f pull.Found, want []repo.RefName, with pull.RemoteOptions, mirror bool) error {
	m, p, err := f.Open(ctx, r, want, with)
	if err != nil {
		return err
	}
	defer m.Close()
	p.Mirror, p.Import.Trust = mirror, m.IsLocal()
	_, err = pull.Run(ctx, p)
	return err
}
