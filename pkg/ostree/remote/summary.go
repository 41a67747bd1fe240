package remote

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/fsutil"
)

// sigLimit is the largest file of signatures, in bytes.
const sigLimit = 10 << 20

// ErrBadCache is given when a cached summary does not fit its signature, to those who
// ask for that.
var ErrBadCache = errors.New("the cached summary does not fit its signature")

// tagXattr holds the Etag of a cached file; its Last-Modified is its time.
const tagXattr = "user.etag"

// fetched is a file, and what a server says to tell versions of it apart.
type fetched struct {
	data     []byte // nil: there is none
	tag      string
	modified time.Time
	cached   bool // it came from the cache
}

// Summary returns the summary and the file of its signatures, each nil when there is
// none. judge, unless it is nil, tells whether the one fits the other; what it says no
// to is never kept.
//
// A summary with signatures is kept in the cache: as long as the server has the same
// signatures it is not fetched again.
func (s *Source) Summary(ctx context.Context, judge func(raw, sig []byte) error) (raw, sig []byte, err error) {
	if judge == nil {
		judge = func(_, _ []byte) error { return nil }
	}
	oldSummary, oldSig := s.cached(""), s.cached(".sig")
	newSig, err := s.fetch(ctx, "summary.sig", sigLimit, oldSig)
	if err != nil {
		return nil, nil, err
	}
	same := newSig.data != nil && bytes.Equal(newSig.data, oldSig.data) && oldSummary.data != nil
	switch {
	case s.linked != nil:
		return s.linked, newSig.data, judge(s.linked, newSig.data)
	case same && judge(oldSummary.data, newSig.data) == nil:
		s.keep(".sig", newSig)
		return oldSummary.data, newSig.data, nil
	case same && s.o.StrictCache:
		return nil, nil, ErrBadCache
	case same:
		oldSummary = fetched{}
	}
	summary, err := s.fetch(ctx, "summary", summaryLimit, oldSummary)
	if err != nil {
		return nil, nil, err
	}
	if err = judge(summary.data, newSig.data); err != nil && summary.cached {
		if summary, err = s.fetch(ctx, "summary", summaryLimit, fetched{}); err == nil {
			err = judge(summary.data, newSig.data)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if summary.data != nil && newSig.data != nil {
		s.keep("", summary)
		s.keep(".sig", newSig)
	}
	return summary.data, newSig.data, nil
}

// fetch reads a file unless the server says that it is still the old one.
func (s *Source) fetch(ctx context.Context, name string, limit int64, old fetched) (f fetched, err error) {
	var header http.Header
	if old.data != nil && (old.tag != "" || !old.modified.IsZero()) {
		header = http.Header{}
		if old.tag != "" {
			header.Set("If-None-Match", old.tag)
		}
		if !old.modified.IsZero() {
			header.Set("If-Modified-Since", old.modified.UTC().Format(http.TimeFormat))
		}
	}
	err = s.each(ctx, s.index, name, func(u *url.URL) error {
		body, err := s.openIf(ctx, u, header)
		if err != nil {
			return err
		}
		defer body.Close()
		if body.resp.StatusCode == http.StatusNotModified {
			f = old
			f.cached = true
			return nil
		}
		f = fetched{tag: body.resp.Header.Get("Etag")}
		f.modified, _ = http.ParseTime(body.resp.Header.Get("Last-Modified"))
		f.data, err = body.readAll(limit)
		return err
	})
	if missing(err) {
		return fetched{}, nil
	}
	return f, err
}

// cacheFile is where the summary, or with ".sig" its signatures, are kept; "": nowhere.
func (s *Source) cacheFile(ext string) string {
	if s.o.Cache == "" || s.o.Name == "" {
		return ""
	}
	return filepath.Join(s.o.Cache, "summaries", s.o.Name+ext)
}

// cached reads the cache. What cannot be read is not there.
func (s *Source) cached(ext string) (f fetched) {
	name := s.cacheFile(ext)
	st, err := os.Stat(name)
	if name == "" || err != nil || !st.Mode().IsRegular() || st.Size() > summaryLimit {
		return f
	}
	if f.data, err = os.ReadFile(name); err != nil {
		return fetched{}
	}
	f.modified = st.ModTime()
	var tag [4096]byte
	if n, err := unix.Getxattr(name, tagXattr, tag[:]); err == nil {
		f.tag = string(tag[:n])
	}
	return f
}

// keep puts a file into the cache, which may fail: the next pull fetches it again. One
// that is there with the same bytes stays and only gets what is newly known of it.
func (s *Source) keep(ext string, f fetched) {
	name := s.cacheFile(ext)
	if name == "" || f.cached {
		return
	}
	old, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(old, f.data) {
		if os.MkdirAll(filepath.Dir(name), 0o775) != nil || fsutil.WriteBytes(name, 0o644, f.data) != nil {
			return
		}
	}
	_ = unix.Removexattr(name, tagXattr)
	if f.tag != "" {
		_ = unix.Setxattr(name, tagXattr, []byte(f.tag), 0)
	}
	if !f.modified.IsZero() {
		_ = os.Chtimes(name, f.modified, f.modified)
	}
}
