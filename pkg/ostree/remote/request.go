package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Pauses between attempts. The first new attempt is made at once.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = 5 * time.Second
)

// each calls try with the URL of name below each base until one succeeds, and does so
// again while a failure may pass. The error is the last one of the last round.
func (s *Source) each(ctx context.Context, bases []*url.URL, name string, try func(u *url.URL) error) error {
	pause := time.Duration(0)
	for left := s.o.Retries; ; left-- {
		var last error
		again := false
		for _, base := range bases {
			err := try(below(base, name))
			if err == nil {
				return nil
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			again = again || passes(err)
			last = worse(last, err)
		}
		if !again || left <= 0 {
			return last
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
		pause = min(max(2*pause, firstPause), maxPause)
	}
}

// worse is the one of two errors to tell: that a mirror does not have a file counts
// only when no other one failed in another way.
func worse(a, b error) error {
	var status *StatusError
	if a != nil && errors.As(b, &status) && status.Unwrap() != nil {
		return a
	}
	return b
}

// below is the URL of a file of a base.
func below(base *url.URL, name string) *url.URL {
	if name == "" {
		return base
	}
	u := *base
	u.Path = strings.TrimRight(u.Path, "/") + "/" + name
	u.RawPath = ""
	return &u
}

// ask makes a request and returns an answer of the status 200 or one of ok.
func (s *Source) ask(ctx context.Context, u *url.URL, header http.Header, ok ...int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", s.o.UserAgent)
	for _, h := range s.o.Headers {
		if strings.EqualFold(h[0], "Host") {
			req.Host = h[1]
		}
		req.Header.Add(h[0], h[1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, &TransferError{URL: u.Redacted(), Err: err}
	}
	s.http2.CompareAndSwap(false, resp.ProtoMajor >= 2)
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	for _, c := range ok {
		if resp.StatusCode == c {
			return resp, nil
		}
	}
	// A short text behind a refusal is read, so that the connection can go on.
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	resp.Body.Close()
	return nil, &StatusError{u.Redacted(), resp.StatusCode}
}

// permanent tells whether a failure stays whatever is done.
func permanent(err error) bool {
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var verify *tls.CertificateVerificationError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	return errors.As(err, &authority) || errors.As(err, &invalid) || errors.As(err, &host) ||
		errors.As(err, &verify) || errors.As(err, &alert) || errors.As(err, &record)
}

// get reads a file of at most limit bytes into memory.
func (s *Source) get(ctx context.Context, bases []*url.URL, name string, limit int64) (b []byte, err error) {
	err = s.each(ctx, bases, name, func(u *url.URL) error {
		b, err = s.read(ctx, u, limit)
		return err
	})
	return b, err
}

// read reads a file of at most limit bytes into memory.
func (s *Source) read(ctx context.Context, u *url.URL, limit int64) ([]byte, error) {
	body, err := s.open(ctx, u)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return body.readAll(limit)
}
