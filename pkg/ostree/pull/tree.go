package pull

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// maxDepth is how many folders may lie in one another; a path of Linux has no more.
const maxDepth = 2048

// splitPaths takes the paths that are asked for apart; "/" is everything.
func splitPaths(paths []string) ([][]string, error) {
	var out [][]string
	for _, p := range paths {
		if !strings.HasPrefix(p, "/") {
			return nil, fmt.Errorf("subpath %q does not begin with \"/\": %w", p, ostree.ErrUnsupported)
		}
		var parts []string
		for part := range strings.SplitSeq(p, "/") {
			if part != "" {
				parts = append(parts, part)
			}
		}
		if parts == nil {
			return nil, nil
		}
		out = append(out, parts)
	}
	return out, nil
}

// node is a folder to walk.
type node struct {
	tree, meta ostree.Checksum
	base       *ostree.Checksum // dirtree that is here whole and may be alike
	paths      [][]string       // what is wanted of it; nil: everything

	dt   *ostree.DirTree
	have *ostree.DirTree // of base
}

// walk fetches the metadata of trees, one level at a time, and notes the files that
// they lead to.
func (p *puller) walk(ctx context.Context, roots []root) error {
	var level []*node
	for _, r := range roots {
		n := &node{tree: r.commit.Root, meta: r.commit.RootMeta, paths: p.paths}
		if r.base != nil {
			n.base = &r.base.Root
		}
		level = append(level, n)
	}
	for depth := 0; len(level) > 0; depth++ {
		if depth > maxDepth {
			return fmt.Errorf("more than %d folders in one another: %w", maxDepth, ostree.ErrUnsupported)
		}
		var next []*node
		if err := p.level(ctx, level); err != nil {
			return err
		}
		for _, n := range level {
			if n.dt != nil {
				next = append(next, p.expand(n)...)
			}
		}
		level = next
	}
	return nil
}

// level fetches the metadata of folders.
func (p *puller) level(ctx context.Context, nodes []*node) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(p.o.Workers)
	for _, n := range nodes {
		if p.first(ostree.TypeDirMeta, n.meta) {
			group.Go(func() error {
				_, err := p.metadata(ctx, repo.Object{Type: ostree.TypeDirMeta, Checksum: n.meta}, nil)
				return err
			})
		}
		if n.base != nil && *n.base == n.tree || n.paths == nil && !p.first(ostree.TypeDirTree, n.tree) {
			continue
		}
		group.Go(func() error { return p.read(ctx, n) })
	}
	return group.Wait()
}

// first tells whether an object has not been asked for before.
func (p *puller) first(t ostree.ObjectType, c ostree.Checksum) bool {
	o := repo.Object{Type: t, Checksum: c}
	if p.seen[o] {
		return false
	}
	p.seen[o] = true
	return true
}

// read fetches a folder's list, and reads the one that it may be like.
func (p *puller) read(ctx context.Context, n *node) error {
	raw, err := p.metadata(ctx, repo.Object{Type: ostree.TypeDirTree, Checksum: n.tree}, nil)
	if err != nil {
		return err
	}
	if n.dt, err = ostree.ParseDirTree(raw); err != nil {
		return fmt.Errorf("object %s.dirtree: %w", n.tree, err)
	}
	if n.base != nil {
		if raw, err := p.o.To.ReadObject(ostree.TypeDirTree, *n.base); err == nil {
			n.have, _ = ostree.ParseDirTree(raw) // without, all is looked at
		}
	}
	return nil
}

// expand notes a folder's files and returns its folders.
func (p *puller) expand(n *node) []*node {
	for _, f := range n.dt.Files {
		if n.have != nil {
			if g, ok := n.have.File(f.Name); ok && g.Checksum == f.Checksum {
				continue
			}
		}
		if _, want := below(n.paths, f.Name, true); want && p.first(ostree.TypeFile, f.Checksum) {
			p.files = append(p.files, f.Checksum)
		}
	}
	var out []*node
	for _, d := range n.dt.Dirs {
		paths, want := below(n.paths, d.Name, false)
		if !want {
			continue
		}
		child := &node{tree: d.Tree, meta: d.Meta, paths: paths}
		if n.have != nil {
			if b, ok := n.have.Dir(d.Name); ok {
				child.base = &b.Tree
			}
		}
		out = append(out, child)
	}
	return out
}

// below is what is wanted of name in a folder of which paths are wanted. leaf tells
// that name is a file.
func below(paths [][]string, name string, leaf bool) (rest [][]string, want bool) {
	if paths == nil {
		return nil, true
	}
	for _, p := range paths {
		switch {
		case p[0] != name:
		case len(p) == 1:
			return nil, true
		case !leaf:
			rest = append(rest, p[1:])
		}
	}
	return rest, rest != nil
}

// metadata returns the bytes of an object: those that are here, else those of a cache
// or of the source, which are compared, judged and written. It is called once for each
// object at one time.
func (p *puller) metadata(ctx context.Context, o repo.Object, judge func([]byte) error) ([]byte, error) {
	p.tell(func(s *Status) { s.Scanned++ })
	raw, err := p.o.To.ReadObject(o.Type, o.Checksum)
	if !errors.Is(err, ostree.ErrNotFound) {
		if err == nil && judge != nil {
			err = judge(raw)
		}
		return raw, err
	}
	raw = p.given(o)
	given := raw != nil
	var src *repo.Repo
	if !given {
		if raw, src, err = p.ask(ctx, o); err != nil {
			return nil, err
		}
	}
	local := src != nil
	if got := ostree.Sum(raw); got != o.Checksum && !(local && p.o.Import.Trust) {
		return nil, &repo.MismatchError{Object: o, Actual: got}
	}
	if err := checkForm(o, raw); err != nil {
		return nil, err
	}
	if judge != nil {
		if err := judge(raw); err != nil {
			return nil, err
		}
	}
	if !given {
		p.stats.metadata(local, len(raw))
	}
	opt := repo.ImportOptions{Trust: local && p.o.Import.Trust}
	if local {
		return raw, p.txn.LinkMetadata(src, o, raw, opt)
	}
	return raw, p.txn.ImportMetadata(o, raw, opt)
}

// ask gets the bytes of an object that is not here, and the repository on this machine
// that they are from, if they are.
func (p *puller) ask(ctx context.Context, o repo.Object) (raw []byte, src *repo.Repo, err error) {
	for _, c := range p.o.Caches {
		if raw, err := c.ReadObject(o.Type, o.Checksum); err == nil {
			return raw, c, nil
		}
	}
	raw, err = p.o.From.Metadata(ctx, o)
	if l, ok := p.o.From.(Local); ok {
		src = l.Repo
	}
	return raw, src, err
}

// checkForm refuses objects that are malformed before they are written.
func checkForm(o repo.Object, raw []byte) (err error) {
	switch o.Type {
	case ostree.TypeCommit:
		_, err = ostree.ParseCommit(raw)
	case ostree.TypeDirTree:
		_, err = ostree.ParseDirTree(raw)
	case ostree.TypeDirMeta:
		_, err = ostree.ParseDirMeta(raw)
	}
	if err != nil {
		return &repo.ObjectError{Object: o, Err: err}
	}
	return nil
}
