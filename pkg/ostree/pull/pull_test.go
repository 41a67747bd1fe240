package pull_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/pull"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// stock runs the ostree command and returns what it printed.
func stock(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(fixture.Tool(t, "ostree"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ostree %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit makes a commit with stock ostree of a tree of the files, by path.
func commit(t testing.TB, dir string, files map[string]string, args ...string) string {
	t.Helper()
	tree := t.TempDir()
	for name, text := range files {
		name = filepath.Join(tree, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return stock(t, append([]string{"--repo=" + dir, "commit", "-b", "main", "--canonical-permissions", "--no-xattrs", "--tree=dir=" + tree}, args...)...)
}

// remote is an archive repository with two commits, made by stock ostree.
func remote(t testing.TB) (dir string, commits []string) {
	dir = t.TempDir()
	stock(t, "--repo="+dir, "init", "--mode=archive")
	files := map[string]string{"a": "A", "d/b": "B", "d/e/c": strings.Repeat("C", 3<<20), "f/g": "G"}
	commits = append(commits, commit(t, dir, files))
	files["d/b"] = "another B"
	return dir, append(commits, commit(t, dir, files))
}

func open(t testing.TB, dir string) *repo.Repo {
	t.Helper()
	r, err := repo.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func create(t testing.TB, mode ostree.Mode) *repo.Repo {
	t.Helper()
	r, err := repo.Create(t.TempDir(), mode)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func main(commit ...string) []pull.Ref {
	r := pull.Ref{Name: "main"}
	for _, s := range commit {
		c, err := ostree.ParseChecksum(s)
		if err != nil {
			panic(err)
		}
		r.Commit = &c
	}
	return []pull.Ref{r}
}

func run(t testing.TB, o pull.Options) *pull.Report {
	t.Helper()
	report, err := pull.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// Stock ostree finds what was pulled whole, in each mode.
func TestPullModes(t *testing.T) {
	dir, commits := remote(t)
	for _, mode := range []ostree.Mode{ostree.ModeArchive, ostree.ModeBareUser, ostree.ModeBareUserOnly} {
		to := create(t, mode)
		report := run(t, pull.Options{From: pull.Local{Repo: open(t, dir)}, To: to, Refs: main()})
		if report.LocalMetadata != 6 || report.LocalContent != 4 {
			t.Errorf("%s: %d metadata, %d content objects, want 6 and 4", mode, report.LocalMetadata, report.LocalContent)
		}
		stock(t, "--repo="+to.Path(), "fsck")
		if got := stock(t, "--repo="+to.Path(), "rev-parse", "main"); got != commits[1] {
			t.Errorf("%s: main is %s, want %s", mode, got, commits[1])
		}
	}
}

// An update costs what changed: the commit, the folders above the file, and the file.
func TestPullUpdate(t *testing.T) {
	dir, commits := remote(t)
	from, to := pull.Local{Repo: open(t, dir)}, create(t, ostree.ModeBareUser)
	run(t, pull.Options{From: from, To: to, Refs: main(commits[0]), Remote: "origin"})
	report := run(t, pull.Options{From: from, To: to, Refs: main(), Remote: "origin"})
	if report.LocalMetadata != 3 || report.LocalContent != 1 {
		t.Errorf("%d metadata, %d content objects, want 3 and 1", report.LocalMetadata, report.LocalContent)
	}
	if got := stock(t, "--repo="+to.Path(), "rev-parse", "origin:main"); got != commits[1] {
		t.Errorf("origin:main is %s, want %s", got, commits[1])
	}
}

// A part of a tree leaves a mark, which the rest takes off.
func TestPullSubpath(t *testing.T) {
	dir, commits := remote(t)
	from, to := pull.Local{Repo: open(t, dir)}, create(t, ostree.ModeArchive)
	head := main(commits[1])[0].Commit
	report := run(t, pull.Options{From: from, To: to, Refs: main(), Subpaths: []string{"/d/e", "/a"}})
	if report.LocalContent != 2 {
		t.Errorf("%d content objects, want 2", report.LocalContent)
	}
	if marked, err := to.Partial(*head); err != nil || !marked {
		t.Errorf("Partial = %v, %v", marked, err)
	}
	stock(t, "--repo="+to.Path(), "fsck")
	run(t, pull.Options{From: from, To: to, Refs: main()})
	if whole, err := to.Whole(*head); err != nil || !whole {
		t.Errorf("Whole = %v, %v", whole, err)
	}
	stock(t, "--repo="+to.Path(), "fsck")
}

// What is damaged at the source does not come in.
func TestPullCorrupt(t *testing.T) {
	dir, _ := remote(t)
	for _, ext := range []string{"filez", "dirtree", "dirmeta", "commit"} {
		damaged := filepath.Join(t.TempDir(), "repo")
		if out, err := exec.Command("cp", "-a", dir, damaged).CombinedOutput(); err != nil {
			t.Fatalf("cp: %v: %s", err, out)
		}
		names, err := filepath.Glob(filepath.Join(damaged, "objects/*/*."+ext))
		if err != nil || len(names) == 0 {
			t.Fatalf("no objects .%s: %v", ext, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/2] ^= 0x40
			if err := os.WriteFile(name, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, mode := range []ostree.Mode{ostree.ModeArchive, ostree.ModeBareUser} {
			to := create(t, mode)
			_, err := pull.Run(t.Context(), pull.Options{From: pull.Local{Repo: open(t, damaged)}, To: to, Refs: main()})
			if !errors.Is(err, ostree.ErrCorrupt) && !errors.Is(err, ostree.ErrMalformed) {
				t.Errorf(".%s to %s: %v, want corrupt", ext, mode, err)
			}
			stock(t, "--repo="+to.Path(), "fsck")
		}
	}
}

// The wanted errors are those of stock ostree for commits bound to other refs.
func TestPullBindings(t *testing.T) {
	dir, _ := remote(t)
	stock(t, "--repo="+dir, "refs", "--create=other", "main")
	o := pull.Options{From: pull.Local{Repo: open(t, dir)}, To: create(t, ostree.ModeArchive), Refs: []pull.Ref{{Name: "other"}}}
	_, err := pull.Run(t.Context(), o)
	var bound *ostree.BindingError
	if !errors.As(err, &bound) || bound.Ref != "other" || len(bound.Refs) != 1 {
		t.Errorf("a commit of another ref: %v", err)
	}
	o.NoBindings = true
	run(t, o)
	o.NoBindings, o.Collection, o.Refs = false, "org.example.Os", main()
	if _, err := pull.Run(t.Context(), o); !errors.As(err, &bound) || bound.Collection == "" {
		t.Errorf("a commit of no collection: %v", err)
	}
}

func TestPullMissing(t *testing.T) {
	dir, _ := remote(t)
	o := pull.Options{From: pull.Local{Repo: open(t, dir)}, To: create(t, ostree.ModeArchive), Refs: []pull.Ref{{Name: "nosuch"}}}
	var ref *pull.RefError
	if _, err := pull.Run(t.Context(), o); !errors.As(err, &ref) || ref.Summary {
		t.Errorf("no such ref: %v", err)
	}
	stock(t, "--repo="+dir, "summary", "-u")
	if _, err := pull.Run(t.Context(), o); !errors.As(err, &ref) || !ref.Summary {
		t.Errorf("no such ref in the summary: %v", err)
	}
}
