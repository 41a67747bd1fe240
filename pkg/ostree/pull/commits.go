package pull

import (
	"context"
	"errors"
	"fmt"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// root is a tree to fetch, and one that is here whole and may be alike.
type root struct {
	commit *ostree.Commit
	base   *ostree.Commit // nil: none
}

// commits fetches the commits of targets and their parents, and returns the trees
// that are to be walked.
func (p *puller) commits(ctx context.Context, targets []target) ([]root, error) {
	var out []root
	depth := map[ostree.Checksum]int{} // that a commit was followed to
	for _, t := range targets {
		next, left := &t.commit, p.o.Depth
		for first := true; next != nil; first = false {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			c := *next
			before, again := depth[c]
			if again && !first && (before < 0 || left >= 0 && left <= before) {
				break
			}
			commit, err := p.commit(ctx, c)
			if !first && errors.Is(err, ostree.ErrNotFound) {
				break // the history ends here
			}
			if err != nil {
				return nil, err
			}
			if first {
				if err := p.check(t, commit); err != nil {
					return nil, err
				}
			}
			if !again {
				r, err := p.take(t, c, commit)
				if err != nil {
					return nil, err
				}
				out = append(out, r...)
			}
			if depth[c] = left; left == 0 {
				break
			}
			next, left = commit.Parent, max(left-1, -1)
		}
	}
	return out, nil
}

// check tells whether a commit may be pulled as a target.
func (p *puller) check(t target, commit *ostree.Commit) error {
	if !p.o.NoBindings {
		collection := p.o.Collection
		if t.Collection != "" {
			collection = t.Collection
		}
		if err := commit.CheckBindings(t.commit, t.Name, collection); err != nil {
			return err
		}
	}
	return p.checkAge(t, commit)
}

// take notes what a commit needs: nothing when it is here whole.
func (p *puller) take(t target, c ostree.Checksum, commit *ostree.Commit) ([]root, error) {
	whole, err := p.o.To.Whole(c)
	if err != nil || whole {
		return nil, err
	}
	if p.o.CommitOnly || p.paths != nil {
		p.partial = append(p.partial, c)
	} else {
		p.whole = append(p.whole, c)
	}
	if p.o.CommitOnly {
		return nil, nil
	}
	base, err := p.base(t, commit)
	return []root{{commit, base}}, err
}

// base is a commit that is here whole and may be like another one: its parent, or
// where its ref is.
func (p *puller) base(t target, commit *ostree.Commit) (*ostree.Commit, error) {
	var candidates []ostree.Checksum
	if t.Name != "" {
		if c, ok, err := p.current(t.Ref); err == nil && ok {
			candidates = append(candidates, c)
		}
	}
	if commit.Parent != nil {
		candidates = append(candidates, *commit.Parent)
	}
	for _, c := range candidates {
		if whole, err := p.o.To.Whole(c); err != nil {
			return nil, err
		} else if whole {
			return p.o.To.ReadCommit(c)
		}
	}
	return nil, nil
}

// commit returns a commit, fetched unless it is here, with what belongs to it, and has
// its signatures judged.
func (p *puller) commit(ctx context.Context, c ostree.Checksum) (*ostree.Commit, error) {
	detached, err := p.detached(ctx, c)
	if err != nil {
		return nil, err
	}
	raw, err := p.metadata(ctx, repo.Object{Type: ostree.TypeCommit, Checksum: c}, func(raw []byte) error {
		if p.o.VerifyCommit == nil {
			return nil
		}
		return p.o.VerifyCommit(c, raw, detached)
	})
	if err != nil {
		return nil, err
	}
	commit, err := ostree.ParseCommit(raw)
	if err != nil {
		return nil, fmt.Errorf("object %s.commit: %w", c, err)
	}
	return commit, nil
}

// detached fetches what may have been added to a commit, which is never up to date
// here. What is no metadata is as good as none: it may not keep anybody from the commit
// who asks for no signatures, and who asks finds none in it.
func (p *puller) detached(ctx context.Context, c ostree.Checksum) (ostree.Metadata, error) {
	raw, err := optional(p.o.From.Metadata(ctx, repo.Object{Type: ostree.TypeCommitMeta, Checksum: c}))
	if err != nil {
		return nil, err
	}
	if !isLocal(p.o.From) {
		p.stats.metadata(false, len(raw)) // also when there is none, as ostree counts
	}
	if raw == nil {
		return p.o.To.ReadDetached(c)
	}
	m, err := ostree.ParseMetadata(raw)
	if err != nil {
		m, raw = nil, nil
	}
	return m, p.txn.WriteDetached(c, raw)
}
