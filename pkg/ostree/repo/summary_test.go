package repo_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/keyfile"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// reopenWith sets a key of core and opens the repository anew.
func reopenWith(t testing.TB, r *repo.Repo, key, value string) *repo.Repo {
	t.Helper()
	if err := r.EditConfig(func(f *keyfile.File) error { return f.Set("core", key, value) }); err != nil {
		t.Fatal(err)
	}
	r, err := repo.Open(r.Path())
	if err != nil {
		t.Fatal(err)
	}
	r.DisableSync()
	return r
}

// TestSummaryOfCollection has stock read the summary and the commit that go with a
// collection ID.
func TestSummaryOfCollection(t *testing.T) {
	r := reopenWith(t, create(t, ostree.ModeArchive), "collection-id", "org.example.Own")
	c := write(t, r, tree(t))
	err := errors.Join(
		r.ChangeRefs(repo.RefChange{RefName: repo.RefName{Collection: "org.example.Mirror", Name: "m"}, Commit: &c},
			repo.RefChange{RefName: named("with:r"), Commit: &c}, repo.RefChange{RefName: named("without:n"), Commit: &c}),
		r.AddRemote("with", []repo.RemoteOption{{Key: "url", Value: "x"}, {Key: "collection-id", Value: "org.example.Remote"}}, false),
		r.AddRemote("without", []repo.RemoteOption{{Key: "url", Value: "x"}}, false),
	)
	if err != nil {
		t.Fatal(err)
	}
	var signed [][]byte
	o := repo.SummaryOptions{
		Time: 1700000001,
		Metadata: ostree.Metadata{
			{Key: "mine", Value: gvariant.Variant{Type: "s", Value: "old"}},
			{Key: "ostree.summary.mode", Value: gvariant.Variant{Type: "s", Value: "bare"}},
			{Key: "mine", Value: gvariant.Variant{Type: "s", Value: "new"}},
		},
		Sign: func(data []byte) (ostree.Metadata, error) {
			signed = append(signed, data)
			return ostree.Metadata{{Key: "ostree.sign.dummy", Value: gvariant.Variant{Type: "aay", Value: []any{[]byte("sig")}}}}, nil
		},
	}
	if err := r.UpdateSummary(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	view := command(t, "ostree", "--repo="+r.Path(), "summary", "-v")
	for _, want := range []string{
		"* (org.example.Own, test/tree)", "* (org.example.Own, ostree-metadata)", "* (org.example.Mirror, m)", "* (org.example.Remote, r)",
		"Collection ID (ostree.summary.collection-id): org.example.Own", "mine: 'new'", "Repository Mode (ostree.summary.mode): archive-z2",
	} {
		if !strings.Contains(view, want) {
			t.Errorf("ostree summary -v lacks %q:\n%s", want, view)
		}
	}
	if strings.Contains(view, ", n)") {
		t.Errorf("the ref of a remote without a collection ID is in the summary:\n%s", view)
	}
	raw := command(t, "ostree", "--repo="+r.Path(), "show", "--raw", "ostree-metadata")
	for _, want := range []string{"'ostree.ref-binding': <['ostree-metadata']>", "'ostree.collection-binding': <'org.example.Own'>", "'mine': <'new'>"} {
		if !strings.Contains(raw, want) {
			t.Errorf("ostree-metadata lacks %q:\n%s", want, raw)
		}
	}
	command(t, "ostree", "--repo="+r.Path(), "fsck")
	summary, err := r.ReadSummary()
	if err != nil || len(signed) != 2 || !bytes.Equal(signed[1], summary) {
		t.Errorf("%d signatures; the summary's is not of its bytes, %v", len(signed), err)
	}
	o.Sign = nil
	if err := r.UpdateSummary(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(r.Path(), "summary.sig")); err == nil {
		t.Error("the signature of the old summary is still there")
	}
	if got := command(t, "ostree", "--repo="+r.Path(), "log", "ostree-metadata"); strings.Count(got, "commit ") != 2 {
		t.Errorf("ostree-metadata has the history %s", got)
	}
}

// TestAutoSummary wants a summary of every change of refs when the configuration says
// so, and none before.
func TestAutoSummary(t *testing.T) {
	r := create(t, ostree.ModeArchive)
	c := write(t, r, tree(t))
	if _, err := r.ReadSummary(); !errors.Is(err, ostree.ErrNotFound) {
		t.Fatalf("there is a summary: %v", err)
	}
	for _, key := range []string{"commit-update-summary", "auto-update-summary"} {
		r = reopenWith(t, r, key, "true")
		r.SetClock(func() time.Time { return time.Unix(1700000009, 0) })
		for _, change := range []repo.RefChange{
			{RefName: named("new"), Commit: &c}, {RefName: named("alias"), Alias: "new"}, {RefName: named("alias")}, {RefName: named("new")},
		} {
			if err := r.ChangeRefs(change); err != nil {
				t.Fatal(err)
			}
			refs, err := r.Refs()
			if err != nil {
				t.Fatal(err)
			}
			raw, err := r.ReadSummary()
			if err != nil {
				t.Fatal(err)
			}
			s, err := ostree.ParseSummary(raw)
			if err != nil || len(s.Refs) != len(refs) || s.LastModified != 1700000009 {
				t.Errorf("after %+v: summary %+v, %v, refs %v", change, s, err, refs)
			}
		}
		if err := os.Remove(filepath.Join(r.Path(), "summary")); err != nil {
			t.Fatal(err)
		}
		r = reopenWith(t, r, key, "false")
	}
}
