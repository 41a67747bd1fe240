package repo

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
)

// keep finds the commits that are kept.
func (p *prune) keep(ctx context.Context) error {
	if !p.o.Refs {
		all, err := p.r.Commits()
		if err != nil {
			return err
		}
		for _, c := range all {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := p.history(ctx, c, 0); err != nil {
				return err
			}
		}
		return nil
	}
	refs, err := p.r.Refs()
	if err != nil {
		return err
	}
	depths, err := p.depths(refs)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		if err := p.ref(ctx, name, refs[name], depths); err != nil {
			return err
		}
	}
	return p.r.eachMirror(func(n RefName, c ostree.Checksum) error { return p.ref(ctx, n.String(), c, depths) })
}

// depths are those of refs that are not treated as all are.
func (p *prune) depths(refs map[string]ostree.Checksum) (map[string]int, error) {
	out := map[string]int{}
	if len(p.o.Only) > 0 {
		for _, name := range p.o.Only {
			if _, err := p.r.Resolve(name); err != nil {
				return nil, err
			}
		}
		for name := range refs {
			if !slices.Contains(p.o.Only, name) {
				out[name] = -1
			}
		}
	}
	maps.Copy(out, p.o.BranchDepth)
	return out, nil
}

// ref keeps what a ref leads to.
func (p *prune) ref(ctx context.Context, name string, c ostree.Checksum, depths map[string]int) error {
	depth, special := depths[name]
	switch {
	case special:
	case p.o.Since != nil:
		return p.young(ctx, c)
	case p.o.Depth == nil:
		depth = -1
	default:
		depth = *p.o.Depth
	}
	switch {
	case depth == -1:
		depth = math.MaxInt
	case depth < -1:
		depth = 0 // as stock has it
	}
	return p.history(ctx, c, depth)
}

// one keeps one commit; nil when it is not here.
func (p *prune) one(c ostree.Checksum) (*ostree.Commit, error) {
	if commit, ok := p.commits[c]; ok {
		return commit, nil
	}
	commit, err := p.r.ReadCommit(c)
	if errors.Is(err, ostree.ErrNotFound) {
		commit, err = nil, nil
	}
	if err == nil {
		if commit != nil {
			commit.Metadata = nil // may be large
		}
		p.commits[c] = commit
	}
	return commit, err
}

// history keeps a commit and its ancestors, depth of them.
func (p *prune) history(ctx context.Context, c ostree.Checksum, depth int) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		commit, err := p.one(c)
		if err != nil || commit == nil || commit.Parent == nil || depth == 0 {
			return err
		}
		c = *commit.Parent
		depth--
	}
}

// young keeps a commit, and its ancestors up to the first that is too old.
func (p *prune) young(ctx context.Context, c ostree.Checksum) error {
	commit, err := p.one(c)
	for err == nil && commit != nil && commit.Parent != nil && !older(commit, *p.o.Since) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		parent, err := p.r.ReadCommit(*commit.Parent)
		if errors.Is(err, ostree.ErrNotFound) {
			return nil
		}
		if err != nil || older(parent, *p.o.Since) {
			return err
		}
		if commit, err = p.one(*commit.Parent); err != nil {
			return err
		}
	}
	return err
}

// older tells whether a commit is from before a time.
func older(c *ostree.Commit, since int64) bool {
	return since > 0 && c.Timestamp < uint64(since)
}

// eachMirror calls fn with each ref that is kept of another collection.
func (r *Repo) eachMirror(fn func(RefName, ostree.Checksum) error) error {
	return r.walkRefs(mirrorsDir, func(name, p string) error {
		id, ref, ok := strings.Cut(name, "/")
		if !ok || ostree.CheckRef(ref) != nil {
			return nil
		}
		c, err := readRef(p)
		if err != nil {
			return &RefError{Name: name, Err: err}
		}
		return fn(RefName{id, ref}, c)
	})
}
