package pull_test

import (
	"path/filepath"
	"testing"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/pull"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

const apps = "org.example.Apps"

// collection is an archive repository of the collection of apps, made by stock ostree.
func collection(t testing.TB, time string) (dir, head string) {
	dir = t.TempDir()
	stock(t, "--repo="+dir, "init", "--mode=archive", "--collection-id="+apps)
	head = commit(t, dir, map[string]string{"a": time}, "--timestamp=@"+time)
	stock(t, "--repo="+dir, "summary", "-u")
	return dir, head
}

func addCollectionRemote(t testing.TB, to *repo.Repo, name, dir string) {
	t.Helper()
	if err := to.AddRemote(name, []repo.RemoteOption{
		{Key: "url", Value: "file://" + dir}, {Key: "gpg-verify", Value: "false"}, {Key: "collection-id", Value: apps},
	}, false); err != nil {
		t.Fatal(err)
	}
}

// Of a ref the newest commit counts, wherever it is; places that are gone are told and
// do no harm.
func TestFind(t *testing.T) {
	old, _ := collection(t, "1000000000")
	young, head := collection(t, "1000000001")
	to := create(t, ostree.ModeArchive)
	addCollectionRemote(t, to, "old", old)
	addCollectionRemote(t, to, "young", young)
	addCollectionRemote(t, to, "gone", filepath.Join(t.TempDir(), "gone"))
	ref, none := repo.RefName{Collection: apps, Name: "main"}, repo.RefName{Collection: apps, Name: "none"}
	warned := 0
	found, err := pull.Find(t.Context(), to, []repo.RefName{ref, none}, pull.Finders, pull.RemoteOptions{}, func(error) { warned++ })
	if err != nil || len(found) != 1 || found[0].Remote != "young" || found[0].Refs[ref].String() != head || len(found[0].Refs) != 1 || warned != 1 {
		t.Errorf("%+v, %d warnings, %v", found, warned, err)
	}
}

// What is on a drive stock ostree reads, and finds by the link there.
func TestToDrive(t *testing.T) {
	dir, head := collection(t, "1000000000")
	mount := t.TempDir()
	o := pull.DriveOptions{From: open(t, dir), Mount: mount, Path: "a/b", Refs: []repo.RefName{{Collection: apps, Name: "main"}}, Time: 5}
	for range 2 {
		if err := pull.ToDrive(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	at := "--repo=" + filepath.Join(mount, ".ostree/repos.d/00-generated")
	stock(t, at, "fsck")
	if got := stock(t, at, "refs", "-c"); got != "("+apps+", main)" {
		t.Error(got)
	}
	stock(t, at, "show", head)
	o.Path = "../outside"
	if err := pull.ToDrive(t.Context(), o); err == nil {
		t.Error("a repository outside of the drive is made")
	}
}
