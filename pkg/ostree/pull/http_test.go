package pull_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/pull"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// serve makes the folder of a repository a remote "origin" of another one.
func serve(t testing.TB, dir string, to *repo.Repo) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(http.FileServerFS(os.DirFS(dir)))
	t.Cleanup(srv.Close)
	addRemote(t, to, srv.URL)
	return srv
}

func addRemote(t testing.TB, to *repo.Repo, url string) {
	t.Helper()
	options := []repo.RemoteOption{{Key: "url", Value: url}, {Key: "gpg-verify", Value: "false"}}
	if err := to.AddRemote("origin", options, true); err != nil {
		t.Fatal(err)
	}
}

// origin opens the remote of that name.
func origin(t testing.TB, to *repo.Repo) pull.Options {
	t.Helper()
	m, err := pull.OpenRemote(t.Context(), to, "origin", pull.RemoteOptions{Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	o := m.Options()
	o.To = to
	return o
}

// Stock ostree finds what was pulled over HTTP whole, in each mode, with a summary and
// without; the numbers of objects are those that it counts itself.
func TestPullHTTP(t *testing.T) {
	dir, commits := remote(t)
	for _, summary := range []bool{false, true} {
		if summary {
			stock(t, "--repo="+dir, "summary", "-u")
		}
		for _, mode := range []ostree.Mode{ostree.ModeArchive, ostree.ModeBareUser, ostree.ModeBareUserOnly} {
			to := create(t, mode)
			serve(t, dir, to)
			o := origin(t, to)
			o.Refs = main()
			report := run(t, o)
			if report.FetchedContent != 4 || report.Transferred == 0 {
				t.Errorf("%s: %d content objects of %d bytes, want 4", mode, report.FetchedContent, report.Transferred)
			}
			stock(t, "--repo="+to.Path(), "fsck")
			if got := stock(t, "--repo="+to.Path(), "rev-parse", "origin:main"); got != commits[1] {
				t.Errorf("%s: origin:main is %s, want %s", mode, got, commits[1])
			}
		}
	}
}

// A mirror keeps the bytes of objects, and has the summary of its source.
func TestMirrorBytes(t *testing.T) {
	dir, _ := remote(t)
	stock(t, "--repo="+dir, "summary", "-u")
	to := create(t, ostree.ModeArchive)
	serve(t, dir, to)
	o := origin(t, to)
	o.Mirror, o.Depth = true, -1
	run(t, o)
	names, err := filepath.Glob(filepath.Join(dir, "objects/*/*"))
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	for _, name := range append(names, filepath.Join(dir, "summary")) {
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		want, wantErr := os.ReadFile(name)
		got, err := os.ReadFile(filepath.Join(to.Path(), rel))
		if errors.Join(wantErr, err) != nil || string(got) != string(want) {
			t.Errorf("%s is not as it was: %v", rel, err)
		}
	}
	stock(t, "--repo="+to.Path(), "fsck")
}

// A repository that is no archive is refused as stock ostree does, and so is a remote
// that has no such ref.
func TestPullHTTPRefused(t *testing.T) {
	dir := create(t, ostree.ModeBareUserOnly).Path()
	c := commit(t, dir, map[string]string{"a": "A"})
	to := create(t, ostree.ModeArchive)
	serve(t, dir, to)
	o := origin(t, to)
	o.Refs = []pull.Ref{{Commit: main(c)[0].Commit}}
	var mode *pull.ModeError
	if _, err := pull.Run(t.Context(), o); !errors.As(err, &mode) || mode.Mode != string(ostree.ModeBareUserOnly) {
		t.Errorf("without a summary: %v", err)
	}
	stock(t, "--repo="+dir, "summary", "-u")
	o.Refs = main()
	if _, err := pull.Run(t.Context(), o); !errors.As(err, &mode) {
		t.Errorf("with a summary: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "summary")); err != nil {
		t.Fatal(err)
	}
	o.Refs = []pull.Ref{{Name: "nosuch"}}
	if _, err := pull.Run(t.Context(), o); !errors.Is(err, ostree.ErrNotFound) {
		t.Errorf("no such ref: %v", err)
	}
}
