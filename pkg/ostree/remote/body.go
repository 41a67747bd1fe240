package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// body is what a server sends. When the connection is cut it goes on where that
// happened, if the server can do so.
type body struct {
	s      *Source
	u      *url.URL
	ctx    context.Context
	cancel context.CancelCauseFunc
	watch  *watch

	resp *http.Response
	read int64 // bytes so far
	left int   // how often a cut may be mended
	err  error // what ended the transfer early
}

// open asks for a file.
func (s *Source) open(ctx context.Context, u *url.URL) (*body, error) {
	return s.openIf(ctx, u, nil)
}

// openIf asks for a file with further headers, and also takes the answer that it has
// not been modified.
func (s *Source) openIf(ctx context.Context, u *url.URL, header http.Header) (*body, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	b := &body{s: s, u: u, ctx: ctx, cancel: cancel, left: s.o.Retries}
	b.watch = s.watch(cancel)
	var ok []int
	if header != nil {
		ok = append(ok, http.StatusNotModified)
	}
	var err error
	if b.resp, err = s.ask(ctx, u, header, ok...); err != nil {
		b.stop()
		return nil, b.cause(err)
	}
	return b, nil
}

// cause is an error, or the reason why its transfer was given up.
func (b *body) cause(err error) error {
	if slow := context.Cause(b.ctx); errors.Is(slow, ErrSlow) {
		return &TransferError{URL: b.u.Redacted(), Err: slow, Cut: b.read > 0}
	}
	return err
}

func (b *body) stop() {
	b.watch.stop()
	b.cancel(nil)
}

// Close ends the transfer. One that is nearly done is read to its end, so that the
// connection can be used again.
func (b *body) Close() error {
	if b.resp == nil {
		return nil
	}
	_, _ = io.CopyN(io.Discard, b.resp.Body, 16<<10)
	err := b.resp.Body.Close()
	b.resp = nil
	b.stop()
	return err
}

// Read implements [io.Reader]. The error, but for io.EOF, is a [*TransferError].
func (b *body) Read(p []byte) (int, error) {
	for {
		if b.err != nil {
			return 0, b.err
		}
		b.watch.begin()
		n, err := b.resp.Body.Read(p)
		b.watch.end(n)
		b.read += int64(n)
		if err == nil || err == io.EOF || n > 0 {
			if err != io.EOF {
				err = nil // it comes again
			}
			return n, err
		}
		b.err = b.mend(b.cause(&TransferError{URL: b.u.Redacted(), Err: err, Cut: true}))
	}
}

// mend asks for the rest of a file whose transfer was cut.
func (b *body) mend(cut error) error {
	tag := b.resp.Header.Get("Etag")
	if b.left <= 0 || b.ctx.Err() != nil || b.read == 0 || b.resp.ProtoMajor < 1 {
		return cut
	}
	b.left--
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-", b.read)}}
	if tag != "" && tag[0] == '"' {
		header.Set("If-Range", tag)
	}
	resp, err := b.s.ask(b.ctx, b.u, header, http.StatusPartialContent)
	if err != nil {
		return cut
	}
	want := fmt.Sprintf("bytes %d-", b.read)
	if resp.StatusCode != http.StatusPartialContent || !bytes.HasPrefix([]byte(resp.Header.Get("Content-Range")), []byte(want)) {
		resp.Body.Close()
		return cut
	}
	b.resp.Body.Close()
	b.resp = resp
	return nil
}

// readAll reads at most limit bytes, and fails when there are more.
func (b *body) readAll(limit int64) ([]byte, error) {
	if n := b.resp.ContentLength; n > limit {
		return nil, &LimitError{b.u.Redacted(), limit}
	}
	buf := bytes.NewBuffer(make([]byte, 0, min(max(b.resp.ContentLength, 0), 64<<10)+bytes.MinRead))
	n, err := buf.ReadFrom(io.LimitReader(b, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, &LimitError{b.u.Redacted(), limit}
	}
	return buf.Bytes(), nil
}

// watch gives up a transfer that is too slow. It looks now and then whether somebody
// waits for bytes: time in which nobody reads does not count.
type watch struct {
	cancel  context.CancelCauseFunc
	o       *Options
	got     atomic.Int64 // bytes since the last reckoning
	reading atomic.Bool

	mu     sync.Mutex
	timer  *time.Timer // nil: it has ended
	waited int         // looks since then at which somebody waited
}

// looks is how often a watch looks in SlowTime.
const looks = 10

func (s *Source) watch(cancel context.CancelCauseFunc) *watch {
	w := &watch{cancel: cancel, o: &s.o}
	w.reading.Store(true) // the answer is waited for
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(s.o.SlowTime/looks, w.look)
	return w
}

func (w *watch) begin() { w.reading.Store(true) }

func (w *watch) end(n int) {
	w.got.Add(int64(n))
	w.reading.Store(false)
}

func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer == nil {
		return
	}
	if w.reading.Load() {
		w.waited++
	}
	if w.waited >= looks {
		w.waited = 0
		if need := int64(float64(w.o.SlowBytes) * w.o.SlowTime.Seconds()); w.got.Swap(0) < need {
			w.cancel(fmt.Errorf("fewer than %d bytes in %s: %w", need, w.o.SlowTime, ErrSlow))
			return
		}
	}
	w.timer.Reset(w.o.SlowTime / looks)
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}
