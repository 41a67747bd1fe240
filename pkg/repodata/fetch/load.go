package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/repodata"
)

// Load reads a repository's index and primary metadata. A folder of packages that
// has no metadata is read, too.
//
// Errors name the repository and the place, and wrap [ErrNotFound], [ErrOffline],
// [ErrSignature], [digest.ErrMismatch] or [repodata.ErrMalformed] when they are of
// that kind.
func (c *Client) Load(ctx context.Context, cfg repodata.RepoConfig) (*repodata.Repo, error) {
	r, err := c.load(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("RPM repository %s: %w", cfg.ID, err)
	}
	return r, nil
}

func (c *Client) load(ctx context.Context, cfg repodata.RepoConfig) (*repodata.Repo, error) {
	rem, err := c.remote(cfg)
	if err != nil {
		return nil, err
	}
	repo := &repodata.Repo{ID: cfg.ID, Priority: cfg.Priority, Cost: cfg.Cost, Exclude: cfg.Exclude, Include: cfg.IncludePkgs, Hotfixes: cfg.ModuleHotfixes}
	if dir, ok := plainFolder(cfg); ok {
		return repo, c.loadFolder(ctx, rem, repo, dir)
	}
	md, err := c.repomd(ctx, rem)
	if err != nil {
		return nil, err
	}
	rem.index, repo.Timestamp = md, md.Timestamp()
	primary, ok := md.Find("primary")
	if !ok {
		return nil, fmt.Errorf("repomd.xml names no primary metadata: %w", repodata.ErrMalformed)
	}
	if repo.Packed, err = c.packed(ctx, rem, primary); err != nil {
		return nil, err
	}
	return repo, nil
}

// packed is the packages of primary metadata: as they were kept in packed form, or
// parsed.
func (c *Client) packed(ctx context.Context, rem *remote, d repodata.Data) (*repodata.Packed, error) {
	file := c.parsedFile(d, "")
	if p, err := readPacked(file); err == nil {
		return p, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		c.log().WithError(err).Debug("parsing again")
	}
	if _, _, err := c.metadataFile(ctx, rem, d); err != nil {
		return nil, err
	}
	c.parsing.Lock()
	defer c.parsing.Unlock()
	pack := repodata.NewPacker()
	err := c.metadata(ctx, rem, d, func(r io.Reader) error {
		pack = repodata.NewPacker()
		return repodata.ScanPrimary(r, func(p *repodata.Package) error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			pack.Add(p)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return c.keepPacked(file, pack)
}

// keepPacked writes the packed form, for the next time.
func (c *Client) keepPacked(file string, pack *repodata.Packer) (*repodata.Packed, error) {
	p, err := pack.Pack()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	err = fsutil.WriteFile(file, 0o644, func(w io.Writer) error {
		_, err := p.WriteTo(w)
		return err
	})
	if err != nil {
		c.log().WithError(err).Warn("parsed metadata is not kept") // all goes on without it
	}
	return p, nil
}

func readPacked(file string) (*repodata.Packed, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return repodata.OpenPacked(f, st.Size())
}

// parsedFile is where what was parsed of metadata is kept.
func (c *Client) parsedFile(d repodata.Data, suffix string) string {
	return filepath.Join(c.Cache, "parsed", d.Checksum.Hex+suffix)
}

// metadata gives use the content of one file of metadata, and verifies it at its
// end. A copy in the cache that is damaged is loaded again, and use is called again.
func (c *Client) metadata(ctx context.Context, rem *remote, d repodata.Data, use func(io.Reader) error) error {
	if !d.Checksum.Algorithm.Strong() {
		return fmt.Errorf("%s metadata has a checksum of kind %s, which a forger can match: have the repository made with sha256", d.Type, d.Checksum.Algorithm)
	}
	file, cached, err := c.metadataFile(ctx, rem, d)
	if err != nil {
		return err
	}
	err = c.read(file, d, use)
	if !cached || !errors.Is(err, digest.ErrMismatch) || c.Offline {
		return err
	}
	if err := os.Remove(file); err != nil {
		return err
	}
	if file, _, err = c.metadataFile(ctx, rem, d); err != nil {
		return err
	}
	return c.read(file, d, use)
}

// read reads a file of metadata. That it is not what was promised comes before what
// use makes of it.
func (c *Client) read(file string, d repodata.Data, use func(io.Reader) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	packed := digest.NewReader(f, d.Checksum, d.Size)
	err = c.readOpen(packed, d, use)
	if _, e := io.Copy(io.Discard, packed); e != nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func (c *Client) readOpen(packed io.Reader, d repodata.Data, use func(io.Reader) error) error {
	z, err := compress.NewReader(packed)
	if err != nil {
		return fmt.Errorf("%w: %w", err, repodata.ErrMalformed)
	}
	ahead := newAhead(z)
	defer func() {
		ahead.Close()
		z.Close()
	}()
	limit := c.MaxOpenSize
	if limit <= 0 {
		limit = defaultOpen
	}
	var r io.Reader = &limited{ahead, limit}
	if d.OpenSize >= 0 || !d.OpenChecksum.IsZero() {
		r = digest.NewReader(r, d.OpenChecksum, d.OpenSize)
	}
	if err := use(r); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return err
}

// limited fails, instead of ending, when there is more than n bytes.
type limited struct {
	r io.Reader
	n int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.n -= int64(n); l.n < 0 {
		return 0, fmt.Errorf("decompressed metadata is too large: %w", repodata.ErrMalformed)
	}
	return n, err
}

// metadataFile returns the path of a metadata file, downloading it when it is remote
// and not there. A local one is used in its place.
func (c *Client) metadataFile(ctx context.Context, rem *remote, d repodata.Data) (file string, cached bool, err error) {
	urls := rem.places(d.Location)
	if p, ok := isLocal(urls[0]); ok {
		if _, err := os.Stat(p); err != nil {
			return "", false, fmt.Errorf("%s: %w", p, ErrNotFound)
		}
		return p, false, nil
	}
	file = filepath.Join(c.Cache, "metadata", d.Checksum.Hex)
	if _, err := os.Stat(file); err == nil {
		return file, true, nil
	}
	var done int64
	count := func(n int64) {
		done += n
		c.step("fetching "+d.Type+" of "+rem.cfg.ID, done, max(d.Size, 0))
	}
	return file, false, c.download(ctx, rem, urls, file, d.Checksum, d.Size, count)
}
