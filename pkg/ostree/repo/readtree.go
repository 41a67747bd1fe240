package repo

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

// ReadTree returns the tree of a commit. Content is not read: each file's From is a
// [Content], which opens its object when asked to, and is equal for files with the
// same object.
func (r *Repo) ReadTree(ctx context.Context, c ostree.Checksum) (*filetree.Node, error) {
	commit, err := r.ReadCommit(c)
	if err != nil {
		return nil, err
	}
	t := &treeReader{ctx: ctx, r: r, metas: map[ostree.Checksum]*ostree.DirMeta{}, files: map[ostree.Checksum][]*filetree.Node{}}
	root, err := t.dir(commit.Root, commit.RootMeta, 0)
	if err != nil {
		return nil, err
	}
	if err := t.headers(); err != nil {
		return nil, err
	}
	return root, nil
}

// treeReader builds the folders first; the headers of files are read behind, each
// object's once, by several goroutines.
type treeReader struct {
	ctx    context.Context
	r      *Repo
	budget budget
	metas  map[ostree.Checksum]*ostree.DirMeta
	files  map[ostree.Checksum][]*filetree.Node // that are still to be filled
	order  []ostree.Checksum
}

func (t *treeReader) dir(tree, meta ostree.Checksum, depth int) (*filetree.Node, error) {
	if t.ctx.Err() != nil {
		return nil, context.Cause(t.ctx)
	}
	m, ok := t.metas[meta]
	if !ok {
		var err error
		if m, err = t.r.readDirMeta(meta); err != nil {
			return nil, err
		}
		t.metas[meta] = m
	}
	dt, err := t.r.readDirTree(tree)
	if err != nil {
		return nil, err
	}
	if err := t.budget.take(depth, dt); err != nil {
		return nil, err
	}
	n := dirNode(m)
	for _, f := range dt.Files {
		file := &filetree.Node{}
		if t.files[f.Checksum] == nil {
			t.order = append(t.order, f.Checksum)
		}
		t.files[f.Checksum] = append(t.files[f.Checksum], file)
		if err := n.Set(f.Name, file); err != nil {
			return nil, err
		}
	}
	for _, d := range dt.Dirs {
		sub, err := t.dir(d.Tree, d.Meta, depth+1)
		if err != nil {
			return nil, err
		}
		if err := n.Set(d.Name, sub); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// headers fills the nodes of files and links.
func (t *treeReader) headers() error {
	const batch = 256
	group, ctx := errgroup.WithContext(t.ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for at := 0; at < len(t.order); at += batch {
		group.Go(func() error {
			for _, c := range t.order[at:min(at+batch, len(t.order))] {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				h, err := t.r.StatFile(c)
				if err != nil {
					return err
				}
				for _, n := range t.files[c] {
					if *n = *h.Node(); n.Kind == filetree.File {
						n.From = Content{t.r, c}
					}
				}
			}
			return nil
		})
	}
	return group.Wait()
}
