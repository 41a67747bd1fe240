package repo

import (
	"context"
	"io"
	"path"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

// LsEntry is a file, link or folder of a commit.
type LsEntry struct {
	Path     string          // with a leading slash
	Node     *filetree.Node  // without children and content; nil when only names are asked for
	Checksum ostree.Checksum // of the file object, or of the dirtree
	Meta     ostree.Checksum // of a folder's dirmeta

	content []byte // of a file, if it was read ahead
}

// LsOptions tells what [Repo.Ls] lists.
type LsOptions struct {
	Path      string // in the tree; empty: its root
	Recursive bool   // also what is in folders of the folder
	DirOnly   bool   // of a folder only itself, unless Recursive
	NamesOnly bool   // file objects are not looked at

	content int64 // content of at most so many bytes is read ahead
}

// Ls calls fn with the file at a path of a commit, or with the folder and what is in
// it, in ostree's order: files and links before folders, by name. Objects are read
// ahead, by several goroutines.
//
// A path that is not there is a [*TreePathError].
func (r *Repo) Ls(ctx context.Context, commit ostree.Checksum, o LsOptions, fn func(LsEntry) error) error {
	c, err := r.ReadCommit(commit)
	if err != nil {
		return err
	}
	top, err := r.lookup(c, o.Path)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	l := &lister{ctx: ctx, r: r, o: o, metas: map[ostree.Checksum]*ostree.DirMeta{}, out: make(chan *lsBatch, 4*runtime.GOMAXPROCS(0)), cur: newLsBatch()}
	l.read.SetLimit(runtime.GOMAXPROCS(0))
	group.Go(func() error {
		defer close(l.out)
		err := l.list(top)
		if flushed := l.flush(); err == nil {
			err = flushed
		}
		l.read.Wait()
		return err
	})
	group.Go(func() error { return l.deliver(fn) })
	return group.Wait()
}

// lsBatch is a part of a list, in its order. Its files are looked at behind the walk.
type lsBatch struct {
	entries []LsEntry
	files   []int // entries without a node
	done    chan struct{}
	err     error
}

const lsBatchSize = 128

func newLsBatch() *lsBatch { return &lsBatch{done: make(chan struct{})} }

// lister walks folders and hands out batches.
type lister struct {
	ctx    context.Context
	r      *Repo
	o      LsOptions
	budget budget
	metas  map[ostree.Checksum]*ostree.DirMeta
	out    chan *lsBatch // in order
	cur    *lsBatch
	read   errgroup.Group
}

// deliver calls fn with what is ready, in order.
func (l *lister) deliver(fn func(LsEntry) error) error {
	for b := range l.out {
		<-b.done
		for i := range b.entries {
			if b.err != nil && i == len(b.entries)-1 {
				return b.err
			}
			if err := fn(b.entries[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush has the files of the batch looked at, and begins another one.
func (l *lister) flush() error {
	b := l.cur
	l.cur = newLsBatch()
	l.read.Go(func() error {
		defer close(b.done)
		for _, i := range b.files {
			if err := l.look(&b.entries[i]); err != nil {
				b.err, b.entries = err, b.entries[:i+1]
				return nil
			}
		}
		return nil
	})
	select {
	case l.out <- b:
		return nil
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
}

// look reads the header of a file, and the content if that is wanted.
func (l *lister) look(e *LsEntry) error {
	if l.o.content == 0 {
		h, err := l.r.StatFile(e.Checksum)
		if err == nil {
			e.Node = h.Node()
		}
		return err
	}
	h, content, err := l.r.OpenFile(e.Checksum)
	if err != nil {
		return err
	}
	defer content.Close()
	e.Node = h.Node()
	if h.IsLink() || h.Size == 0 || h.Size > l.o.content {
		return nil
	}
	e.content = make([]byte, h.Size)
	_, err = io.ReadFull(content, e.content)
	return objectError(ostree.TypeFile, e.Checksum, err)
}

// add puts an entry into the batch.
func (l *lister) add(e LsEntry, isFile bool) error {
	if isFile && !l.o.NamesOnly {
		l.cur.files = append(l.cur.files, len(l.cur.entries))
	}
	if l.cur.entries = append(l.cur.entries, e); len(l.cur.entries) < lsBatchSize {
		return nil
	}
	return l.flush()
}

func (l *lister) list(top place) error {
	at := "/" + strings.Join(splitPath(l.o.Path), "/")
	if top.isFile {
		return l.add(LsEntry{Path: at, Checksum: top.file}, true)
	}
	return l.dir(at, top.tree, top.meta, 0)
}

func (l *lister) dir(at string, tree, meta ostree.Checksum, depth int) error {
	if l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	e := LsEntry{Path: at, Checksum: tree, Meta: meta}
	if !l.o.NamesOnly {
		m, err := l.dirMeta(meta)
		if err != nil {
			return err
		}
		e.Node = dirNode(m)
	}
	if err := l.add(e, false); err != nil {
		return err
	}
	if !l.o.Recursive && (l.o.DirOnly || depth > 0) {
		return nil
	}
	dt, err := l.r.readDirTree(tree)
	if err != nil {
		return err
	}
	if err := l.budget.take(depth, dt); err != nil {
		return err
	}
	for _, f := range dt.Files {
		if err := l.add(LsEntry{Path: path.Join(at, f.Name), Checksum: f.Checksum}, true); err != nil {
			return err
		}
	}
	for _, d := range dt.Dirs {
		if err := l.dir(path.Join(at, d.Name), d.Tree, d.Meta, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// dirMeta reads a dirmeta once.
func (l *lister) dirMeta(sum ostree.Checksum) (*ostree.DirMeta, error) {
	if m, ok := l.metas[sum]; ok {
		return m, nil
	}
	m, err := l.r.readDirMeta(sum)
	if err == nil {
		l.metas[sum] = m
	}
	return m, err
}

func dirNode(m *ostree.DirMeta) *filetree.Node {
	return &filetree.Node{Kind: filetree.Dir, Mode: m.Mode, UID: m.UID, GID: m.GID, Xattrs: m.Xattrs}
}
