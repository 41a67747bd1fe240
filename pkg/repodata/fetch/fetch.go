// Package fetch loads RPM repositories and packages: from URLs, file:// URLs and
// plain folders, verified by size and checksum, through a cache. The HTTP client
// is here.
//
// The cache holds metadata and packages by checksum, so that several composes share
// it, and one that has been loaded is never loaded again:
//
//	metadata/HEX              a metadata file
//	repomd/ID-HASH.xml        the newest index of a repository, and .etag
//	rpms/XX/HEX.rpm           a package
//	rpms/XX/HEX.rpm.part      one that is being downloaded
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/repodata"
)

// What a caller can tell apart with errors.Is.
var (
	ErrNotFound = errors.New("not found")
	ErrOffline  = errors.New("not in the cache, and the run is offline")
)

// Progress is told how far a step is.
type Progress interface {
	Step(name string, done, total int64)
}

// Client loads repositories and packages.
type Client struct {
	Cache    string             // folder; required
	HTTP     *http.Client       // nil: http.DefaultClient
	Offline  bool               // use only what the cache holds, and local folders
	Workers  int                // downloads at once; 0: 4
	Log      logrus.FieldLogger // nil discards
	Progress Progress           // nil reports nothing

	// MaxOpenSize bounds decompressed metadata, in bytes; 0: 4 GiB.
	MaxOpenSize int64
}

const (
	retries     = 4
	firstPause  = 500 * time.Millisecond
	defaultOpen = 4 << 30
)

func (c *Client) workers() int {
	if c.Workers > 0 {
		return c.Workers
	}
	return max(4, runtime.GOMAXPROCS(0))
}

func (c *Client) step(name string, done, total int64) {
	if c.Progress != nil {
		c.Progress.Step(name, done, total)
	}
}

// isLocal tells whether base is a folder, and its path.
func isLocal(base string) (string, bool) {
	if p, ok := strings.CutPrefix(base, "file://"); ok {
		return p, true
	}
	return base, !strings.Contains(base, "://")
}

// join puts a place below a base URL or folder.
func join(base, place string) string {
	return strings.TrimRight(base, "/") + "/" + strings.TrimLeft(place, "/")
}

// open reads a place from a base. Its length is -1 when it is not known. offset is
// where to begin; the reader begins at 0 all the same when resumed is false.
func (c *Client) open(ctx context.Context, url string, offset int64) (r io.ReadCloser, length int64, resumed bool, err error) {
	if p, ok := isLocal(url); ok {
		f, err := os.Open(p)
		if errors.Is(err, os.ErrNotExist) {
			return nil, 0, false, fmt.Errorf("%s: %w", p, ErrNotFound)
		}
		if err != nil {
			return nil, 0, false, err
		}
		return f, -1, false, nil
	}
	if c.Offline {
		return nil, 0, false, fmt.Errorf("%s: %w", url, ErrOffline)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, false, err
	}
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, 0, false, &transient{err}
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		return resp.Body, resp.ContentLength, false, nil
	case resp.StatusCode == http.StatusPartialContent && offset > 0:
		return resp.Body, resp.ContentLength, true, nil
	}
	resp.Body.Close()
	err = fmt.Errorf("%s: HTTP status %s", url, resp.Status)
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusForbidden, http.StatusGone:
		err = fmt.Errorf("%s: HTTP status %s: %w", url, resp.Status, ErrNotFound)
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusRequestedRangeNotSatisfiable:
		err = &transient{err}
	default:
		if resp.StatusCode >= 500 {
			err = &transient{err}
		}
	}
	return nil, 0, false, err
}

// transient marks an error that may pass.
type transient struct{ error }

func (t *transient) Unwrap() error { return t.error }

