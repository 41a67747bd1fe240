package repo

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

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
	// Folder returns the objects of a folder when the caller knows them and they are in
	// the repository with all they lead to. nil knows none.
	Folder func(*filetree.Node) (tree, meta ostree.Checksum, ok bool)
	// Learned is told the checksum of each file that had to be read. It is called
	// by one goroutine at a time. nil is not told.
	Learned func(*filetree.Node, ostree.Checksum)
	// Adopt returns the path of a file on disk that the caller is going to delete: it may
	// become the object itself. nil knows none.
	Adopt    func(*filetree.Node) (path string, ok bool)
	Workers  int                     // files written at once; 0: one a core
	Progress func(done, total int64) // of files; nil reports nothing
}

// WriteTree writes the objects of a tree that are missing, and returns those of its
// root. Content of a [Content] whose object has the same owner, mode and attributes is
// not read when the repository has the object. Devices, FIFOs and sockets are refused
// with [ostree.ErrUnsupported], content that is not what its node says with
// [ostree.ErrCorrupt]. Each worker holds some 2 MiB, however large files are.
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

// job is a file or link to write.
type job struct {
	path string
	node *filetree.Node
}

// files writes the content of all files and links, in parallel.
func (w *treeWriter) files(ctx context.Context, root *filetree.Node) error {
	jobs, err := w.jobs(root)
	if err != nil {
		return err
	}
	// Large files come first, so that no worker is left alone with one.
	slices.SortStableFunc(jobs, func(a, b job) int { return cmp.Compare(b.node.Size>>20, a.node.Size>>20) })
	var next, done atomic.Int64
	group, gctx := errgroup.WithContext(ctx)
	for range w.o.Workers {
		group.Go(func() error {
			for i := next.Add(1); i <= int64(len(jobs)); i = next.Add(1) {
				if gctx.Err() != nil {
					return context.Cause(gctx)
				}
				if err := w.file(jobs[i-1].node); err != nil {
					return fmt.Errorf("/%s: %w", jobs[i-1].path, err)
				}
				w.progress(&done, len(jobs))
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

// progress counts a file that is done.
func (w *treeWriter) progress(done *atomic.Int64, total int) {
	if w.o.Progress == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.o.Progress(done.Add(1), int64(total))
}

// jobs lists what is to be written; a file with several names stands there once.
func (w *treeWriter) jobs(root *filetree.Node) ([]job, error) {
	w.dups = map[*filetree.Node]*filetree.Node{}
	var jobs []job
	seen := map[*filetree.Node]bool{}
	err := root.Walk(func(p string, n *filetree.Node) error {
		if w.known(n) {
			return filetree.SkipDir
		}
		n = inode(n)
		if n.Kind == filetree.Dir || seen[n] {
			return nil
		}
		seen[n] = true
		if !w.duplicate(n) {
			jobs = append(jobs, job{p, n})
		}
		return nil
	})
	return jobs, err
}

// known tells whether n is a folder whose objects the caller knows.
func (w *treeWriter) known(n *filetree.Node) bool {
	if n.Kind != filetree.Dir || w.o.Folder == nil {
		return false
	}
	_, _, ok := w.o.Folder(n)
	return ok
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

func (w *treeWriter) set(n *filetree.Node, c ostree.Checksum, learned bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sums[n] = c
	if learned && w.o.Learned != nil && n.Kind == filetree.File {
		w.o.Learned(n, c)
	}
}

func (w *treeWriter) file(n *filetree.Node) error {
	known, ok := w.lookup(n)
	if ok {
		there, err := w.t.has(ostree.TypeFile, known)
		if err != nil {
			return err
		}
		if there {
			w.set(n, known, false)
			return nil
		}
	}
	h, err := ostree.FileOf(n)
	if err != nil {
		return err
	}
	c, err := w.write(h, n)
	if err != nil {
		return err
	}
	if ok && c != known {
		return fmt.Errorf("content has object %s, expected was %s: %w", c, known, ostree.ErrCorrupt)
	}
	w.set(n, c, true)
	return nil
}

// lookup returns the checksum of a file's object when it is known.
func (w *treeWriter) lookup(n *filetree.Node) (ostree.Checksum, bool) {
	if n.Kind != filetree.File {
		return ostree.Checksum{}, false
	}
	if w.o.Lookup != nil {
		if c, ok := w.o.Lookup(n); ok {
			return c, true
		}
	}
	from, ok := n.From.(Content)
	if !ok {
		return ostree.Checksum{}, false
	}
	h, err := ostree.FileOf(n)
	if err != nil {
		return ostree.Checksum{}, false
	}
	g, err := from.Repo.StatFile(from.Checksum)
	return from.Checksum, err == nil && g.Equal(h)
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
	if w.o.Adopt != nil {
		path, ok := w.o.Adopt(n)
		if s, seeks := rc.(io.ReadSeeker); ok && seeks {
			return w.t.adoptFile(h, path, s)
		}
	}
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
	if w.known(d) {
		tree, meta, _ = w.o.Folder(d)
		return tree, meta, nil
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
	tree = ostree.Sum(raw)
	if err := w.t.writeNamed(ostree.TypeDirTree, tree, raw); err != nil {
		return tree, meta, err
	}
	dm := ostree.DirMeta{UID: d.UID, GID: d.GID, Mode: d.Mode, Xattrs: d.Xattrs}
	if raw, err = dm.Encode(); err != nil {
		return tree, meta, fmt.Errorf("/%s: %w", at, err)
	}
	meta = ostree.Sum(raw)
	return tree, meta, w.t.writeNamed(ostree.TypeDirMeta, meta, raw)
}
