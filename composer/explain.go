package composer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/repodata/fetch"
	"github.com/treewright/treewright/pkg/solver"
)

// maxHelp bounds how many ways out a hint names.
const maxHelp = 4

// explain gives the solver's answer the sentinel that commands know, and says what
// would help.
func (r *resolution) explain(ctx context.Context, err error, o *ResolveOptions) error {
	var missing *solver.NotFound
	var unsolvable *solver.Unsolvable
	switch {
	case errors.As(err, &missing):
		help := r.elsewhere(ctx, o, missing.Words)
		if len(help) == 0 {
			help = []string{"look for the name in the RPM repositories of " + o.Treefile + ", or add the one that has it with --rpm-repo ID=URL-or-DIR"}
		}
		return &hintError{kindError{err, ErrNotFound}, hint(help)}
	case errors.As(err, &unsolvable):
		return &hintError{fmt.Errorf("%w: %w", ErrUnsolvable, err), hint(r.help(ctx, o, unsolvable))}
	}
	return err
}

// hint joins ways out.
func hint(help []string) string {
	return strings.Join(help[:min(len(help), maxHelp)], "; or ")
}

// help lists what would make the problems go away.
func (r *resolution) help(ctx context.Context, o *ResolveOptions, err *solver.Unsolvable) (out []string) {
	var words []string
	for _, p := range err.Problems {
		out = append(out, p.Help...)
		for _, m := range p.Missing {
			words = append(words, m.String())
		}
	}
	out = append(out, r.elsewhere(ctx, o, words)...)
	if len(out) == 0 {
		out = []string{"take one of the packages named out of the treefile, or add an RPM repository that has what is missing"}
	}
	return out
}

// elsewhere names RPM repositories that .repo files have and the treefile does not
// use, and that have what is missing: folders, and those that the cache knows.
func (r *resolution) elsewhere(ctx context.Context, o *ResolveOptions, words []string) (out []string) {
	configs, err := o.repoFiles(r.treefile)
	if err != nil || len(words) == 0 {
		return nil
	}
	client := &fetch.Client{Cache: r.client.Cache, Offline: true, Time: o.Time, Log: o.Log}
	for _, c := range configs {
		if _, used := r.configs[c.ID]; used {
			continue
		}
		repo, err := client.Load(ctx, c)
		if err != nil {
			continue // nothing is known of it
		}
		find := solver.NewFinder([]*repodata.Repo{repo}, o.Arch)
		for _, w := range words {
			if p := best(find.Packages(w)); p != nil {
				how := "enable " + c.ID + " in its .repo file"
				if len(r.treefile.Repos) > 0 {
					how = "add " + c.ID + " to repos"
				}
				out = append(out, fmt.Sprintf("%s: it has %s", how, p.NEVRA))
				break
			}
		}
	}
	return out
}

// best is the package of the highest version; nil when there is none.
func best(packages []*repodata.Package) *repodata.Package {
	if len(packages) == 0 {
		return nil
	}
	return slices.MaxFunc(packages, func(a, b *repodata.Package) int { return nevra.Compare(a.NEVRA.EVR, b.NEVRA.EVR) })
}