// retry runs fn again while its error may pass, with growing pauses.
func retry(ctx context.Context, fn func() error) error {
	pause := firstPause
	for i := 0; ; i++ {
		err := fn()
		var t *transient
		if err == nil || !errors.As(err, &t) || i == retries || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// bases lists where a repository may be had, in the order to try.
func (c *Client) bases(ctx context.Context, cfg repodata.RepoConfig) ([]string, error) {
	out := slices.Clone(cfg.BaseURL)
	for _, l := range []struct {
		url   string
		parse func([]byte) []string
	}{{cfg.Mirrorlist, parseMirrorlist}, {cfg.Metalink, parseMetalink}} {
		if l.url == "" {
			continue
		}
		b, err := c.small(ctx, l.url)
		if err != nil {
			if len(out) > 0 {
				continue
			}
			return nil, err
		}
		out = append(out, l.parse(b)...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no mirror: %w", ErrNotFound)
	}
	return out, nil
}

// small reads a file of at most [repodata.MaxRepomd] bytes.
func (c *Client) small(ctx context.Context, url string) (b []byte, err error) {
	err = retry(ctx, func() error {
		r, _, _, err := c.open(ctx, url, 0)
		if err != nil {
			return err
		}
		defer r.Close()
		if b, err = io.ReadAll(io.LimitReader(r, repodata.MaxRepomd+1)); err != nil {
			return &transient{fmt.Errorf("%s: %w", url, err)}
		}
		if len(b) > repodata.MaxRepomd {
			return fmt.Errorf("%s: more than %d bytes", url, repodata.MaxRepomd)
		}
		return nil
	})
	return b, err
}

// Load reads a repository's index and primary metadata.
//
// Errors name the repository and the place, and wrap [ErrNotFound], [ErrOffline],
// [digest.ErrMismatch] or [repodata.ErrMalformed] when they are of that kind.
func (c *Client) Load(ctx context.Context, cfg repodata.RepoConfig) (*repodata.Repo, error) {
	r, err := c.load(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("RPM repository %s: %w", cfg.ID, err)
	}
	return r, nil
}

func (c *Client) load(ctx context.Context, cfg repodata.RepoConfig) (*repodata.Repo, error) {
	md, base, err := c.repomd(ctx, cfg)
	if err != nil {
		return nil, err
	}
	primary, ok := md.Find("primary")
	if !ok {
		return nil, fmt.Errorf("repomd.xml names no primary metadata: %w", repodata.ErrMalformed)
	}
	repo := &repodata.Repo{ID: cfg.ID, Priority: cfg.Priority, Cost: cfg.Cost, Timestamp: md.Timestamp()}
	err = c.metadata(ctx, base, primary, func(r io.Reader) error {
		var err error
		repo.Packages, err = repodata.ParsePrimary(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, p := range repo.Packages {
		p.Repo = repo
		if p.Base == "" {
			p.Base = base
		}
	}
	filter(repo, cfg)
	return repo, nil
}

// filter hides what excludepkgs and includepkgs hide.
func filter(repo *repodata.Repo, cfg repodata.RepoConfig) {
	match := func(globs []string, p *repodata.Package) bool {
		return slices.ContainsFunc(globs, func(g string) bool {
			for _, s := range []string{p.NEVRA.Name, p.NEVRA.Name + "." + p.NEVRA.Arch, p.NEVRA.String()} {
				if ok, err := path.Match(g, s); ok && err == nil {
					return true
				}
			}
			return false
		})
	}
	repo.Packages = slices.DeleteFunc(repo.Packages, func(p *repodata.Package) bool {
		hidden := match(cfg.Exclude, p) || len(cfg.IncludePkgs) > 0 && !match(cfg.IncludePkgs, p)
		if hidden {
			repo.Excluded = append(repo.Excluded, p)
		}
		return hidden
	})
}

// repomd reads the index from the first base that has it, or from the cache when the
// run is offline.
func (c *Client) repomd(ctx context.Context, cfg repodata.RepoConfig) (*repodata.Repomd, string, error) {
	cached := filepath.Join(c.Cache, "repomd", fileName(cfg.ID)+".xml")
	bases, err := c.bases(ctx, cfg)
	if err != nil {
		return nil, "", err
	}
	var errs []error
	for _, base := range bases {
		b, err := c.small(ctx, join(base, "repodata/repomd.xml"))
		_, local := isLocal(base)
		if errors.Is(err, ErrOffline) {
			b, err = readCached(cached, base)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		md, err := repodata.ParseRepomd(b)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", join(base, "repodata/repomd.xml"), err))
			continue
		}
		if !local && !c.Offline {
			if err := writeCached(cached, base, b); err != nil {
				return nil, "", err
			}
		}
		return md, base, nil
	}
	return nil, "", errors.Join(errs...)
}

// fileName makes an id safe as a file name.
func fileName(id string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == 0 {
			return '_'
		}
		return r
	}, id)
}

// The cached index has its base in the first line.
func writeCached(file, base string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return fsutil.WriteBytes(file, 0o644, append([]byte(base+"\n"), b...))
}

func readCached(file, base string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", base, ErrOffline)
	}
	was, rest, _ := strings.Cut(string(b), "\n")
	if was != base {
		return nil, fmt.Errorf("%s: %w", base, ErrOffline)
	}
	return []byte(rest), nil
}

// metadata opens one file of metadata, decompressed and verified at its end.
func (c *Client) metadata(ctx context.Context, base string, d repodata.Data, use func(io.Reader) error) error {
	if !d.Checksum.Algorithm.Strong() {
		return fmt.Errorf("%s metadata has a checksum of kind %s, which a forger can match: have the repository made with sha256", d.Type, d.Checksum.Algorithm)
	}
	url := join(base, d.Location)
	file, err := c.cached(ctx, url, d)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := compress.NewReader(digest.NewReader(f, d.Checksum, d.Size))
	if err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	defer z.Close()
	limit := c.MaxOpenSize
	if limit <= 0 {
		limit = defaultOpen
	}
	var r io.Reader = &limited{z, limit}
	if d.OpenSize >= 0 || !d.OpenChecksum.IsZero() {
		r = digest.NewReader(r, d.OpenChecksum, d.OpenSize)
	}
	if err := use(r); err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	return nil
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

// cached returns the path of a metadata file, downloading it when it is remote and
// not there. A local one is used in its place.
func (c *Client) cached(ctx context.Context, url string, d repodata.Data) (string, error) {
	if p, ok := isLocal(url); ok {
		if _, err := os.Stat(p); err != nil {
			return "", fmt.Errorf("%s: %w", p, ErrNotFound)
		}
		return p, nil
	}
	file := filepath.Join(c.Cache, "metadata", d.Checksum.Hex)
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	return file, c.download(ctx, []string{url}, file, d.Checksum, d.Size, nil)
}

// Filelists adds to the packages of a repository those of the files in want that
// they have.
func (c *Client) Filelists(ctx context.Context, cfg repodata.RepoConfig, repo *repodata.Repo, want []string) error {
	md, base, err := c.repomd(ctx, cfg)
	if err != nil {
		return fmt.Errorf("RPM repository %s: %w", cfg.ID, err)
	}
	d, ok := md.Find("filelists")
	if !ok {
		return nil
	}
	set := map[string]bool{}
	for _, w := range want {
		set[w] = true
	}
	byID := map[string]*repodata.Package{}
	for _, p := range repo.Packages {
		byID[p.Checksum.Hex] = p
	}
	err = c.metadata(ctx, base, d, func(r io.Reader) error {
		return repodata.ParseFilelists(r, set, func(id, path string) {
			p := byID[id]
			if p != nil && !slices.ContainsFunc(p.Files, func(f repodata.File) bool { return f.Path == path }) {
				p.Files = append(p.Files, repodata.File{Path: path})
			}
		})
	})
	if err != nil {
		return fmt.Errorf("RPM repository %s: %w", cfg.ID, err)
	}
	return nil
}
