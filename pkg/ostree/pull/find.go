package pull

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/sign"
)

// Finder is a way to find repositories that have refs of a collection.
type Finder struct {
	Name     string // as a user asks for it
	Title    string // as results name it
	Priority int    // results of a lower one come first
	find     func(ctx context.Context, r *repo.Repo, refs []repo.RefName) ([]place, error)
}

// Finders are all there are: the remotes of the configuration, and what is mounted.
var Finders = []Finder{
	{"config", "OstreeRepoFinderConfig", 100, findInConfig},
	{"mount", "OstreeRepoFinderMount", 50, findInMounts},
}

// place is where refs may be had, and the remote whose keys judge what comes from there.
type place struct{ url, remote string }

// Found is a repository that has some of the refs that were asked for.
type Found struct {
	Finder       Finder
	URL          string
	Remote       string // whose keys count
	LastModified uint64 // of its summary, seconds since 1970 UTC
	Refs         map[repo.RefName]ostree.Checksum
}

// Find looks for repositories that have refs. Of each ref only those count that have
// its newest commit, by what their summaries say. A place that cannot be asked is told
// to warn and passed over.
func Find(ctx context.Context, r *repo.Repo, refs []repo.RefName, finders []Finder, o RemoteOptions, warn func(error)) ([]Found, error) {
	var out []Found
	newest := map[repo.RefName]uint64{}
	times := map[ostree.Checksum]uint64{}
	for _, f := range finders {
		places, err := f.find(ctx, r, refs)
		if err != nil {
			return nil, err
		}
		for _, at := range places {
			s, err := askPlace(ctx, r, at, o)
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if err != nil {
				warn(fmt.Errorf("%s: %w", at.url, err))
				continue
			}
			found := Found{Finder: f, URL: at.url, Remote: at.remote, LastModified: s.s.LastModified, Refs: map[repo.RefName]ostree.Checksum{}}
			for _, ref := range refs {
				if e, ok := s.ref(ref); ok {
					found.Refs[ref] = e.Commit
					newest[ref], times[e.Commit] = max(newest[ref], e.Timestamp), e.Timestamp
				}
			}
			out = append(out, found)
		}
	}
	for _, f := range out {
		for ref, c := range f.Refs {
			if times[c] < newest[ref] {
				delete(f.Refs, ref)
			}
		}
	}
	out = slices.DeleteFunc(out, func(f Found) bool { return len(f.Refs) == 0 })
	slices.SortStableFunc(out, compareFound)
	return out, nil
}

func compareFound(a, b Found) int {
	return cmp.Or(cmp.Compare(a.Finder.Priority, b.Finder.Priority), cmp.Compare(a.LastModified, b.LastModified),
		cmp.Compare(len(a.Refs), len(b.Refs)), strings.Compare(a.Remote, b.Remote))
}

// ref is what a summary says of a ref of a collection.
func (f *summaryFile) ref(name repo.RefName) (ostree.SummaryRef, bool) {
	list := f.s.Refs
	if name.Collection != f.s.Collection {
		i := slices.IndexFunc(f.s.Collections, func(c ostree.Collection) bool { return c.ID == name.Collection })
		if i < 0 {
			return ostree.SummaryRef{}, false
		}
		list = f.s.Collections[i].Refs
	}
	i := slices.IndexFunc(list, func(r ostree.SummaryRef) bool { return r.Name == name.Name })
	if i < 0 {
		return ostree.SummaryRef{}, false
	}
	return list[i], true
}

// askPlace reads a summary, whose signature is judged if the remote wants that.
func askPlace(ctx context.Context, r *repo.Repo, at place, o RemoteOptions) (*summaryFile, error) {
	o.URL = at.url
	m, err := OpenRemote(ctx, r, at.remote, o)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	f, err := fetchSummary(ctx, m.Source, m.VerifySummary)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, ErrNoSummary
	}
	f.s, err = ostree.ParseSummary(f.raw)
	return f, err
}

// findInConfig finds the remotes with the collections of refs.
func findInConfig(_ context.Context, r *repo.Repo, refs []repo.RefName) ([]place, error) {
	all, err := r.Remotes()
	if err != nil {
		return nil, err
	}
	var out []place
	for _, m := range all {
		id, _ := m.Option("collection-id")
		at, hasURL := m.Option("url")
		if hasURL && slices.ContainsFunc(refs, func(n repo.RefName) bool { return n.Collection == id }) {
			out = append(out, place{at, m.Name})
		}
	}
	return out, nil
}

// fileURL is the URL of a folder.
func fileURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

// keysFor is the remote that has the keys of a collection.
func keysFor(r *repo.Repo, collection string) (string, bool, error) {
	all, err := r.Remotes()
	if err != nil {
		return "", false, err
	}
	i := slices.IndexFunc(all, func(m *repo.Remote) bool {
		id, _ := m.Option("collection-id")
		return id == collection
	})
	if i < 0 {
		return "", false, nil
	}
	return all[i].Name, true, nil
}

// Open opens a repository that was found, and tells how the refs of want that it has are
// pulled from there: their commits need GPG signatures by keys of the remote, whatever
// that itself wants.
func (f Found) Open(ctx context.Context, r *repo.Repo, want []repo.RefName, o RemoteOptions) (*Remote, Options, error) {
	o.URL = f.URL
	m, err := OpenRemote(ctx, r, f.Remote, o)
	if err != nil {
		return nil, Options{}, err
	}
	p := m.Options()
	p.To = r
	p.VerifyCommit = sign.NewChecker(r, f.Remote, sign.Wants{GPG: true}, o.Keys).Commit
	p.VerifySummary = nil
	for _, ref := range want {
		if c, ok := f.Refs[ref]; ok {
			p.Refs = append(p.Refs, Ref{Collection: ref.Collection, Name: ref.Name, Commit: &c})
		}
	}
	return m, p, nil
}
