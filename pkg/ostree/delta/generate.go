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

	// File is the path of the superblock, with the parts beside it; "": the delta's
	// folder in the repository.
	File   string
	Inline bool // parts are in the superblock, not in files of their own
	// Order is the byte order that the superblock's numbers have: 'l' or 'B'; 0 is 'l'.
	Order byte
	// Sign returns signatures of the superblock, which is then wrapped with them; such a
	// delta can be applied, but not be pulled. nil does not.
	Sign func(superblock []byte) (ostree.Metadata, error)

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
	Dir       string // path of the delta's folder; that of Options.File
	Parts     int
	Fallbacks int
	Objects   int   // new in TO, the commit not counted
	Size      int64 // bytes of superblock and parts
	Fetched   int64 // bytes of the fallback objects

	Metadata, Regular, Links int // of Objects
	Modified                 int // files whose names were in FROM with other content
	Headers                  []PartHeader
	Loose                    int64 // bytes of the objects in parts, as they lie in the repository
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
	if o.Order == 0 {
		o.Order = 'l'
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
	g := &generator{r: r, o: o, sb: Superblock{Timestamp: o.Time, From: o.From, To: o.To, Order: o.Order}}
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

	report Report

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
	if err := g.makeDir(repoDir); err != nil {
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
	if err := g.embed(); err != nil {
		return nil, err
	}
	raw, err := g.superblock()
	if err != nil {
		return nil, err
	}
	g.count(fresh, int64(len(raw)))
	if g.o.File != "" {
		g.report.Dir = filepath.Dir(g.o.File)
		return &g.report, g.moveFiles(raw)
	}
	if err := fsutil.WriteBytes(filepath.Join(g.dir, "superblock"), 0o644, raw); err != nil {
		return nil, err
	}
	g.report.Dir = filepath.Join(repoDir, Dir(g.o.From, g.o.To))
	return &g.report, publish(g.dir, g.report.Dir)
}

// count fills in the report.
func (g *generator) count(fresh []ObjectName, superblock int64) {
	r := &g.report
	r.Parts, r.Fallbacks, r.Objects = len(g.sb.Parts), len(g.sb.Fallbacks), len(fresh)
	r.Headers, r.Size = g.sb.Parts, superblock
	for _, p := range g.sb.Parts {
		if !g.o.Inline { // else it is in the superblock
			r.Size += int64(p.Size)
		}
	}
	for _, f := range g.sb.Fallbacks {
		r.Fetched += int64(f.Size)
	}
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
		g.report.Metadata++
		g.report.Loose += int64(len(raw))
		g.room(&g.plain, int64(len(raw)))
		g.plain.addMetadata(o, raw)
		return nil
	}
	f, err := g.r.StatFile(o.Checksum)
	if err != nil {
		return err
	}
	if f.IsLink() {
		g.report.Links++
	} else {
		g.report.Regular++
	}
	stored, err := g.r.StoredSize(o.Type, o.Checksum)
	if err != nil {
		return err
	}
	if g.o.MinFallbackSize > 0 && f.Size > g.o.MinFallbackSize {
		g.sb.Fallbacks = append(g.sb.Fallbacks, Fallback{o, uint64(stored), uint64(f.Size)})
		return nil
	}
	g.report.Loose += stored
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
