package delta

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
)

// ObjectReader is the repository that holds both commits.
type ObjectReader interface {
	ReadObject(t ostree.ObjectType, c ostree.Checksum) ([]byte, error)
	StatFile(c ostree.Checksum) (*ostree.File, error)
	OpenFile(c ostree.Checksum) (*ostree.File, io.ReadCloser, error)
	StoredSize(t ostree.ObjectType, c ostree.Checksum) (int64, error)
}

// Defaults of [Options], in bytes. The first is that of `ostree static-delta
// generate`; parts are smaller than its 32 MB, so that all cores compress.
const (
	DefaultMinFallbackSize = 4e6
	DefaultMaxPartSize     = 8e6
)

// Options tells what to make a delta of.
type Options struct {
	From *ostree.Checksum // nil: from nothing
	To   ostree.Checksum
	Time int64 // seconds since 1970 UTC, for the superblock

	// MinFallbackSize is the content size, in bytes, above which an object is left
	// to be fetched whole. Zero: DefaultMinFallbackSize; negative: never.
	MinFallbackSize int64
	// MaxPartSize is the size, in bytes before compression, above which a new part
	// begins. Zero: DefaultMaxPartSize. Memory is about twice that for each worker.
	MaxPartSize int64
	// Workers is how many parts are compressed at once. Zero: one a core. The
	// result does not depend on it.
	Workers int

	Progress func(done, total int64) // of objects; nil reports nothing
}

// Report is what was written.
type Report struct {
	Dir       string // path of the delta's folder
	Parts     int
	Fallbacks int
	Objects   int   // new in TO, the commit not counted
	Size      int64 // bytes of superblock and parts
	Fetched   int64 // bytes of the fallback objects
}

func (o *Options) fill() {
	if o.MinFallbackSize == 0 {
		o.MinFallbackSize = DefaultMinFallbackSize
	}
	if o.MaxPartSize <= 0 {
		o.MaxPartSize = DefaultMaxPartSize
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
}

// Generate writes the delta into the repository folder repoDir, whole or not at
// all; a delta of the same name is replaced. The summary is for the caller to
// update.
func Generate(ctx context.Context, r ObjectReader, repoDir string, o Options) (*Report, error) {
	o.fill()
	g := &generator{r: r, o: o, sb: Superblock{Timestamp: o.Time, From: o.From, To: o.To}}
	report, err := g.run(ctx, repoDir)
	if err != nil {
		from := "nothing"
		if o.From != nil {
			from = o.From.String()
		}
		return nil, fmt.Errorf("delta from %s to %s: %w", from, o.To, err)
	}
	return report, nil
}

type generator struct {
	r  ObjectReader
	o  Options
	sb Superblock

	dir   string // where the files are put together
	group *errgroup.Group
	mu    sync.Mutex // of sb.Parts

	// The part that is filled, one for content that compresses and one for content
	// that is compressed already.
	plain, stored *part
	nParts        int
}

func (g *generator) run(ctx context.Context, repoDir string) (_ *Report, err error) {
	fresh, err := g.newObjects(ctx)
	if err != nil {
		return nil, err
	}
	if g.dir, err = os.MkdirTemp(filepath.Join(repoDir, "tmp"), "delta-*"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(g.dir)
		}
	}()
	if err := g.pack(ctx, fresh); err != nil {
		return nil, err
	}
	raw, err := g.sb.Encode()
	if err != nil {
		return nil, err
	}
	if err := fsutil.WriteBytes(filepath.Join(g.dir, "superblock"), 0o644, raw); err != nil {
		return nil, err
	}
	report := &Report{Dir: filepath.Join(repoDir, Dir(g.o.From, g.o.To)), Parts: len(g.sb.Parts),
		Fallbacks: len(g.sb.Fallbacks), Objects: len(fresh), Size: int64(len(raw))}
	for _, p := range g.sb.Parts {
		report.Size += int64(p.Size)
	}
	for _, f := range g.sb.Fallbacks {
		report.Fetched += int64(f.Size)
	}
	return report, publish(g.dir, report.Dir)
}

// publish moves the finished folder to its place.
func publish(tmp, dir string) error {
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := fsutil.SyncDir(tmp); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Rename(tmp, dir); err == nil {
		return nil
	}
	// Something is there: move it out of the way, so that no client sees a mix.
	old := tmp + "-old"
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return errors.Join(os.Rename(tmp, dir), os.RemoveAll(old))
}

// newObjects lists what TO has and FROM has not, metadata first, then files in the
// order of their paths, so that alike ones are near each other.
func (g *generator) newObjects(ctx context.Context) ([]ObjectName, error) {
	old := map[ObjectName]bool{}
	if g.o.From != nil {
		if _, err := g.walkCommit(ctx, *g.o.From, old); err != nil {
			return nil, err
		}
	}
	all, err := g.walkCommit(ctx, g.o.To, old)
	if err != nil {
		return nil, err
	}
	if g.sb.Commit, err = g.r.ReadObject(ostree.TypeCommit, g.o.To); err != nil {
		return nil, err
	}
	var meta, files []ObjectName
	for _, o := range all {
		if o.Type == ostree.TypeFile {
			files = append(files, o)
		} else {
			meta = append(meta, o)
		}
	}
	return append(meta, files...), nil
}

