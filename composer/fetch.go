package composer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/rpm"
	"github.com/treewright/treewright/pkg/segment"
)

// record is what is kept of a package once it was unpacked, so that it never is
// again: its files, the objects of the build repository that hold their content, and
// its headers.
type record struct {
	Version int        `json:"version"`
	Files   []rpm.File `json:"files"`
	// Objects are the checksums of the regular files' objects, with root as owner, by
	// position; zero for others.
	Objects []ostree.Checksum `json:"objects"`
	// Signed is the fingerprint of the key that signed the package, when that was
	// asked for.
	Signed string `json:"signed,omitempty"`

	header *rpm.Header
}

// recordVersion changes when what a record holds does.
const recordVersion = 1

// imported is the packages of a compose with their records.
type imported struct {
	build   *repo.Repo
	records []*record // in install order
}

// fetch downloads the packages that have no record, unpacks them into the build
// repository, and returns the records of all.
func (c *Config) fetch(ctx context.Context, r *resolution) (*imported, error) {
	build, err := repo.Create(c.cacheDir("build"), ostree.ModeBareUser)
	if err != nil {
		return nil, err
	}
	build.DisableSync() // it can be made again; records are written when it is on disk
	keys, err := r.keys(ctx)
	if err != nil {
		return nil, err
	}
	out := &imported{build: build}
	missing, err := c.records(out, r, keys)
	if err != nil || len(missing) == 0 {
		return out, err
	}
	var wanted []*repodata.Package
	for _, i := range missing {
		wanted = append(wanted, r.packages[i])
	}
	files, err := r.client.Packages(ctx, wanted)
	if err != nil {
		return nil, corrupt(err)
	}
	return out, c.importAll(ctx, out, r, keys, missing, files)
}

