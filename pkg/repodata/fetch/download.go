package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/fsutil"
)

// maxDownload bounds a file whose size is not promised.
const maxDownload = 4 << 30

// download fetches a file from the first URL that has it, going on with what an
// earlier try has left, and puts it in place when it was verified. Another process
// that fetches the same file is waited for. count is told of bytes that arrive.
func (c *Client) download(ctx context.Context, rem *remote, urls []string, file string, d digest.Digest, size int64, count func(int64)) (err error) {
	if c.Offline {
		return fmt.Errorf("%s: %w", urls[0], ErrOffline)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := fsutil.OpenLocked(ctx, file+".part", 0o644)
	if err != nil {
		return err
	}
	part := &part{f, file, d, size, count}
	defer func() { err = errors.Join(err, part.close(err == nil)) }()
	if verify(file, d, size) == nil { // the other process has it
		return nil
	}
	var errs []error
	for _, url := range urls {
		err := c.retry(ctx, rem, func() error { return c.fetch(ctx, rem, url, part) })
		if err == nil {
			return os.Rename(f.Name(), file)
		}
		if ctx.Err() != nil || isDisk(err) {
			return err
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// part is a file that is being downloaded, under its lock.
type part struct {
	*os.File
	file  string
	sum   digest.Digest
	size  int64 // -1: not known
	count func(int64)
}

// close ends the lock; what is of no use to another try is removed first.
func (p *part) close(done bool) error {
	var err error
	if st, e := p.Stat(); e == nil && (done || st.Size() == 0) {
		if there, e := os.Stat(p.Name()); e == nil && os.SameFile(st, there) {
			err = os.Remove(p.Name())
		}
	}
	return errors.Join(err, p.Close())
}

func (p *part) Write(b []byte) (int, error) {
	n, err := p.File.Write(b)
	p.told(int64(n))
	return n, err
}

func (p *part) told(n int64) {
	if p.count != nil {
		p.count(n)
	}
}

// cut leaves the first n bytes of those there were.
func (p *part) cut(have, n int64) error {
	p.told(n - have)
	return errors.Join(p.Truncate(n), seek(p.File, n))
}

func seek(f *os.File, to int64) error {
	_, err := f.Seek(to, io.SeekStart)
	return err
}

// diskError marks an error that no other mirror mends.
type diskError struct{ error }

func (e *diskError) Unwrap() error { return e.error }

func isDisk(err error) bool {
	var d *diskError
	return errors.As(err, &d)
}

// fetch makes one try.
func (c *Client) fetch(ctx context.Context, rem *remote, url string, p *part) error {
	have, err := p.Seek(0, io.SeekEnd)
	if err != nil {
		return &diskError{err}
	}
	p.told(have)
	if p.size >= 0 && have > p.size {
		if err := p.cut(have, 0); err != nil {
			return &diskError{err}
		}
		have = 0
	}
	got, resumed, err := c.body(ctx, rem, url, p, have)
	if err != nil {
		p.told(-got)
		return err
	}
	if err := p.Sync(); err != nil {
		return &diskError{err}
	}
	err = verify(p.Name(), p.sum, p.size)
	if err == nil {
		return nil
	}
	if e := p.cut(got, 0); e != nil {
		return &diskError{e}
	}
	err = fmt.Errorf("%s: %w", url, errors.Unwrap(err))
	if resumed { // what was there may have been something else
		return &transient{error: err}
	}
	return err
}

// body appends what there is of a file behind the first have bytes; got is how many
// are there then.
func (c *Client) body(ctx context.Context, rem *remote, url string, p *part, have int64) (got int64, resumed bool, err error) {
	if have > 0 && have == p.size {
		return have, true, nil
	}
	r, resumed, err := c.open(ctx, rem, url, have)
	var none *noRange
	if errors.As(err, &none) {
		if err := p.cut(have, 0); err != nil {
			return 0, false, &diskError{err}
		}
		return 0, false, &transient{error: none.error}
	}
	if err != nil {
		return have, false, err
	}
	defer r.Close()
	if !resumed {
		if err := p.cut(have, 0); err != nil {
			return 0, false, &diskError{err}
		}
		have = 0
	}
	limit := int64(maxDownload)
	if p.size >= 0 {
		limit = p.size
	}
	n, err := io.Copy(p, io.LimitReader(r, limit-have+1))
	got = have + n
	var pe *os.PathError
	switch {
	case errors.As(err, &pe): // the disk, not the network
		return got, resumed, &diskError{errors.Join(err, p.cut(got, 0))}
	case err != nil:
		return got, resumed, &transient{error: fmt.Errorf("%s: %w", url, err)}
	case p.size >= 0 && got < p.size:
		return got, resumed, &transient{error: fmt.Errorf("%s: it ends behind %d bytes, promised were %d: %w", url, got, p.size, digest.ErrMismatch)}
	}
	return got, resumed, nil
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
