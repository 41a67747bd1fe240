package source

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

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

// ErrFormat is wrapped when an archive is neither tar nor cpio; [ErrTruncated] when it
// ends early.
var (
	ErrFormat    = errors.New("unrecognized archive format")
	ErrTruncated = errors.New("truncated archive")
)

// A PathError is an entry of an archive whose path is not allowed, or whose type.
type PathError struct {
	Path string // as the archive has it
	Why  string // ".." or "type"
}

func (e *PathError) Error() string {
	if e.Why == "type" {
		return fmt.Sprintf("archive entry %q: neither file nor folder nor link: %v", e.Path, ostree.ErrUnsupported)
	}
	return fmt.Sprintf("archive entry %q: %q in the path: %v", e.Path, e.Why, ostree.ErrUnsupported)
}

func (e *PathError) Unwrap() error { return ostree.ErrUnsupported }

// A MissingError is a folder that an archive puts something into and that is not there,
// or the target of a hard link.
type MissingError struct {
	Name string // of the missing entry
	Link string // path of the hard link's target, or ""
}

func (e *MissingError) Error() string {
	if e.Link != "" {
		return fmt.Sprintf("hard link to %s, which is missing", e.Link)
	}
	return fmt.Sprintf("folder %s is missing", e.Name)
}

// ObjectWriter writes the content of archives, which can be read only once.
type ObjectWriter interface {
	WriteFile(h *ostree.File, r io.Reader) (ostree.Checksum, error)
}

// ArchiveOptions tell how [Tree.AddArchive] reads.
type ArchiveOptions struct {
	Parents bool                // make folders that the archive lacks: root's, of mode 0755
	Rename  func(string) string // changes paths, which have no leading slash; nil: none
}

// entry is a file of an archive.
type entry struct {
	path  string
	node  *filetree.Node // its header; nil: of a type that no commit has
	link  string         // path of the file that this is another name of, or ""
	inode string         // equal for names of one file, of which one has the content; "" when there is one name
	body  io.Reader
}

// AddArchive lays a tar or cpio archive, which may be compressed, over what has been
// read. Its content is written to w; small files wait in memory for one of as many
// workers as there are cores.
func (t *Tree) AddArchive(ctx context.Context, r io.Reader, w ObjectWriter, o ArchiveOptions) error {
	z, err := compress.NewReader(r)
	if err != nil {
		return fmt.Errorf("%v: %w", err, ErrFormat)
	}
	defer z.Close()
	next, err := openArchive(z)
	if err != nil {
		return err
	}
	a := &archiveReader{t: t, o: o, w: w, inodes: map[string][]*filetree.Node{}}
	a.group, a.ctx = errgroup.WithContext(ctx)
	a.group.SetLimit(runtime.GOMAXPROCS(0))
	err = a.read(next)
	if werr := a.group.Wait(); err == nil || errors.Is(err, context.Canceled) {
		err = errors.Join(werr, ctx.Err())
	}
	if err != nil {
		return err
	}
	return a.finish()
}

type archiveReader struct {
	t      *Tree
	o      ArchiveOptions
	w      ObjectWriter
	ctx    context.Context
	group  *errgroup.Group
	mu     sync.Mutex // of the tree's objects, while workers run
	links  []hardLink
	inodes map[string][]*filetree.Node
}

// hardLink is another name of a file, put into its folder when all has been read.
type hardLink struct {
	dir          *filetree.Node
	name, target string
}

func (a *archiveReader) read(next func() (*entry, error)) error {
	if a.o.Parents {
		if _, err := a.folder(nil); err != nil {
			return err
		}
	}
	for {
		if a.ctx.Err() != nil {
			return context.Cause(a.ctx)
		}
		e, err := next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := a.add(e); err != nil {
			return err
		}
	}
}

func (a *archiveReader) add(e *entry) error {
	elems, err := a.split(e.path)
	if err != nil {
		return err
	}
	if e.node == nil {
		return &PathError{e.path, "type"}
	}
	at := "/" + strings.Join(elems, "/")
	keep, err := a.t.changes.apply(at, e.node, true)
	if err != nil || !keep {
		return err
	}
	if len(elems) == 0 {
		return a.root(e.node)
	}
	dir, err := a.folder(elems[:len(elems)-1])
	if err != nil {
		return err
	}
	name := elems[len(elems)-1]
	if e.link != "" {
		target, err := a.split(e.link)
		a.links = append(a.links, hardLink{dir, name, strings.Join(target, "/")})
		return err
	}
	if err := a.t.put(dir, name, e.node); err != nil {
		return err
	}
	if e.node.Kind == filetree.Dir {
		return nil
	}
	return a.write(at, e)
}

