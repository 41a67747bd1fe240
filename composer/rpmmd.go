package composer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/solver"
)

// FoundPackage is a package of the RPM repositories. Behind Summary is what only
// QueryOptions.Details fills.
type FoundPackage struct {
	ResolvedPackage
	Summary       string   `json:"summary"`
	InstalledSize int64    `json:"installed_size,omitempty"` // bytes
	License       string   `json:"license,omitempty"`
	URL           string   `json:"url,omitempty"`
	SourceRPM     string   `json:"sourcerpm,omitempty"`
	Checksum      string   `json:"checksum,omitempty"`
	Groups        []string `json:"groups,omitempty"`     // of comps
	Advisories    []string `json:"advisories,omitempty"` // "ID type severity"
	Provides      []string `json:"provides,omitempty"`
	Conflicts     []string `json:"conflicts,omitempty"`
	Obsoletes     []string `json:"obsoletes,omitempty"`
	Requires      []Needed `json:"requires,omitempty"`
	Recommends    []Needed `json:"recommends,omitempty"`
}

// Needed is a relation of a package, and which packages would satisfy it.
type Needed struct {
	Relation  string        `json:"relation"`
	Providers []nevra.NEVRA `json:"providers"`
}

// QueryOptions tells what to look for in the RPM repositories of a treefile.
type QueryOptions struct {
	ResolveOptions
	Words   []string // as in the treefile's packages; none: all packages
	Details bool
}

// Query lists the packages that words mean.
func Query(ctx context.Context, o QueryOptions) ([]FoundPackage, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	unlock, err := o.lockWorkdir(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	t, err := o.parse()
	if err != nil {
		return nil, err
	}
	r, err := o.openRepos(ctx, t, false)
	if err != nil {
		return nil, err
	}
	q := &query{resolution: r, find: solver.NewFinder(r.repos, o.Arch)}
	found, err := q.packages(ctx, o.Words)
	if err != nil {
		return nil, err
	}
	out := make([]FoundPackage, len(found))
	if o.Details {
		if err := q.loadExtra(ctx); err != nil {
			return nil, err
		}
	}
	for i, p := range found {
		out[i] = FoundPackage{ResolvedPackage: ResolvedPackage{p.NEVRA, p.Repo.ID, p.Size}, Summary: p.Summary}
		if o.Details {
			q.describe(&out[i], p)
		}
	}
	o.Progress.Step("", 0, 0)
	return out, nil
}

// query looks packages up.
type query struct {
	*resolution
	find       *solver.Finder
	groups     map[string][]string // by package name
	advisories map[string][]string // by NEVRA
}

func (q *query) packages(ctx context.Context, words []string) (out []*repodata.Package, err error) {
	if len(words) == 0 {
		words = []string{"*"}
	}
	for _, w := range words {
		found := q.find.Packages(w)
		if len(found) == 0 && strings.HasPrefix(w, "/") {
			for _, repo := range q.repos {
				err := q.client.Filelists(ctx, q.configs[repo.ID], repo, []string{w}, func(i int, path string) { q.find.AddFile(repo, i, path) })
				if err != nil {
					return nil, loadError(err)
				}
			}
			found = q.find.Packages(w)
		}
		if len(found) == 0 {
			return nil, kindError{&solver.NotFound{Words: []string{w}, Near: map[string]string{w: q.find.Near(w)}}, ErrNotFound}
		}
		out = append(out, found...)
	}
	return out, nil
}

// loadExtra loads groups and advisories.
func (q *query) loadExtra(ctx context.Context) error {
	q.groups, q.advisories = map[string][]string{}, map[string][]string{}
	for _, repo := range q.repos {
		comps, err := q.client.Comps(ctx, q.configs[repo.ID])
		if err != nil {
			return loadError(err)
		}
		if comps != nil {
			for _, g := range comps.Groups {
				for _, p := range g.Packages {
					q.groups[p.Name] = append(q.groups[p.Name], g.ID)
				}
			}
		}
		advisories, err := q.client.Advisories(ctx, q.configs[repo.ID])
		if err != nil {
			return loadError(err)
		}
		for _, a := range advisories {
			text := strings.Join(strings.Fields(a.ID+" "+a.Type+" "+a.Severity), " ")
			for _, p := range a.Packages {
				n := p.NEVRA.String()
				q.advisories[n] = append(q.advisories[n], text)
			}
		}
	}
	return nil
}

func (q *query) describe(f *FoundPackage, p *repodata.Package) {
	f.InstalledSize, f.License, f.URL, f.SourceRPM, f.Checksum = p.InstalledSize, p.License, p.URL, p.SourceRPM, p.Checksum.String()
	f.Groups, f.Advisories = slices.Compact(slices.Sorted(slices.Values(q.groups[p.NEVRA.Name]))), q.advisories[p.NEVRA.String()]
	f.Provides, f.Conflicts, f.Obsoletes = relationTexts(p.Provides), relationTexts(p.Conflicts), relationTexts(p.Obsoletes)
	f.Requires, f.Recommends = q.needed(p.Requires), q.needed(p.Recommends)
}

func relationTexts(list []nevra.Relation) (out []string) {
	for _, r := range list {
		out = append(out, r.String())
	}
	return out
}

func (q *query) needed(list []nevra.Relation) (out []Needed) {
	for _, r := range list {
		n := Needed{Relation: fmt.Sprint(r), Providers: []nevra.NEVRA{}}
		for _, p := range q.find.Providers(r) {
			n.Providers = append(n.Providers, p.NEVRA)
		}
		out = append(out, n)
	}
	return out
}
