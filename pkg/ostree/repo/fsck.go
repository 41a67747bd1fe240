package repo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/ostree"
)

// FsckOptions tells what [Repo.Fsck] does.
type FsckOptions struct {
	// Unreachable also checks objects that no commit leads to: what a broken run left.
	Unreachable bool
	Workers     int                     // files read at once; 0: one a core
	Progress    func(done, total int64) // of files; nil reports nothing
}

// FsckReport is what [Repo.Fsck] found.
type FsckReport struct {
	Commits int
	Objects int               // that were looked at
	Partial []ostree.Checksum // commits that are marked as lacking objects; sorted
	Errors  []error           // each names an object or a ref; sorted, none twice
}

// Fsck reads every object that a commit leads to and compares it with its checksum,
// and checks that refs point to commits that are there. Bad ones are in the report;
// the error is for what kept it from looking.
//
// Objects may be missing of a commit that a pull has marked as partial. A commit that
// a fsck has marked so must be whole.
func (r *Repo) Fsck(ctx context.Context, opts ...FsckOptions) (*FsckReport, error) {
	f := &fsck{r: r, seen: map[Object]bool{}, report: &FsckReport{}}
	if len(opts) > 0 {
		f.o = opts[0]
	}
	if f.o.Workers <= 0 {
		f.o.Workers = runtime.GOMAXPROCS(0)
	}
	commits, err := r.Commits()
	if err != nil {
		return nil, err
	}
	f.report.Commits = len(commits)
	if err := f.refs(); err != nil {
		return nil, err
	}
	if err := f.commits(ctx, commits); err != nil {
		return nil, err
	}
	if f.o.Unreachable {
		if err := f.rest(); err != nil {
			return nil, err
		}
	}
	if err := f.content(ctx); err != nil {
		return nil, err
	}
	f.report.Objects = len(f.seen)
	slices.SortFunc(f.report.Errors, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return f.report, nil
}

type fsck struct {
	r       *Repo
	o       FsckOptions
	seen    map[Object]bool
	files   []fileCheck
	partial bool // the commit that is walked is: objects may be missing

	mu     sync.Mutex
	report *FsckReport
}

func (f *fsck) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report.Errors = append(f.report.Errors, err)
}

// fileCheck is a file object to read. An optional one may be missing.
type fileCheck struct {
	c        ostree.Checksum
	optional bool
}

// refs looks at all refs, also those of other collections.
func (f *fsck) refs() error {
	check := func(name string, c ostree.Checksum, err error) error {
		if err == nil {
			var there bool
			if there, err = f.r.Has(ostree.TypeCommit, c); err == nil && !there {
				err = objectError(ostree.TypeCommit, c, ostree.ErrNotFound)
			}
		}
		if err != nil {
			f.fail(fmt.Errorf("ref %s: %w", name, err))
		}
		return nil
	}
	if err := f.r.eachRef(check); err != nil {
		return err
	}
	return f.r.walkRefs(mirrorsDir, func(name, file string) error {
		c, err := readRef(file)
		return check(name, c, err)
	})
}

// commits walks whole commits before partial ones: what a whole one lacks is an
// error, even when a partial one lacks it too.
func (f *fsck) commits(ctx context.Context, all []ostree.Checksum) error {
	for _, c := range all {
		marked, found, err := f.r.partial(c)
		if err != nil {
			return err
		}
		if marked && !found {
			f.report.Partial = append(f.report.Partial, c)
			continue
		}
		if err := f.commit(ctx, c); err != nil {
			return err
		}
	}
	f.partial = true
	for _, c := range f.report.Partial {
		if err := f.commit(ctx, c); err != nil {
			return err
		}
	}
	f.partial = false
	return nil
}

// isNew tells whether an object is seen for the first time.
func (f *fsck) isNew(o Object) bool {
	if f.seen[o] {
		return false
	}
	f.seen[o] = true
	return true
}

// metadata reads and checks a metadata object; nil when it is bad or was seen.
func (f *fsck) metadata(o Object) []byte {
	if !f.isNew(o) {
		return nil
	}
	raw, err := f.r.ReadObject(o.Type, o.Checksum)
	if f.partial && errors.Is(err, ostree.ErrNotFound) {
		return nil
	}
	if err != nil {
		f.fail(err)
		return nil
	}
	return raw
}

