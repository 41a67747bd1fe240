package repo_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/keyfile"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

func readConfig(t testing.TB, r *repo.Repo) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.Path(), "config"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestEditConfig makes the same edits as `ostree config` and wants the same bytes.
func TestEditConfig(t *testing.T) {
	ours, stock := create(t, ostree.ModeArchive), create(t, ostree.ModeArchive)
	for _, e := range [][3]string{
		{"core", "tmp-expiry-secs", "5"}, {`remote "a"`, "url", " http://x"}, {"core", "x", "a\nb\tc\\d"}, {"new", "ü", "ü;x"},
		{"core", "tmp-expiry-secs", "7"}, {"core", "lock-timeout-secs", ""}, {`remote "a"`, "a b", "v"},
	} {
		command(t, "ostree", "--repo="+stock.Path(), "config", "set", "--group="+e[0], e[1], e[2])
		if err := ours.EditConfig(func(f *keyfile.File) error { return f.Set(e[0], e[1], e[2]) }); err != nil {
			t.Fatal(err)
		}
		if got, want := readConfig(t, ours), readConfig(t, stock); got != want {
			t.Fatalf("after %q: %q, want %q", e, got, want)
		}
		again, err := repo.Open(ours.Path())
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := again.Config().Get(e[0], e[1]); got != e[2] {
			t.Errorf("%q came back as %q", e, got)
		}
	}
	command(t, "ostree", "--repo="+stock.Path(), "config", "unset", "--group=new", "ü")
	if err := ours.EditConfig(func(f *keyfile.File) error { f.Unset("new", "ü"); return nil }); err != nil {
		t.Fatal(err)
	}
	if got, want := readConfig(t, ours), readConfig(t, stock); got != want {
		t.Errorf("after unset: %q, want %q", got, want)
	}
}

func TestEditConfigKeeps(t *testing.T) {
	r := create(t, ostree.ModeArchive)
	name := filepath.Join(r.Path(), "config")
	text := "# mine\n" + readConfig(t, r) + "# end\n"
	if err := errors.Join(os.WriteFile(name, []byte(text), 0o600), os.Chmod(name, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"", "none"} {
		err := r.EditConfig(func(f *keyfile.File) error { return f.Set("core", "mode", mode) })
		if err == nil || readConfig(t, r) != text {
			t.Errorf("mode=%q: %v; the file is %q", mode, err, readConfig(t, r))
		}
	}
	if err := r.EditConfig(func(f *keyfile.File) error { return f.Set("core", "fsync", "false") }); err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(text, "# end\n", "fsync=false\n# end\n", 1); readConfig(t, r) != want {
		t.Errorf("got %q, want %q", readConfig(t, r), want)
	}
	if st, err := os.Stat(name); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

func TestCreateCollection(t *testing.T) {
	dir := t.TempDir()
	for _, bad := range []string{"org", "org.", ".org", "org.2x", "org.ä", "o." + strings.Repeat("x", 254)} {
		r, err := repo.CreateWith(filepath.Join(dir, "bad"), repo.CreateOptions{Mode: ostree.ModeArchive, Collection: bad})
		if r != nil || !errors.Is(err, ostree.ErrMalformed) {
			t.Errorf("collection %q: %v, %v", bad, r, err)
		}
	}
	r, err := repo.CreateWith(filepath.Join(dir, "repo"), repo.CreateOptions{Mode: ostree.ModeArchive, Collection: "org.x_1.Y"})
	if err != nil || r.Collection() != "org.x_1.Y" {
		t.Fatalf("collection %v, %v", r, err)
	}
	stock := filepath.Join(dir, "stock")
	command(t, "ostree", "--repo="+stock, "init", "--mode=archive", "--collection-id=org.x_1.Y")
	want, err := os.ReadFile(filepath.Join(stock, "config"))
	if err != nil || readConfig(t, r) != string(want) {
		t.Errorf("config is %q, ostree's %q, %v", readConfig(t, r), want, err)
	}
}
