package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/repodata"
)

// transient marks an error that may pass.
type transient struct {
	error
	after time.Duration // how long the server asks to wait
}

func (t *transient) Unwrap() error { return t.error }

// open reads a place, from offset on; the reader begins at 0 all the same when
// resumed is false.
func (c *Client) open(ctx context.Context, rem *remote, url string, offset int64) (r io.ReadCloser, resumed bool, err error) {
	if p, ok := isLocal(url); ok {
		f, err := os.Open(p)
		if errors.Is(err, os.ErrNotExist) {
			return nil, false, fmt.Errorf("%s: %w", p, ErrNotFound)
		}
		return f, false, err
	}
	if c.Offline {
		return nil, false, fmt.Errorf("%s: %w", url, ErrOffline)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		cancel(nil)
		return nil, false, err
	}
	req.Header.Set("User-Agent", "treewright")
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	rem.authorise(req)
	resp, err := rem.http.Do(req)
	if err != nil {
		cancel(nil)
		return nil, false, &transient{error: err}
	}
	body := newIdleReader(resp.Body, cancel, idleTime(rem.cfg))
	switch resp.StatusCode {
	case http.StatusOK:
		return body, false, nil
	case http.StatusPartialContent:
		if offset > 0 && strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", offset)) {
			return body, true, nil
		}
	}
	return nil, false, errors.Join(statusError(url, resp, offset), body.Close())
}

// statusError says what the answer means.
func statusError(url string, resp *http.Response, offset int64) error {
	err := fmt.Errorf("%s: HTTP status %s", url, resp.Status)
	switch code := resp.StatusCode; {
	case code == http.StatusNotFound, code == http.StatusForbidden, code == http.StatusGone:
		return fmt.Errorf("%w: %w", err, ErrNotFound)
	case offset > 0 && (code == http.StatusPartialContent || code == http.StatusRequestedRangeNotSatisfiable):
		return &noRange{err}
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		wait, _ := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 5)
		return &transient{err, time.Duration(wait) * time.Second}
	}
	return err
}

// noRange tells that the server does not give the part asked for.
type noRange struct{ error }

// idleReader ends a request when no byte comes for a while.
type idleReader struct {
	io.ReadCloser
	timer  *time.Timer
	idle   time.Duration
	cancel context.CancelCauseFunc
}

func newIdleReader(r io.ReadCloser, cancel context.CancelCauseFunc, idle time.Duration) *idleReader {
	timer := time.AfterFunc(idle, func() { cancel(fmt.Errorf("no answer for %s", idle)) })
	return &idleReader{r, timer, idle, cancel}
}

func (r *idleReader) Read(p []byte) (int, error) {
	r.timer.Reset(r.idle)
	n, err := r.ReadCloser.Read(p)
	r.timer.Stop()
	return n, err
}

func (r *idleReader) Close() error {
	r.timer.Stop()
	defer r.cancel(nil)
	return r.ReadCloser.Close()
}

// retry runs fn again while its error may pass, with growing pauses.
func (c *Client) retry(ctx context.Context, rem *remote, fn func() error) error {
	pause, tries := c.Pause, rem.cfg.Retries
	if pause <= 0 {
		pause = defaultPause
	}
	if tries == 0 {
		tries = defaultRetries
	}
	for i := 0; ; i++ {
		err := fn()
		var t *transient
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil || !errors.As(err, &t) || i == tries {
			return err
		}
		c.log().WithError(err).Info("trying again")
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(max(pause, t.after)):
		}
		pause = min(2*pause, time.Minute)
	}
}

// small reads a file of at most [repodata.MaxRepomd] bytes.
func (c *Client) small(ctx context.Context, rem *remote, url string) (b []byte, err error) {
	err = c.retry(ctx, rem, func() error {
		r, _, err := c.open(ctx, rem, url, 0)
		if err != nil {
			return err
		}
		defer r.Close()
		if b, err = io.ReadAll(io.LimitReader(r, repodata.MaxRepomd+1)); err != nil {
			return &transient{error: fmt.Errorf("%s: %w", url, err)}
		}
		if len(b) > repodata.MaxRepomd {
			return fmt.Errorf("%s: more than %d bytes", url, repodata.MaxRepomd)
		}
		return nil
	})
	return b, err
}
