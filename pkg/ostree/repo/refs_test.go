package repo_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

func named(name string) repo.RefName { return repo.RefName{Name: name} }

// stockRefs is what stock lists, sorted.
func stockRefs(t testing.TB, r *repo.Repo, args ...string) []string {
	t.Helper()
	out := strings.Fields(strings.ReplaceAll(command(t, "ostree", append([]string{"--repo=" + r.Path(), "refs"}, args...)...), ", ", ","))
	slices.Sort(out)
	return out
}

func TestChangeRefs(t *testing.T) {
	r := create(t, ostree.ModeArchive)
	c := write(t, r, tree(t))
	err := r.ChangeRefs(
		repo.RefChange{RefName: named("os/stable"), Alias: "test/tree"},
		repo.RefChange{RefName: named("os/40/x86_64"), Commit: &c},
		repo.RefChange{RefName: named("origin:os/40"), Commit: &c},
		repo.RefChange{RefName: repo.RefName{Collection: "org.x.Y", Name: "os/40"}, Commit: &c},
	)
	if err != nil {
		t.Fatal(err)
	}
	if got := stockRefs(t, r); !slices.Equal(got, []string{"origin:os/40", "os/40/x86_64", "os/stable", "test/tree"}) {
		t.Errorf("ostree lists %q", got)
	}
	if got := stockRefs(t, r, "-c"); !slices.Equal(got, []string{"(org.x.Y,os/40)"}) {
		t.Errorf("ostree lists %q of collections", got)
	}
	if got := command(t, "ostree", "--repo="+r.Path(), "refs", "-A"); got != "os/stable -> test/tree\n" {
		t.Errorf("ostree has the aliases %q", got)
	}
	if got, err := r.Aliases(); err != nil || !maps.Equal(got, map[string]string{"os/stable": "test/tree"}) {
		t.Errorf("Aliases = %q, %v", got, err)
	}
	if got, err := r.CollectionRefs(); err != nil || !maps.Equal(got, map[repo.RefName]ostree.Checksum{{Collection: "org.x.Y", Name: "os/40"}: c}) {
		t.Errorf("CollectionRefs = %v, %v", got, err)
	}
	if got, err := r.Resolve("os/stable"); err != nil || got != c {
		t.Errorf("the alias is %s, %v", got, err)
	}
	err = r.ChangeRefs(
		repo.RefChange{RefName: named("test/tree")}, repo.RefChange{RefName: named("os/stable")},
		repo.RefChange{RefName: named("os/40/x86_64")}, repo.RefChange{RefName: repo.RefName{Collection: "org.x.Y", Name: "os/40"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := stockRefs(t, r); !slices.Equal(got, []string{"origin:os/40"}) {
		t.Errorf("left are %q", got)
	}
	for _, dir := range []string{"refs/heads/os", "refs/heads/test", "refs/mirrors/org.x.Y"} {
		if _, err := os.Stat(filepath.Join(r.Path(), dir)); err == nil {
			t.Errorf("%s is still there", dir)
		}
	}
	if left, err := os.ReadDir(filepath.Join(r.Path(), "tmp")); err != nil || len(left) != 1 || left[0].Name() != "cache" {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
}

// TestChangeRefsRefuses wants that of changes one of which would not do none is made.
func TestChangeRefsRefuses(t *testing.T) {
	r := create(t, ostree.ModeArchive)
	c := write(t, r, tree(t))
	if err := r.ChangeRefs(repo.RefChange{RefName: named("alias"), Alias: "test/tree"}); err != nil {
		t.Fatal(err)
	}
	want, err := r.Refs()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change repo.RefChange
		err    error
	}{
		"a name that cannot be":        {repo.RefChange{RefName: named("../x"), Commit: &c}, ostree.ErrMalformed},
		"a remote that cannot be":      {repo.RefChange{RefName: named("..:x"), Commit: &c}, ostree.ErrMalformed},
		"a collection that cannot be":  {repo.RefChange{RefName: repo.RefName{Collection: "../..", Name: "x"}, Commit: &c}, ostree.ErrMalformed},
		"a checksum as name":           {repo.RefChange{RefName: named(c.String()), Commit: &c}, ostree.ErrMalformed},
		"a commit that is not there":   {repo.RefChange{RefName: named("x"), Commit: &ostree.Checksum{1}}, ostree.ErrNotFound},
		"below a ref":                  {repo.RefChange{RefName: named("test/tree/x"), Commit: &c}, repo.ErrConflict},
		"above a ref":                  {repo.RefChange{RefName: named("test"), Commit: &c}, repo.ErrConflict},
		"an alias of nothing":          {repo.RefChange{RefName: named("x"), Alias: "nosuch"}, ostree.ErrNotFound},
		"an alias of itself":           {repo.RefChange{RefName: named("test/tree"), Alias: "alias"}, ostree.ErrNotFound},
		"an alias in a remote":         {repo.RefChange{RefName: named("o:x"), Alias: "test/tree"}, ostree.ErrMalformed},
		"a ref that is not there goes": {repo.RefChange{RefName: named("nosuch")}, ostree.ErrNotFound},
		"a folder goes":                {repo.RefChange{RefName: named("test")}, ostree.ErrNotFound},
		"a ref with an alias goes":     {repo.RefChange{RefName: named("test/tree")}, repo.ErrAliased},
	} {
		t.Run(name, func(t *testing.T) {
			err := r.ChangeRefs(repo.RefChange{RefName: named("a/first"), Commit: &c}, tc.change)
			if !errors.Is(err, tc.err) {
				t.Errorf("error is %v, want %v", err, tc.err)
			}
			if got, err := r.Refs(); err != nil || !maps.Equal(got, want) {
				t.Errorf("refs are %v, %v, want %v", got, err, want)
			}
		})
	}
}

// TestResolveErrors wants that callers can tell revisions apart that name no commit.
func TestResolveErrors(t *testing.T) {
	r := create(t, ostree.ModeArchive)
	c := write(t, r, tree(t))
	for rev, want := range map[string]error{"nosuch": ostree.ErrNotFound, "o:nosuch": ostree.ErrNotFound, "!": ostree.ErrMalformed, "o:!": ostree.ErrMalformed, "../../config": ostree.ErrMalformed, "": ostree.ErrMalformed} {
		var e *repo.RefError
		if _, err := r.Resolve(rev); !errors.As(err, &e) || !errors.Is(err, want) || e.Name != rev {
			t.Errorf("Resolve(%q) = %v, want %v", rev, err, want)
		}
	}
	var none *repo.NoParentError
	if _, err := r.Resolve("test/tree^"); !errors.As(err, &none) || none.Commit != c || !errors.Is(err, ostree.ErrNotFound) {
		t.Errorf("the parent of a first commit: %v", err)
	}
}
