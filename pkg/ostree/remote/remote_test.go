package remote_test

import (
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/remote"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func open(t testing.TB, o remote.Options) *remote.Source {
	t.Helper()
	s, err := remote.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func file(t testing.TB, s *remote.Source, name string) string {
	t.Helper()
	b, err := s.File(t.Context(), name, 1<<20)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(b)
}

// A request that may succeed later is made again, as often as asked for; another one
// is not.
func TestRetries(t *testing.T) {
	var asked atomic.Int32
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		switch {
		case r.URL.Path == "/repo/missing":
			w.WriteHeader(http.StatusForbidden)
		case n <= 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			fmt.Fprint(w, "text")
		}
	})
	for retries, want := range map[int]bool{0: false, 1: false, 2: true, -1: true} {
		asked.Store(0)
		b, err := open(t, remote.Options{URL: srv.URL + "/repo/", Retries: retries}).File(t.Context(), "name", 10)
		var status *remote.StatusError
		if want && string(b) != "text" || !want && (!errors.As(err, &status) || status.Status != 503) {
			t.Errorf("%d retries: %q, %v", retries, b, err)
		}
	}
	asked.Store(0)
	_, err := open(t, remote.Options{URL: srv.URL + "/repo"}).File(t.Context(), "missing", 10)
	if !errors.Is(err, ostree.ErrNotFound) || asked.Load() != 1 {
		t.Errorf("a file that may not be read: %v in %d requests", err, asked.Load())
	}
}

// What a server says of a file's size, and what it sends, is held to the limit.
func TestLimit(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/chunked" {
			for range 100 {
				fmt.Fprint(w, strings.Repeat("x", 100))
				w.(http.Flusher).Flush()
			}
			return
		}
		fmt.Fprint(w, "12345678901")
	})
	s := open(t, remote.Options{URL: srv.URL})
	for _, name := range []string{"plain", "chunked"} {
		var limit *remote.LimitError
		if b, err := s.File(t.Context(), name, 10); !errors.As(err, &limit) || limit.Limit != 10 {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	if b, err := s.File(t.Context(), "plain", 11); err != nil || len(b) != 11 {
		t.Errorf("a file of 11 bytes: %d bytes, %v", len(b), err)
	}
}

// A transfer that is cut goes on where it was cut, or begins anew.
func TestCut(t *testing.T) {
	content := strings.Repeat("0123456789", 1000)
	for _, ranges := range []bool{true, false} {
		var requests atomic.Int32
		srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
			n := requests.Add(1)
			if ranges && r.Header.Get("Range") != "" || n > 3 {
				w.Header().Set("Etag", `"a"`)
				http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
				return
			}
			w.Header().Set("Etag", `"a"`)
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			fmt.Fprint(w, content[:5000])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		})
		if got := file(t, open(t, remote.Options{URL: srv.URL, Retries: -1}), "f"); got != content {
			t.Errorf("ranges %v: %d bytes in %d requests", ranges, len(got), requests.Load())
		}
	}
}

func TestSlow(t *testing.T) {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begins" {
			fmt.Fprint(w, "x")
			w.(http.Flusher).Flush()
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	for _, name := range []string{"begins", "silent"} {
		s := open(t, remote.Options{URL: srv.URL, SlowTime: 100 * time.Millisecond})
		_, err := s.File(t.Context(), name, 10)
		var transfer *remote.TransferError
		if !errors.As(err, &transfer) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "begins" && !errors.Is(err, remote.ErrSlow) {
			t.Errorf("%s: %v, want too slow", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := open(t, remote.Options{URL: srv.URL}).File(ctx, "silent", 10); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a context that ends: %v", err)
	}
}

func TestRequestHeaders(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		fmt.Fprint(w, r.UserAgent(), " ", r.Header.Get("X-A"), " ", user, password, " ", r.Header.Get("Cookie"))
	})
	host := strings.TrimPrefix(srv.URL, "http://")
	s := open(t, remote.Options{
		URL: "http://me:secret@" + host, UserAgent: "libostree/2022.7 x/1", Headers: [][2]string{{"x-a", "b"}},
		Cookies: []repo.Cookie{
			{Domain: "127.0.0.1", Path: "/", Name: "foo", Value: "bar", Expires: 1 << 40},
			{Domain: "example.com", Path: "/", Name: "foo", Value: "other"},
			{Domain: "127.0.0.1", Path: "/", Name: "old", Value: "x", Expires: 5},
			{Domain: "127.0.0.1", Path: "/deep", Name: "deep", Value: "x"},
		},
	})
	if got := file(t, s, "f"); got != "libostree/2022.7 x/1 b mesecret foo=bar" {
		t.Error(got)
	}
	// No error shows a password.
	srv.Close()
	if _, err := s.File(t.Context(), "f", 10); err == nil || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

// What one mirror lacks comes from the next one; a mirror without a config is none.
func TestMirrors(t *testing.T) {
	mirror := func(files map[string]string) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			text, ok := files[r.URL.Path]
			if !ok {
				http.NotFound(w, r)
			}
			fmt.Fprint(w, text)
		}).URL
	}
	none := mirror(nil)
	first := mirror(map[string]string{"/r/config": "c", "/r/a": "first"})
	second := mirror(map[string]string{"/r/config": "c", "/r/a": "second", "/r/b": "second"})
	list := mirror(map[string]string{"/list": "# mirrors\n\nftp://no\n" + none + "/r\n" + first + "/r/\n" + second + "/r\n", "/empty": "nothing"})
	s := open(t, remote.Options{URL: "mirrorlist=" + list + "/list"})
	for name, want := range map[string]string{"a": "first", "b": "second"} {
		if got := file(t, s, name); got != want {
			t.Errorf("%s is of %q, want %q", name, got, want)
		}
	}
	var bad *remote.MirrorlistError
	if _, err := remote.Open(t.Context(), remote.Options{URL: "mirrorlist=" + list + "/empty"}); !errors.As(err, &bad) {
		t.Errorf("a list of no mirrors: %v", err)
	}
	s = open(t, remote.Options{URL: second + "/r", ContentURL: first + "/r"})
	if b, err := s.ContentFile(t.Context(), "a", 10); err != nil || string(b) != "first" || file(t, s, "a") != "second" {
		t.Errorf("content of %q, %v; index of %q", b, err, file(t, s, "a"))
	}
}