// split takes a path apart, as it is to be in the tree.
func (a *archiveReader) split(p string) ([]string, error) {
	rel := p
	for rel != strings.TrimPrefix(strings.TrimLeft(rel, "/"), "./") {
		rel = strings.TrimPrefix(strings.TrimLeft(rel, "/"), "./")
	}
	if rel == "." {
		rel = ""
	}
	if a.o.Rename != nil {
		rel = strings.TrimLeft(a.o.Rename(rel), "/")
	}
	var out []string
	for e := range strings.SplitSeq(rel, "/") {
		switch e {
		case "", ".":
		case "..":
			return nil, &PathError{p, e}
		default:
			out = append(out, e)
		}
	}
	return out, nil
}

// root takes an entry for the root itself.
func (a *archiveReader) root(n *filetree.Node) error {
	if n.Kind != filetree.Dir {
		return &ReplaceError{Name: "/"}
	}
	return a.t.overlay(n)
}

// folder is the folder at a path. It is made, with those above it, if that is wanted.
func (a *archiveReader) folder(elems []string) (*filetree.Node, error) {
	t := a.t
	if t.root == nil || t.rootless && a.o.Parents {
		if err := a.makeRoot(); err != nil {
			return nil, err
		}
	}
	n, at := t.root, ""
	for _, name := range elems {
		at += "/" + name
		if err := t.touch(n); err != nil {
			return nil, err
		}
		sub := n.Child(name)
		if sub == nil {
			if !a.o.Parents {
				return nil, &MissingError{Name: name}
			}
			var err error
			if sub, err = a.parent(at); err != nil {
				return nil, err
			}
			if err := n.Set(name, sub); err != nil {
				return nil, err
			}
		}
		if sub.Kind != filetree.Dir {
			return nil, &ReplaceError{Name: name, Folder: true}
		}
		n = sub
	}
	return n, t.touch(n)
}

func (a *archiveReader) makeRoot() error {
	old := a.t.root
	a.t.root, a.t.rootless = filetree.NewDir(0o755), true
	if !a.o.Parents {
		return nil
	}
	n, err := a.parent("/")
	if err != nil {
		return err
	}
	if old != nil {
		a.t.root = old
	}
	return a.t.overlay(n)
}

// parent is a folder that the archive lacks.
func (a *archiveReader) parent(at string) (*filetree.Node, error) {
	n := filetree.NewDir(0o755)
	_, err := a.t.changes.apply(at, n, true)
	return n, err
}

// smallFile is the largest content, in bytes, that waits in memory.
const smallFile = 1 << 20

// write writes the object of a file or link.
func (a *archiveReader) write(at string, e *entry) error {
	n := e.node
	h, err := ostree.FileOf(n)
	if err != nil {
		return err
	}
	if e.inode != "" {
		a.inodes[e.inode] = append(a.inodes[e.inode], n)
	}
	if h.Size > smallFile {
		return a.writeNow(at, n, h, e.body)
	}
	content := make([]byte, h.Size)
	if _, err := io.ReadFull(e.body, content); err != nil {
		return truncated(err)
	}
	a.group.Go(func() error { return a.writeNow(at, n, h, bytes.NewReader(content)) })
	return nil
}

func (a *archiveReader) writeNow(at string, n *filetree.Node, h *ostree.File, r io.Reader) error {
	c, err := a.w.WriteFile(h, r)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.t.objects[n] = c
	return nil
}

// finish gives files with several names their content.
func (a *archiveReader) finish() error {
	for _, names := range a.inodes {
		for _, n := range names {
			if n.Size == 0 {
				a.t.objects[n] = a.t.objects[fullest(names)]
			}
		}
	}
	for _, l := range a.links {
		n, err := a.t.Lookup(strings.Split(l.target, "/")...)
		if err != nil {
			return err
		}
		if n == nil || n.Kind == filetree.Dir {
			return &MissingError{Name: path.Base(l.target), Link: l.target}
		}
		again := *n
		if c, ok := a.t.objects[n]; ok {
			a.t.objects[&again] = c
		}
		if err := a.t.put(l.dir, l.name, &again); err != nil {
			return err
		}
	}
	return nil
}

func fullest(list []*filetree.Node) *filetree.Node {
	best := list[0]
	for _, n := range list {
		if n.Size > best.Size {
			best = n
		}
	}
	return best
}

func truncated(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		return ErrTruncated
	}
	return err
}