// walkCommit returns the objects of a commit's tree that are not in seen, each
// once, and adds them to it.
func (g *generator) walkCommit(ctx context.Context, c ostree.Checksum, seen map[ObjectName]bool) ([]ObjectName, error) {
	raw, err := g.r.ReadObject(ostree.TypeCommit, c)
	if err != nil {
		return nil, err
	}
	commit, err := ostree.ParseCommit(raw)
	if err != nil {
		return nil, fmt.Errorf("object %s.commit: %w", c, err)
	}
	w := walker{ctx: ctx, r: g.r, seen: seen}
	w.add(ostree.TypeDirMeta, commit.RootMeta)
	err = w.tree(commit.Root)
	return w.found, err
}

type walker struct {
	ctx   context.Context
	r     ObjectReader
	seen  map[ObjectName]bool
	found []ObjectName
}

func (w *walker) add(t ostree.ObjectType, c ostree.Checksum) bool {
	o := ObjectName{t, c}
	if w.seen[o] {
		return false
	}
	w.seen[o] = true
	w.found = append(w.found, o)
	return true
}

func (w *walker) tree(c ostree.Checksum) error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	if !w.add(ostree.TypeDirTree, c) {
		return nil
	}
	raw, err := w.r.ReadObject(ostree.TypeDirTree, c)
	if err != nil {
		return err
	}
	t, err := ostree.ParseDirTree(raw)
	if err != nil {
		return fmt.Errorf("object %s.dirtree: %w", c, err)
	}
	for _, f := range t.Files {
		w.add(ostree.TypeFile, f.Checksum)
	}
	for _, d := range t.Dirs {
		w.add(ostree.TypeDirMeta, d.Meta)
		if err := w.tree(d.Tree); err != nil {
			return err
		}
	}
	return nil
}

// pack fills parts one after the other; full ones are compressed meanwhile.
func (g *generator) pack(ctx context.Context, fresh []ObjectName) error {
	var working context.Context
	g.group, working = errgroup.WithContext(ctx)
	g.group.SetLimit(g.o.Workers)
	g.plain, g.stored = &part{}, &part{stored: true}
	for i, o := range fresh {
		if working.Err() != nil {
			return errors.Join(context.Cause(ctx), g.group.Wait())
		}
		if err := g.add(o); err != nil {
			return errors.Join(err, g.group.Wait())
		}
		g.o.Progress(int64(i+1), int64(len(fresh)))
	}
	// A delta has at least one part, also when it has no objects.
	if len(g.plain.objects) > 0 || g.nParts == 0 && len(g.stored.objects) == 0 {
		g.flush(&g.plain)
	}
	if len(g.stored.objects) > 0 {
		g.flush(&g.stored)
	}
	return g.group.Wait()
}

func (g *generator) add(o ObjectName) error {
	if o.Type != ostree.TypeFile {
		raw, err := g.r.ReadObject(o.Type, o.Checksum)
		if err != nil {
			return err
		}
		g.room(&g.plain, int64(len(raw)))
		g.plain.addMetadata(o, raw)
		return nil
	}
	f, err := g.r.StatFile(o.Checksum)
	if err != nil {
		return err
	}
	if g.o.MinFallbackSize > 0 && f.Size > g.o.MinFallbackSize {
		stored, err := g.r.StoredSize(o.Type, o.Checksum)
		if err != nil {
			return err
		}
		g.sb.Fallbacks = append(g.sb.Fallbacks, Fallback{o, uint64(stored), uint64(f.Size)})
		return nil
	}
	f, rc, err := g.r.OpenFile(o.Checksum)
	if err != nil {
		return err
	}
	br := bufio.NewReaderSize(rc, sampleSize)
	sample, err := br.Peek(int(min(f.Size, sampleSize)))
	if err != nil {
		return errors.Join(fmt.Errorf("object %s.file: %w", o.Checksum, err), rc.Close())
	}
	to := &g.plain
	if !g.compresses(sample) {
		to = &g.stored
	}
	g.room(to, f.Size)
	return errors.Join((*to).addFile(o, f, br), rc.Close())
}

// sampleSize is how much of a file is looked at to tell whether it compresses.
const sampleSize = 32 << 10

// compresses tells whether a file, of which sample is the beginning, is worth the time
// of xz.
func (g *generator) compresses(sample []byte) bool {
	if compress.Detect(sample) != compress.None {
		return false
	}
	var packed counter
	packed.w, packed.h = io.Discard, sha256.New()
	z, err := compress.NewDeflateWriter(&packed, 1)
	if err != nil {
		return true
	}
	z.Write(sample) // a counter takes everything
	z.Close()
	return int(packed.n) < len(sample)*9/10 || len(sample) < 1024
}

// room begins a new part when n more bytes do not fit into one.
func (g *generator) room(p **part, n int64) {
	if len((*p).objects) > 0 && int64(len((*p).blob))+n > g.o.MaxPartSize {
		g.flush(p)
	}
}

// flush hands a part over to be compressed and begins the next one.
func (g *generator) flush(p **part) {
	full, n := *p, g.nParts
	*p = &part{stored: full.stored}
	g.nParts++
	g.mu.Lock()
	g.sb.Parts = append(g.sb.Parts, PartHeader{})
	g.mu.Unlock()
	g.group.Go(func() error {
		var h PartHeader
		err := fsutil.WriteFile(filepath.Join(g.dir, strconv.Itoa(n)), 0o644, func(w io.Writer) (err error) {
			h, err = full.write(w)
			return err
		})
		if err != nil {
			return fmt.Errorf("part %d: %w", n, err)
		}
		g.mu.Lock()
		g.sb.Parts[n] = h
		g.mu.Unlock()
		return nil
	})
}
