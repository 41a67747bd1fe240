package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

// TreeOptions tells how [Txn.WriteTree] works.
type TreeOptions struct {
	// Lookup returns the checksum of a file's object when the caller knows it. Its
	// content is then read only when the repository lacks the object. nil knows none.
	Lookup func(*filetree.Node) (ostree.Checksum, bool)
	// Learned is told the checksum of each file that had to be read. It is called
	// by one goroutine at a time. nil is not told.
	Learned  func(*filetree.Node, ostree.Checksum)
	Workers  int                     // files written at once; 0: one a core
	Progress func(done, total int64) // of files; nil reports nothing
}

// WriteTree writes the objects of a tree that are missing, and returns those of its
// root. Devices, FIFOs and sockets are refused with [ostree.ErrUnsupported].
func (t *Txn) WriteTree(ctx context.Context, root *filetree.Node, o TreeOptions) (tree, meta ostree.Checksum, err error) {
	w := &treeWriter{t: t, o: o, sums: map[*filetree.Node]ostree.Checksum{}, same: map[string]*filetree.Node{}}
	if w.o.Workers <= 0 {
		w.o.Workers = runtime.GOMAXPROCS(0)
	}
	if err := w.files(ctx, root); err != nil {
		return tree, meta, err
	}
	return w.dir(ctx, "", root)
}

type treeWriter struct {
	t    *Txn
	o    TreeOptions
	mu   sync.Mutex
	sums map[*filetree.Node]ostree.Checksum
	same map[string]*filetree.Node // by digest and metadata: content that comes again
	dups map[*filetree.Node]*filetree.Node
}

// inode is the node that holds what n is.
func inode(n *filetree.Node) *filetree.Node {
	if n.Link != nil {
		return n.Link
	}
	return n
}

// files writes the content of all files and links, in parallel.
func (w *treeWriter) files(ctx context.Context, root *filetree.Node) error {
	w.dups = map[*filetree.Node]*filetree.Node{}
	type job struct {
		path string
		node *filetree.Node
	}
	var jobs []job
	err := root.Walk(func(p string, n *filetree.Node) error {
		n = inode(n)
		if n.Kind == filetree.Dir || w.duplicate(n) {
			return nil
		}
		jobs = append(jobs, job{p, n})
		return nil
	})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(w.o.Workers)
	for i, j := range jobs {
		if ctx.Err() != nil {
			break
		}
		if w.o.Progress != nil {
			w.o.Progress(int64(i), int64(len(jobs)))
		}
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := w.file(j.node); err != nil {
				return fmt.Errorf("/%s: %w", j.path, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for n, first := range w.dups {
		w.sums[n] = w.sums[first]
	}
	return nil
}

// duplicate tells whether a file that came before has the same object.
func (w *treeWriter) duplicate(n *filetree.Node) bool {
	if n.Kind != filetree.File || n.Digest.IsZero() {
		return false
	}
	k := objectKey(n)
	first, ok := w.same[k]
	if !ok {
		w.same[k] = n
		return false
	}
	if first != n {
		w.dups[n] = first
	}
	return true
}

// objectKey is equal for files that have the same object.
func objectKey(n *filetree.Node) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %o %d %d", n.Digest, n.Mode, n.UID, n.GID)
	for _, x := range n.Xattrs {
		fmt.Fprintf(&b, " %q=%q", x.Name, x.Value)
	}
	return b.String()
}

func (w *treeWriter) set(n *filetree.Node, c ostree.Checksum) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sums[n] = c
}

func (w *treeWriter) file(n *filetree.Node) error {
	h, err := ostree.FileOf(n)
	if err != nil {
		return err
	}
	if w.o.Lookup != nil && n.Kind == filetree.File {
		if c, ok := w.o.Lookup(n); ok {
			there, err := w.t.has(ostree.TypeFile, c)
			if err != nil {
				return err
			}
			if there {
				w.set(n, c)
				return nil
			}
		}
	}
	c, err := w.write(h, n)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sums[n] = c
	if w.o.Learned != nil && n.Kind == filetree.File {
		w.o.Learned(n, c)
	}
	return nil
}

// write opens the content and writes the object; what the node promises of the
// content is checked on the way.
func (w *treeWriter) write(h *ostree.File, n *filetree.Node) (c ostree.Checksum, err error) {
	if n.Kind == filetree.Symlink || n.Size == 0 {
		return w.t.WriteFile(h, bytes.NewReader(nil))
	}
	rc, err := n.From.Open()
	if err != nil {
		return c, err
	}
	defer rc.Close()
	var r io.Reader = rc
	if !n.Digest.IsZero() {
		r = digest.NewReader(rc, n.Digest, n.Size)
	}
	c, err = w.t.WriteFile(h, r)
	if errors.Is(err, digest.ErrMismatch) {
		err = fmt.Errorf("%v: %w", err, ostree.ErrCorrupt)
	}
	return c, err
}

// dir writes the dirtree and dirmeta of a folder, those below it first.
func (w *treeWriter) dir(ctx context.Context, at string, d *filetree.Node) (tree, meta ostree.Checksum, err error) {
	if ctx.Err() != nil {
		return tree, meta, context.Cause(ctx)
	}
	var dt ostree.DirTree
	for _, name := range d.Names() {
		n := d.Child(name)
		if n.Kind != filetree.Dir || n.Link != nil {
			dt.Files = append(dt.Files, ostree.FileEntry{Name: name, Checksum: w.sums[inode(n)]})
			continue
		}
		st, sm, err := w.dir(ctx, path.Join(at, name), n)
		if err != nil {
			return tree, meta, err
		}
		dt.Dirs = append(dt.Dirs, ostree.DirEntry{Name: name, Tree: st, Meta: sm})
	}
	raw, err := dt.Encode()
	if err != nil {
		return tree, meta, fmt.Errorf("/%s: %w", at, err)
	}
	if tree, err = w.t.WriteMetadata(ostree.TypeDirTree, raw); err != nil {
		return tree, meta, err
	}
	dm := ostree.DirMeta{UID: d.UID, GID: d.GID, Mode: d.Mode, Xattrs: d.Xattrs}
	if raw, err = dm.Encode(); err != nil {
		return tree, meta, fmt.Errorf("/%s: %w", at, err)
	}
	meta, err = w.t.WriteMetadata(ostree.TypeDirMeta, raw)
	return tree, meta, err
}

// WriteCommit writes a commit object.
func (t *Txn) WriteCommit(c *ostree.Commit) (ostree.Checksum, error) {
	raw, err := c.Encode()
	if err != nil {
		return ostree.Checksum{}, err
	}
	return t.WriteMetadata(ostree.TypeCommit, raw)
}

// ReadTree returns the tree of a commit. Content is not read: each file's From is a
// [Content], equal for files with the same object.
func (r *Repo) ReadTree(ctx context.Context, c ostree.Checksum) (*filetree.Node, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	commit, err := r.ReadCommit(c)
	if err != nil {
		return nil, err
	}
	return r.readDir(commit.Root, commit.RootMeta)
}