func (f *fsck) commit(ctx context.Context, c ostree.Checksum) error {
	raw := f.metadata(Object{ostree.TypeCommit, c})
	if raw == nil {
		return nil
	}
	commit, err := ostree.ParseCommit(raw)
	if err != nil {
		f.fail(objectError(ostree.TypeCommit, c, err))
		return nil
	}
	if _, err := f.r.ReadDetached(c); err != nil {
		f.fail(err)
	}
	return f.dir(ctx, commit.Root, commit.RootMeta, 0)
}

func (f *fsck) dir(ctx context.Context, tree, meta ostree.Checksum, depth int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f.dirMeta(meta)
	dt := f.dirTree(tree)
	if dt == nil {
		return nil
	}
	if depth > maxDepth {
		f.fail(objectError(ostree.TypeDirTree, tree, errTooDeep))
		return nil
	}
	for _, e := range dt.Files {
		f.file(e.Checksum)
	}
	for _, d := range dt.Dirs {
		if err := f.dir(ctx, d.Tree, d.Meta, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (f *fsck) dirMeta(c ostree.Checksum) {
	if raw := f.metadata(Object{ostree.TypeDirMeta, c}); raw != nil {
		if _, err := ostree.ParseDirMeta(raw); err != nil {
			f.fail(objectError(ostree.TypeDirMeta, c, err))
		}
	}
}

// dirTree returns a folder's list when it is good and new.
func (f *fsck) dirTree(c ostree.Checksum) *ostree.DirTree {
	raw := f.metadata(Object{ostree.TypeDirTree, c})
	if raw == nil {
		return nil
	}
	dt, err := ostree.ParseDirTree(raw)
	if err != nil {
		f.fail(objectError(ostree.TypeDirTree, c, err))
		return nil
	}
	return dt
}

func (f *fsck) file(c ostree.Checksum) {
	if f.isNew(Object{ostree.TypeFile, c}) {
		f.files = append(f.files, fileCheck{c, f.partial})
	}
}

// rest checks the objects that have not been seen.
func (f *fsck) rest() error {
	var objects []Object
	if err := f.r.loose(func(o Object) { objects = append(objects, o) }); err != nil {
		return err
	}
	for _, o := range objects {
		switch o.Type {
		case ostree.TypeFile:
			f.file(o.Checksum)
		case ostree.TypeDirTree:
			f.dirTree(o.Checksum)
		case ostree.TypeDirMeta:
			f.dirMeta(o.Checksum)
		case ostree.TypeTombstone, ostree.TypeCommitMeta:
			if raw := f.metadata(o); raw != nil {
				if _, err := ostree.ParseMetadata(raw); err != nil {
					f.fail(objectError(o.Type, o.Checksum, err))
				}
			}
		}
	}
	return nil
}

// content checks the file objects, by several goroutines.
func (f *fsck) content(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(f.o.Workers)
	done := int64(0)
	for _, check := range f.files {
		group.Go(func() error {
			if gctx.Err() != nil {
				return context.Cause(gctx)
			}
			if err := f.r.verifyFile(check.c); err != nil && !(check.optional && errors.Is(err, ostree.ErrNotFound)) {
				f.fail(err)
			}
			if f.o.Progress != nil {
				f.mu.Lock()
				defer f.mu.Unlock()
				done++
				f.o.Progress(done, int64(len(f.files)))
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
	bad := func(format string, args ...any) error {
		return objectError(ostree.TypeFile, c, fmt.Errorf(format+": %w", append(args, ostree.ErrCorrupt)...))
	}
	sum, err := h.NewHash()
	if err != nil {
		return bad("%v", err)
	}
	buf := get(&r.pool.copies, 128<<10)
	defer r.pool.copies.Put(buf)
	n, err := io.CopyBuffer(sum, struct{ io.Reader }{io.LimitReader(rc, h.Size+1)}, *buf)
	if err != nil {
		if errors.Is(err, ostree.ErrCorrupt) {
			return err // names the object
		}
		return objectError(ostree.TypeFile, c, err)
	}
	if n != h.Size {
		return bad("content has another size than %d bytes", h.Size)
	}
	if got := ostree.Checksum(sum.Sum(make([]byte, 0, sha256.Size))); got != c {
		return bad("checksum is %s", got)
	}
	if a, ok := rc.(*archived); ok && a.trailing() {
		return bad("bytes behind the end of the content")
	}
	return nil
}