func TestScheme(t *testing.T) {
	var scheme *remote.SchemeError
	for _, url := range []string{"badscheme://something", "ftp://a", "/folder"} {
		if _, err := remote.Open(t.Context(), remote.Options{URL: url}); !errors.As(err, &scheme) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A summary with signatures is fetched again when the signatures are others, and not
// before; what is judged to be bad is not kept.
func TestSummaryCache(t *testing.T) {
	files := map[string]string{"/summary": "one", "/summary.sig": "sig of one"}
	var sent []string
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		text := files[r.URL.Path]
		w.Header().Set("Etag", fmt.Sprintf("%q", text))
		if r.Header.Get("If-None-Match") == fmt.Sprintf("%q", text) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		sent = append(sent, strings.TrimPrefix(r.URL.Path, "/"))
		fmt.Fprint(w, text)
	})
	cache := t.TempDir()
	judge := func(raw, sig []byte) error {
		if string(sig) != "sig of "+string(raw) {
			return errors.New("bad signature")
		}
		return nil
	}
	step := func(what, want, wantSent string, strict bool) {
		t.Helper()
		sent = nil
		raw, _, err := open(t, remote.Options{URL: srv.URL, Cache: cache, Name: "origin", StrictCache: strict}).Summary(t.Context(), judge)
		got := string(raw)
		if err != nil {
			got = err.Error()
		}
		if got != want || strings.Join(sent, " ") != wantSent {
			t.Errorf("%s: %q by sending %q, want %q by %q", what, got, sent, want, wantSent)
		}
	}
	step("empty cache", "one", "summary.sig summary", false)
	step("nothing new", "one", "", false)
	files["/summary.sig"] = "sig of two"
	step("half of an update", "bad signature", "summary.sig summary", false)
	files["/summary"] = "two"
	step("all of it", "two", "summary.sig summary", false)
	name := filepath.Join(cache, "summaries/origin")
	if err := os.WriteFile(name, []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	step("damaged cache", remote.ErrBadCache.Error(), "", true)
	step("damaged cache", "two", "summary", false)
	if b, err := os.ReadFile(name); err != nil || string(b) != "two" {
		t.Errorf("the cache holds %q, %v", b, err)
	}
}

func metalink(summary, urls string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="utf-8"?><metalink version="3.0" xmlns="http://www.metalinker.org/"><x><files/></x><files>
<file name="summary"><size>%d</size><verification><hash type="md5">x</hash><hash type="sha512">%x</hash></verification>
<resources>%s</resources></file></files></metalink>`, len(summary), sha512.Sum512([]byte(summary)), urls)
}

func TestMetalink(t *testing.T) {
	files := map[string]string{"/r/summary": "the summary", "/other/summary": "an old one.", "/r/config": "c"}
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		text, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
		}
		fmt.Fprint(w, text)
	})
	url := func(preference int, path string) string {
		return fmt.Sprintf(`<url protocol="http" preference="%d"> %s%s </url>`, preference, srv.URL, path)
	}
	files["/m"] = metalink("the summary", url(1, "/r/summary")+url(9, "/other/summary")+url(5, "/none"))
	s := open(t, remote.Options{Metalink: srv.URL + "/m"})
	if raw, _, err := s.Summary(t.Context(), nil); err != nil || string(raw) != "the summary" || file(t, s, "config") != "c" {
		t.Errorf("%q, %v", raw, err)
	}
	for text, want := range map[string]error{
		"bacon": remote.ErrNoElement, "<html/>": remote.ErrNoElement, "<metalink/>": remote.ErrNoFile,
		strings.Replace(files["/m"], "<size>11</size>", "", 1):     remote.ErrNoSize,
		strings.Replace(files["/m"], "sha512", "sha1", 1):          remote.ErrNoHash,
		strings.ReplaceAll(files["/m"], "http://127", "ftp://127"): remote.ErrNoURL,
		strings.Replace(files["/m"], `"sha512">`, `"sha512">0`, 1): &remote.DigestError{Hash: "sha512"},
		metalink("one", url(1, "/r/summary")):                      &remote.ContentError{WantSize: 3, Size: 11},
		metalink("another one", url(1, "/r/summary")):              &remote.ContentError{WantSize: 11, Size: 11},
	} {
		files["/bad"] = text
		_, err := remote.Open(t.Context(), remote.Options{Metalink: srv.URL + "/bad"})
		var digest *remote.DigestError
		var content *remote.ContentError
		ok := errors.Is(err, want)
		switch want := want.(type) {
		case *remote.DigestError:
			ok = errors.As(err, &digest) && *digest == *want
		case *remote.ContentError:
			ok = errors.As(err, &content) && content.Size == want.Size && content.WantSize == want.WantSize
		}
		if !ok {
			t.Errorf("%.60q: %v, want %v", text, err, want)
		}
	}
}
