package repo_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/treewright/treewright/pkg/keyfile"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

func names(t testing.TB, r *repo.Repo) []string {
	t.Helper()
	all, err := r.Remotes()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range all {
		out = append(out, m.Name)
	}
	return out
}

// TestAddRemote adds and deletes remotes as `ostree remote` does and wants its bytes.
func TestAddRemote(t *testing.T) {
	ours, stock := create(t, ostree.ModeArchive), create(t, ostree.ModeArchive)
	same := func() {
		t.Helper()
		if got, want := readConfig(t, ours), readConfig(t, stock); got != want {
			t.Fatalf("config is %q, want %q", got, want)
		}
	}
	url := repo.RemoteOption{Key: "url", Value: "http://x"}
	for name, options := range map[string][]repo.RemoteOption{
		"a": {url, {Key: "branches", List: []string{"one", "two"}}, {Key: "gpg-verify", Value: "false"}},
		"b": {url},
	} {
		args := []string{"--repo=" + stock.Path(), "remote", "add", name, "http://x"}
		if name == "a" {
			args = append(args, "one", "two", "--no-gpg-verify")
		}
		command(t, "ostree", args...)
		if err := ours.AddRemote(name, options, false); err != nil {
			t.Fatal(err)
		}
		same()
	}
	m, err := ours.Remote("a")
	if err != nil || !slices.Equal(m.List("branches"), []string{"one", "two"}) || !slices.Equal(m.Options(), []string{"url", "branches", "gpg-verify"}) {
		t.Errorf("remote a is %+v, %v", m, err)
	}
	if on, err := m.Flag("gpg-verify", true); err != nil || on {
		t.Errorf("gpg-verify = %v, %v", on, err)
	}
	var e *repo.RemoteError
	if err := ours.AddRemote("a", []repo.RemoteOption{url}, false); !errors.As(err, &e) || !errors.Is(err, fs.ErrExist) {
		t.Errorf("the same remote again: %v", err)
	}
	if err := errors.Join(ours.AddRemote("a", []repo.RemoteOption{url}, true), os.WriteFile(ours.Keyring("a"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	command(t, "ostree", "--repo="+stock.Path(), "remote", "add", "--force", "a", "http://x")
	same()
	if err := ours.DeleteRemote("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(ours.Keyring("a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the keyring is still there: %v", err)
	}
	command(t, "ostree", "--repo="+stock.Path(), "remote", "delete", "a")
	same()
	if _, err := ours.Remote("a"); !errors.As(err, &e) || !errors.Is(err, ostree.ErrNotFound) {
		t.Errorf("a deleted remote: %v", err)
	}
	for _, bad := range []string{"", "a b", "../x", "a/b", "-a"} {
		if err := ours.AddRemote(bad, []repo.RemoteOption{url}, false); !errors.Is(err, ostree.ErrMalformed) {
			t.Errorf("AddRemote(%q) = %v", bad, err)
		}
		if err := ours.AddCookie(bad, repo.Cookie{}); !errors.Is(err, ostree.ErrMalformed) {
			t.Errorf("AddCookie(%q) = %v", bad, err)
		}
	}
}

func TestRemotesOfSystem(t *testing.T) {
	root := t.TempDir()
	conf := filepath.Join(root, "etc/ostree/remotes.d")
	if err := errors.Join(os.MkdirAll(conf, 0o755), os.Mkdir(filepath.Join(root, "ostree"), 0o755)); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Create(filepath.Join(root, "ostree/repo"), ostree.ModeArchive); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(conf, "any.conf")
	if err := os.WriteFile(file, []byte("# mine\n[remote \"b\"]\nurl=file:///b\n[remote \"c\"]\nurl=file:///c\n[remote \"../e\"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := repo.OpenSystem(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.AddRemote("a", []repo.RemoteOption{{Key: "url", Value: "x"}}, false); err != nil {
		t.Fatal(err)
	}
	if got := names(t, r); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("remotes of the system: %q", got)
	}
	child := create(t, ostree.ModeArchive)
	err = child.EditConfig(func(f *keyfile.File) error { return f.Set("core", "parent", r.Path()) })
	if err != nil {
		t.Fatal(err)
	}
	if child, err = repo.Open(child.Path()); err != nil {
		t.Fatal(err)
	}
	if got := names(t, child); !slices.Equal(got, []string{"a"}) {
		t.Errorf("remotes of a child: %q", got)
	}
	if err := r.DeleteRemote("b"); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "# mine\n[remote \"c\"]\nurl=file:///c\n[remote \"../e\"]\n" {
		t.Errorf("remotes.d has %q, %v", b, err)
	}
}

// Stock writes and reads the same lines.
func TestCookies(t *testing.T) {
	r := create(t, ostree.ModeArchive)
	if err := r.AddRemote("a", []repo.RemoteOption{{Key: "url", Value: "x"}}, false); err != nil {
		t.Fatal(err)
	}
	command(t, "ostree", "--repo="+r.Path(), "remote", "add-cookie", "a", "dom", "/p", "n", "v")
	command(t, "ostree", "--repo="+r.Path(), "remote", "add-cookie", "a", "dom", "/p", "m", "w w")
	got, err := r.Cookies("a")
	if err != nil || len(got) != 2 || got[0].Expires == 0 || got[0].Name != "n" || got[1].Value != "w w" {
		t.Fatalf("Cookies = %+v, %v", got, err)
	}
	if err := r.AddCookie("a", repo.Cookie{Domain: "dom", Path: "/p", Name: "o", Value: "x", Expires: 4e9}); err != nil {
		t.Fatal(err)
	}
	command(t, "ostree", "--repo="+r.Path(), "remote", "delete-cookie", "a", "dom", "/p", "o")
	if after, err := r.Cookies("a"); err != nil || !slices.Equal(after, got) {
		t.Errorf("Cookies = %+v, %v, want %+v", after, err, got)
	}
	if err := r.DeleteCookie("a", "dom", "/p", "n"); err != nil {
		t.Fatal(err)
	}
	if after, err := r.Cookies("a"); err != nil || !slices.Equal(after, got[1:]) {
		t.Errorf("Cookies = %+v, %v", after, err)
	}
	if err := r.DeleteCookie("a", "dom", "/p", "n"); !errors.Is(err, ostree.ErrNotFound) {
		t.Errorf("a cookie that is gone: %v", err)
	}
	if err := r.AddCookie("a", repo.Cookie{Value: "x\ty"}); !errors.Is(err, ostree.ErrMalformed) {
		t.Errorf("a cookie with a tab: %v", err)
	}
}
