package repo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/ostree"
)

// FsckReport is what [Repo.Fsck] found.
type FsckReport struct {
	Commits int
	Objects int
	Errors  []error // each names an object or a ref; sorted
}

// objectID names an object.
type objectID struct {
	t ostree.ObjectType
	c ostree.Checksum
}

// Fsck reads every object that a commit leads to and compares it with its checksum,
// and checks that refs point to commits. Bad ones are in the report; the error is
// for what kept it from looking.
func (r *Repo) Fsck(ctx context.Context) (*FsckReport, error) {
	f := &fsck{r: r, seen: map[objectID]bool{}, report: &FsckReport{}}
	commits, err := r.Commits()
	if err != nil {
		return nil, err
	}
	f.refs()
	for _, c := range commits {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		f.commit(c)
	}
	f.report.Commits = len(commits)
	if err := f.content(ctx); err != nil {
		return nil, err
	}
	f.report.Objects = len(f.seen)
	slices.SortFunc(f.report.Errors, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return f.report, nil
}

// Commits lists the commit objects of the repository, sorted.
func (r *Repo) Commits() ([]ostree.Checksum, error) {
	var out []ostree.Checksum
	dirs, err := os.ReadDir(r.file("objects"))
	if err != nil {
		return nil, err
	}
	for _, d := range dirs {
		entries, err := os.ReadDir(r.file("objects", d.Name()))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			rest, ok := strings.CutSuffix(e.Name(), ".commit")
			if c, err := ostree.ParseChecksum(d.Name() + rest); ok && err == nil {
				out = append(out, c)
			}
		}
	}
	return out, nil
}

type fsck struct {
	r      *Repo
	mu     sync.Mutex
	seen   map[objectID]bool
	files  []ostree.Checksum
	report *FsckReport
}

func (f *fsck) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report.Errors = append(f.report.Errors, err)
}

func (f *fsck) refs() {
	refs, err := f.r.Refs()
	if err != nil {
		f.fail(err)
	}
	for name, c := range refs {
		if ok, err := f.r.Has(ostree.TypeCommit, c); err != nil || !ok {
			f.fail(fmt.Errorf("ref %s: object %s.commit: %w", name, c, errors.Join(err, ostree.ErrNotFound)))
		}
	}
}

// metadata reads and checks a metadata object; nil when it is bad or was seen.
func (f *fsck) metadata(t ostree.ObjectType, c ostree.Checksum) []byte {
	id := objectID{t, c}
	if f.seen[id] {
		return nil
	}
	f.seen[id] = true
	raw, err := f.r.ReadObject(t, c)
	if err != nil {
		f.fail(err)
		return nil
	}
	if got := ostree.Sum(raw); got != c {
		f.fail(objectError(t, c, fmt.Errorf("checksum is %s: %w", got, ostree.ErrCorrupt)))
		return nil
	}
	return raw
}

func (f *fsck) commit(c ostree.Checksum) {
	raw := f.metadata(ostree.TypeCommit, c)
	if raw == nil {
		return
	}
	commit, err := ostree.ParseCommit(raw)
	if err != nil {
		f.fail(objectError(ostree.TypeCommit, c, err))
		return
	}
	f.dir(commit.Root, commit.RootMeta)
}

func (f *fsck) dir(tree, meta ostree.Checksum) {
	if raw := f.metadata(ostree.TypeDirMeta, meta); raw != nil {
		if _, err := ostree.ParseDirMeta(raw); err != nil {
			f.fail(objectError(ostree.TypeDirMeta, meta, err))
		}
	}
	raw := f.metadata(ostree.TypeDirTree, tree)
	if raw == nil {
		return
	}
	dt, err := ostree.ParseDirTree(raw)
	if err != nil {
		f.fail(objectError(ostree.TypeDirTree, tree, err))
		return
	}
	for _, e := range dt.Files {
		if id := (objectID{ostree.TypeFile, e.Checksum}); !f.seen[id] {
			f.seen[id] = true
			f.files = append(f.files, e.Checksum)
		}
	}
	for _, d := range dt.Dirs {
		f.dir(d.Tree, d.Meta)
	}
}

// content checks the file objects, on all cores.
func (f *fsck) content(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, c := range f.files {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := f.r.verifyFile(c); err != nil {
				f.fail(err)
			}
			return nil
		})
	}
	return group.Wait()
}

// verifyFile reads a file object and compares it with its checksum.
func (r *Repo) verifyFile(c ostree.Checksum) error {
	h, rc, err := r.OpenFile(c)
	if err != nil {
		return err
	}
	defer rc.Close()
	sum, err := h.NewHash()
	if err != nil {
		return objectError(ostree.TypeFile, c, fmt.Errorf("%v: %w", err, ostree.ErrCorrupt))
	}
	n, err := io.Copy(sum, io.LimitReader(rc, h.Size+1))
	if err != nil {
		return objectError(ostree.TypeFile, c, fmt.Errorf("%v: %w", err, ostree.ErrCorrupt))
	}
	if n != h.Size {
		return objectError(ostree.TypeFile, c, fmt.Errorf("content has another size than %d bytes: %w", h.Size, ostree.ErrCorrupt))
	}
	if got := ostree.Checksum(sum.Sum(make([]byte, 0, sha256.Size))); got != c {
		return objectError(ostree.TypeFile, c, fmt.Errorf("checksum is %s: %w", got, ostree.ErrCorrupt))
	}
	return nil
}

// splitPath splits a path of the tree into its components.
func splitPath(p string) []string {
	p = strings.Trim(filepath.ToSlash(filepath.Clean("/"+p)), "/")
	if p == "" {
		return nil
	}
	return strings.Split(p, "/")
}
