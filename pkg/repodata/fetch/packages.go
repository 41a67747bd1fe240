package fetch

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/repodata"
)

// Packages returns the path of each package's file, its size and checksum verified.
// Those of local repositories are used in their place; others are downloaded, a few
// at a time.
//
// An error names the package, its repository and the place.
func (c *Client) Packages(ctx context.Context, packages []*repodata.Package) ([]string, error) {
	out := make([]string, len(packages))
	var total, done atomic.Int64
	for _, p := range packages {
		total.Add(p.Size)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.workers())
	for i, p := range packages {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			file, err := c.pkg(ctx, p)
			if err != nil {
				return fmt.Errorf("package %s from %s: %w", p.NEVRA, p.Repo.ID, err)
			}
			out[i] = file
			c.step("fetching packages", done.Add(p.Size), total.Load())
			return nil
		})
	}
	return out, group.Wait()
}

func (c *Client) pkg(ctx context.Context, p *repodata.Package) (string, error) {
	if !p.Checksum.Algorithm.Strong() {
		return "", fmt.Errorf("its checksum is of kind %s, which a forger can match", p.Checksum.Algorithm)
	}
	url := join(p.Base, p.Location)
	if file, ok := isLocal(url); ok {
		return file, verify(file, p.Checksum, p.Size)
	}
	hex := p.Checksum.Hex
	file := filepath.Join(c.Cache, "rpms", hex[:2], hex+".rpm")
	if _, err := os.Stat(file); err == nil {
		if err := verify(file, p.Checksum, p.Size); err == nil {
			return file, nil
		}
		if err := os.Remove(file); err != nil {
			return "", err
		}
	}
	return file, c.download(ctx, []string{url}, file, p.Checksum, p.Size, nil)
}

// verify reads a file and compares size and checksum.
func verify(file string, d digest.Digest, size int64) error {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w", file, ErrNotFound)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(io.Discard, digest.NewReader(f, d, size)); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// download fetches a file from the first URL that has it, resuming an earlier try,
// and puts it in place when it was verified.
func (c *Client) download(ctx context.Context, urls []string, file string, d digest.Digest, size int64, _ func(int64)) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	var errs []error
	for _, url := range urls {
		err := retry(ctx, func() error { return c.fetch(ctx, url, file, d, size) })
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// fetch makes one try.
func (c *Client) fetch(ctx context.Context, url, file string, d digest.Digest, size int64) (err error) {
	part := file + ".part"
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if size >= 0 && have >= size {
		have = 0
	}
	r, _, resumed, err := c.open(ctx, url, have)
	if err != nil {
		return err
	}
	defer r.Close()
	if !resumed {
		have = 0
	}
	if err := f.Truncate(have); err != nil {
		return err
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return err
	}
	var body io.Reader = r
	if size >= 0 {
		body = io.LimitReader(r, size-have+1)
	}
	if _, err := io.Copy(f, body); err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) { // the disk, not the network
			return errors.Join(err, os.Remove(part))
		}
		return &transient{fmt.Errorf("%s: %w", url, err)}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := verify(part, d, size); err != nil {
		err = fmt.Errorf("%s: %w", url, errors.Unwrap(err))
		return errors.Join(err, os.Remove(part))
	}
	return os.Rename(part, file)
}

// parseMirrorlist reads one URL a line.
func parseMirrorlist(b []byte) (out []string) {
	for line := range strings.Lines(string(b)) {
		if l := strings.TrimSpace(line); strings.HasPrefix(l, "http://") || strings.HasPrefix(l, "https://") || strings.HasPrefix(l, "file://") {
			out = append(out, l)
		}
	}
	return out
}

// parseMetalink reads the mirrors of a metalink, those with the highest preference
// first as the file lists them.
func parseMetalink(b []byte) (out []string) {
	var x struct {
		Files []struct {
			Name string `xml:"name,attr"`
			URLs []struct {
				Protocol string `xml:"protocol,attr"`
				Value    string `xml:",chardata"`
			} `xml:"resources>url"`
		} `xml:"files>file"`
	}
	if xml.Unmarshal(b, &x) != nil {
		return nil
	}
	for _, f := range x.Files {
		if f.Name != "repomd.xml" {
			continue
		}
		for _, u := range f.URLs {
			base, ok := strings.CutSuffix(strings.TrimSpace(u.Value), "/repodata/repomd.xml")
			if ok && u.Protocol != "rsync" && u.Protocol != "ftp" {
				out = append(out, base)
			}
		}
	}
	return out
}
