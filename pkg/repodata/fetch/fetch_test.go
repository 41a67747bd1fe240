package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/fixture/tinyrpm"
	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/repodata/fetch"
	"github.com/treewright/treewright/pkg/repodata/index"
)

func repository(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"one", "two", "kernel"} {
		p := tinyrpm.Package{Name: name, Version: "1", Files: []tinyrpm.File{{Path: "/usr/share/" + name, Body: strings.Repeat(name, 20000)}}, Compressor: "gzip"}
		b, err := tinyrpm.Build(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, p.FileName()), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := index.Write(dir, 1); err != nil {
		t.Fatal(err)
	}
	return dir
}

// all lists a repository's packages.
func all(repo *repodata.Repo) (out []*repodata.Package) {
	for i := range repo.Packed.Len() {
		p := repo.Packed.Package(i)
		p.Repo = repo
		out = append(out, p)
	}
	return out
}

func config(base ...string) repodata.RepoConfig {
	return repodata.RepoConfig{ID: "r", BaseURL: base, Enabled: true, Priority: 99}
}

func TestPlaces(t *testing.T) {
	dir := repository(t)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	for _, base := range []string{dir, "file://" + dir, server.URL, server.URL + "/"} {
		c := &fetch.Client{Cache: t.TempDir(), Pause: time.Millisecond}
		repo, err := c.Load(t.Context(), config(base))
		if err != nil || repo.Packed.Len() != 3 {
			t.Fatalf("%s: %+v, %v", base, repo, err)
		}
		files, err := c.Packages(t.Context(), all(repo))
		if err != nil || len(files) != 3 {
			t.Fatalf("%s: %q, %v", base, files, err)
		}
		for range 2 { // the second time from what was kept
			var got []string
			err := c.Filelists(t.Context(), config(base), repo, []string{"/usr/share/two", "/nosuch"}, func(i int, path string) {
				got = append(got, repo.Packed.NEVRA(i).Name+" "+path)
			})
			if err != nil || !slices.Equal(got, []string{"two /usr/share/two"}) {
				t.Errorf("%s: files %q, %v", base, got, err)
			}
		}
	}
}

// TestMirrors goes on to the next place when one has not got it.
func TestMirrors(t *testing.T) {
	dir := repository(t)
	good := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer good.Close()
	bad := httptest.NewServer(http.NotFoundHandler())
	defer bad.Close()
	list := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metalink" {
			fmt.Fprintf(w, `<metalink xmlns="http://www.metalinker.org/"><files><file name="repomd.xml"><resources><url protocol="http">%s/repodata/repomd.xml</url></resources></file></files></metalink>`, good.URL)
			return
		}
		fmt.Fprintf(w, "# mirrors\n%s\n%s\n", bad.URL, good.URL)
	}))
	defer list.Close()
	for name, cfg := range map[string]repodata.RepoConfig{
		"two URLs": config(bad.URL, good.URL), "mirrorlist": {ID: "r", Mirrorlist: list.URL}, "metalink": {ID: "r", Metalink: list.URL + "/metalink"},
	} {
		c := &fetch.Client{Cache: t.TempDir(), Pause: time.Millisecond}
		if repo, err := c.Load(t.Context(), cfg); err != nil || repo.Packed.Len() != 3 {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := &fetch.Client{Cache: t.TempDir(), Pause: time.Millisecond}
	if _, err := c.Load(t.Context(), config(bad.URL)); !errors.Is(err, fetch.ErrNotFound) || !strings.HasPrefix(err.Error(), "RPM repository r: "+bad.URL) {
		t.Errorf("nothing there: %v", err)
	}
}

// TestResume cuts the first answer off; the second try asks for the rest only.
func TestResume(t *testing.T) {
	dir := repository(t)
	var cut, ranges atomic.Int32
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".rpm") {
			if r.Header.Get("Range") != "" {
				ranges.Add(1)
			} else if cut.Add(1) == 1 {
				b, err := os.ReadFile(filepath.Join(dir, r.URL.Path))
				if err != nil {
					t.Error(err)
				}
				w.Header().Set("Content-Length", fmt.Sprint(len(b)))
				w.Write(b[:len(b)/2])
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
		}
		files.ServeHTTP(w, r)
	}))
	defer server.Close()
	c := &fetch.Client{Cache: t.TempDir(), Pause: time.Millisecond, Workers: 1}
	repo, err := c.Load(t.Context(), config(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Packages(t.Context(), all(repo)); err != nil {
		t.Fatal(err)
	}
	if ranges.Load() != 1 {
		t.Errorf("%d requests for a range, want 1", ranges.Load())
	}
}

// TestDamaged never leaves a bad file under its name.
func TestDamaged(t *testing.T) {
	dir := repository(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := os.ReadFile(filepath.Join(dir, r.URL.Path))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		if strings.HasSuffix(r.URL.Path, ".rpm") {
			b[len(b)/2] ^= 1
		}
		w.Write(b)
	}))
	defer server.Close()
	c := &fetch.Client{Cache: t.TempDir(), Pause: time.Millisecond}
	repo, err := c.Load(t.Context(), config(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Packages(t.Context(), all(repo)[:1])
	if !errors.Is(err, digest.ErrMismatch) || !strings.Contains(err.Error(), "package kernel-1-1.noarch from r: "+server.URL) {
		t.Errorf("a damaged package: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(c.Cache, "rpms", "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in the cache: %q, %v", left, err)
	}
}

// TestOffline works from the cache, and says what is missing.
func TestOffline(t *testing.T) {
	server := httptest.NewServer(http.FileServer(http.Dir(repository(t))))
	c := &fetch.Client{Cache: t.TempDir(), Pause: time.Millisecond}
	repo, err := c.Load(t.Context(), config(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Packages(t.Context(), all(repo)[:2]); err != nil {
		t.Fatal(err)
	}
	server.Close()
	c.Offline = true
	if repo, err = c.Load(t.Context(), config(server.URL)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Packages(t.Context(), all(repo)[:2]); err != nil {
		t.Error(err)
	}
	if _, err := c.Packages(t.Context(), all(repo)); !errors.Is(err, fetch.ErrOffline) || !strings.Contains(err.Error(), "two-1-1.noarch") {
		t.Errorf("a package that the cache has not got: %v", err)
	}
}

// TestBomb stops at the promised size of decompressed metadata.
func TestBomb(t *testing.T) {
	c := &fetch.Client{Cache: t.TempDir(), Pause: time.Millisecond, MaxOpenSize: 100}
	if _, err := c.Load(t.Context(), config(repository(t))); !errors.Is(err, repodata.ErrMalformed) {
		t.Errorf("metadata of more than 100 bytes: %v", err)
	}
}

func TestCancel(t *testing.T) {
	server := httptest.NewServer(http.FileServer(http.Dir(repository(t))))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&fetch.Client{Cache: t.TempDir(), Pause: time.Millisecond}).Load(ctx, config(server.URL)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
}