// corrupt gives errors of damaged content the sentinel that commands know.
func corrupt(err error) error {
	if errors.Is(err, digest.ErrMismatch) || errors.Is(err, rpm.ErrCorrupt) || errors.Is(err, rpm.ErrMalformed) {
		return fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	return err
}

// records reads what is known of the packages, and lists those that are yet to be
// unpacked.
func (c *Config) records(out *imported, r *resolution, keys map[string]*openpgp.Keyring) (missing []int, err error) {
	out.records = make([]*record, len(r.packages))
	for i, p := range r.packages {
		rec, err := c.readRecord(out.build, p)
		if err != nil {
			return nil, err
		}
		if rec == nil || !rec.signedBy(keys[p.Repo.ID]) {
			missing = append(missing, i)
			continue
		}
		out.records[i] = rec
	}
	return missing, nil
}

// importAll unpacks packages on all cores.
func (c *Config) importAll(ctx context.Context, out *imported, r *resolution, keys map[string]*openpgp.Keyring, missing []int, files []string) error {
	txn, err := out.build.Begin(ctx)
	if err != nil {
		return err
	}
	defer txn.Abort()
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	var done atomic.Int64
	for n, i := range missing {
		group.Go(func() error {
			if gctx.Err() != nil {
				return context.Cause(gctx)
			}
			p := r.packages[i]
			rec, err := importPackage(txn, files[n], keys[p.Repo.ID])
			if err != nil {
				return importError(err, p, files[n], r.configs[p.Repo.ID])
			}
			out.records[i] = rec
			c.Progress.Step("unpacking packages", done.Add(1), int64(len(missing)))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := txn.Commit(ctx); err != nil {
		return err
	}
	for _, i := range missing {
		if err := c.writeRecord(r.packages[i], out.records[i]); err != nil {
			return err
		}
	}
	return nil
}

// importPackage streams one package's payload into the build repository. With keys it
// has to be signed by one of them: where the header tells that it is not, nothing is
// unpacked; in any case there is no record of it, without which no tree has its files.
func importPackage(txn *repo.Txn, file string, keys *openpgp.Keyring) (*record, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = bufio.NewReaderSize(f, 256<<10)
	h, err := rpm.ReadHeader(r)
	if err != nil {
		return nil, err
	}
	if keys == nil {
		return unpack(txn, h, r)
	}
	v, err := rpm.NewVerification(h, keys)
	if err != nil {
		return nil, err
	}
	if err := v.CheckHeader(); err != nil {
		return nil, err
	}
	rec, err := unpack(txn, h, io.TeeReader(r, v))
	if err != nil {
		return nil, err
	}
	if err := v.CheckSigned(); err != nil {
		return nil, err
	}
	rec.Signed = v.SignedBy().Fingerprint
	return rec, nil
}

// unpack reads the payload to its end.
func unpack(txn *repo.Txn, h *rpm.Header, r io.Reader) (*record, error) {
	rec := &record{Version: recordVersion, header: h}
	var err error
	if rec.Files, err = h.Files(); err != nil {
		return nil, err
	}
	rec.Objects = make([]ostree.Checksum, len(rec.Files))
	p, err := rpm.NewPayload(h, rec.Files, r)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	for {
		e, err := p.Next()
		if err == io.EOF {
			return rec, nil
		}
		if err != nil {
			return nil, err
		}
		if e.Content == nil {
			continue
		}
		if err := rec.take(txn, e); err != nil {
			return nil, err
		}
	}
}

// take writes one file, and the hard links to it, as objects.
func (rec *record) take(txn *repo.Txn, e *rpm.PayloadEntry) error {
	h, err := fileHeader(e.File)
	if err != nil {
		return err
	}
	sum := sha256.New()
	object, err := txn.WriteFile(h, io.TeeReader(e.Content, sum))
	if err != nil {
		return err
	}
	d := digest.FromHash(digest.SHA256, sum)
	for _, i := range append(e.Links, e.Index) {
		rec.Files[i].Digest = d // whatever algorithm the package has
		rec.Objects[i] = object
	}
	return nil
}

// fileHeader is how a package's file is stored: with root as its owner, whose number
// is known before the tree's accounts are.
func fileHeader(f *rpm.File) (*ostree.File, error) {
	const regular = 0o100000
	h := &ostree.File{Mode: regular | f.Mode, Size: f.Size}
	caps, err := rpm.EncodeCaps(f.Caps)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	if caps != nil {
		h.Xattrs = []filetree.Xattr{{Name: rpm.CapabilityXattr, Value: caps}}
	}
	return h, nil
}

func (c *Config) recordPath(p *repodata.Package) string {
	return filepath.Join(c.cacheDir("packages"), p.Checksum.Hex)
}

// writeRecord stores a record: headers, then the list of files.
func (c *Config) writeRecord(p *repodata.Package, rec *record) error {
	base := c.recordPath(p)
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		return err
	}
	if err := fsutil.WriteBytes(base+".header", 0o644, rec.header.Bytes()); err != nil {
		return err
	}
	b, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	return fsutil.WriteBytes(base+".json", 0o644, b)
}

// readRecord reads the record of a package; nil when there is none that can be used.
func (c *Config) readRecord(build *repo.Repo, p *repodata.Package) (*record, error) {
	base := c.recordPath(p)
	b, err := os.ReadFile(base + ".json")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rec := &record{}
	if json.Unmarshal(b, rec) != nil || rec.Version != recordVersion || len(rec.Objects) != len(rec.Files) {
		return nil, nil
	}
	for i, f := range rec.Files {
		if f.Kind == filetree.File && f.Flags&rpm.FlagGhost == 0 {
			if ok, err := build.Has(ostree.TypeFile, rec.Objects[i]); err != nil || !ok {
				return nil, err
			}
		}
	}
	raw, err := os.ReadFile(base + ".header")
	if err != nil {
		return nil, nil
	}
	if rec.header, err = rpm.ReadHeader(bytes.NewReader(raw)); err != nil {
		return nil, nil
	}
	return rec, nil
}

// sources are where the content of a record's files is.
func (rec *record) sources(build *repo.Repo) []segment.Source {
	out := make([]segment.Source, len(rec.Files))
	for i, f := range rec.Files {
		if f.Kind == filetree.File && f.Flags&rpm.FlagGhost == 0 {
			out[i] = repo.Content{Repo: build, Checksum: rec.Objects[i]}
		}
	}
	return out
}
