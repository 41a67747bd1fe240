package pull

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// target is a ref and the commit that it is to point to.
type target struct {
	Ref
	commit ostree.Checksum
}

// A RefError is a ref that a repository does not have.
type RefError struct {
	Ref     Ref
	Summary bool // it was looked for there, and not among the refs
}

func (e *RefError) Error() string {
	if e.Summary {
		return fmt.Sprintf("ref %s in the summary: %v", e.Ref, ostree.ErrNotFound)
	}
	return fmt.Sprintf("ref %s: %v", e.Ref, ostree.ErrNotFound)
}

func (e *RefError) Unwrap() error { return ostree.ErrNotFound }

func (r Ref) String() string {
	if r.Collection == "" {
		return r.Name
	}
	return "(" + r.Collection + ", " + r.Name + ")"
}

// ErrNoSummary is wrapped when all refs are asked for of a repository that does not
// list them.
var ErrNoSummary = errors.New("there is no summary")

// A RevError is a ref of a source that does not hold a checksum.
type RevError struct {
	Ref Ref
	Rev string // what it holds
}

func (e *RevError) Error() string {
	return fmt.Sprintf("ref %s: %.64q is no checksum: %v", e.Ref, e.Rev, ostree.ErrMalformed)
}

func (e *RevError) Unwrap() error { return ostree.ErrMalformed }

// resolve looks up what the refs that are asked for point to.
func (p *puller) resolve(ctx context.Context) ([]target, error) {
	refs := p.o.Refs
	open := func(r Ref) bool { return r.Commit == nil }
	if len(refs) == 0 || p.o.VerifySummary != nil || slices.ContainsFunc(refs, open) {
		if err := p.loadSummary(ctx); err != nil {
			return nil, err
		}
	} else if err := p.checkConfig(ctx); err != nil {
		return nil, err
	}
	if len(refs) == 0 {
		return p.all()
	}
	var out []target
	for _, r := range refs {
		t, err := p.resolveOne(ctx, r)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out, nil
}

// all is every ref of the summary.
func (p *puller) all() ([]target, error) {
	if p.summary == nil {
		return nil, fmt.Errorf("all refs are asked for: %w", ErrNoSummary)
	}
	var out []target
	main := ""
	if p.summary.s.Collection != p.o.To.Collection() {
		main = p.summary.s.Collection
	}
	list := append([]ostree.Collection{{ID: main, Refs: p.summary.s.Refs}}, p.summary.s.Collections...)
	for _, l := range list {
		for _, r := range l.Refs {
			if err := ostree.CheckRef(r.Name); err != nil {
				return nil, fmt.Errorf("summary: %w", err)
			}
			out = append(out, target{Ref{Collection: l.ID, Name: r.Name}, r.Commit})
		}
	}
	return out, nil
}

func (p *puller) resolveOne(ctx context.Context, r Ref) (t target, err error) {
	t.Ref = Ref{Collection: r.Collection, Name: r.Name}
	if r.Commit != nil {
		t.commit = *r.Commit
		return t, nil
	}
	if err := ostree.CheckRef(r.Name); err != nil {
		return t, err
	}
	if p.summary != nil {
		if t.commit, err = p.summary.find(r); err != nil {
			return t, err
		}
	} else if t.commit, err = p.askRef(ctx, r); err != nil {
		return t, err
	}
	if t.Collection == "" && p.o.Mirror {
		t.Collection = p.o.Collection
	}
	return t, nil
}

// find is the commit that a summary has for a ref.
func (f *summaryFile) find(r Ref) (c ostree.Checksum, err error) {
	list := f.s.Refs
	if r.Collection != "" && r.Collection != f.s.Collection {
		list = nil
		for _, l := range f.s.Collections {
			if l.ID == r.Collection {
				list = l.Refs
			}
		}
	}
	i := slices.IndexFunc(list, func(s ostree.SummaryRef) bool { return s.Name == r.Name })
	if i < 0 {
		return c, &RefError{r, true}
	}
	return list[i].Commit, nil
}

// refLimit is the largest file of a ref, in bytes.
const refLimit = 4 << 10

// askRef reads a ref of a source without a summary.
func (p *puller) askRef(ctx context.Context, r Ref) (c ostree.Checksum, err error) {
	if l, ok := p.o.From.(Local); ok {
		return l.resolve(r)
	}
	name := "refs/heads/" + r.Name
	if r.Collection != "" && r.Collection != p.o.Collection {
		name = "refs/mirrors/" + r.Collection + "/" + r.Name
	}
	b, err := p.o.From.File(ctx, name, refLimit)
	if err != nil {
		return c, err
	}
	rev := strings.TrimSpace(string(b))
	if c, err = ostree.ParseChecksum(rev); err != nil {
		return c, &RevError{r, rev}
	}
	return c, nil
}

// resolve looks up a ref of the repository itself, or of another collection.
func (l Local) resolve(r Ref) (c ostree.Checksum, err error) {
	if r.Collection == "" || r.Collection == l.Collection() {
		c, err := l.Resolve(r.Name)
		if errors.Is(err, ostree.ErrNotFound) {
			err = &RefError{Ref: r}
		}
		return c, err
	}
	refs, err := l.CollectionRefs()
	if err != nil {
		return c, err
	}
	c, ok := refs[repo.RefName{Collection: r.Collection, Name: r.Name}]
	if !ok {
		return c, &RefError{Ref: r}
	}
	return c, nil
}
