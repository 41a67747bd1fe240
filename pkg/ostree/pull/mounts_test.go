package pull

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// The lines are of proc(5).
func TestMountPoint(t *testing.T) {
	for line, want := range map[string]string{
		`36 35 98:0 /mnt1 /media/a\040b\134c rw,noatime master:1 - ext3 /dev/root rw`: `/media/a b\c`,
		`36 35 98:0 /mnt1 /mnt/x\9 rw`: `/mnt/x\9`,
		`36 35`:                        ``,
	} {
		if got := mountPoint(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func FuzzMountPoint(f *testing.F) {
	f.Add(`36 35 98:0 /mnt1 /media/a\040b rw`)
	f.Fuzz(func(t *testing.T, line string) {
		if got := mountPoint(line); len(got) > len(line) {
			t.Fatalf("%q of %q", got, line)
		}
	})
}

// A link may lead anywhere on the file system, but not off it.
func TestPlacesIn(t *testing.T) {
	r, err := repo.Create(t.TempDir(), ostree.ModeArchive)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.AddRemote("origin", []repo.RemoteOption{{Key: "url", Value: "x"}, {Key: "collection-id", Value: "org.example.A"}}, false); err != nil {
		t.Fatal(err)
	}
	if r, err = repo.Open(r.Path()); err != nil {
		t.Fatal(err)
	}
	mount := t.TempDir()
	if err := os.MkdirAll(filepath.Join(mount, mountRepos), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Create(filepath.Join(mount, "deep"), ostree.ModeArchive); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"a": "../../deep", "b": "/proc/self", "c": "../../missing"} {
		if err := os.Symlink(target, filepath.Join(mount, mountRepos, name)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := placesIn(r, mount, []repo.RefName{{Collection: "org.example.A", Name: "x"}, {Collection: "org.example.B", Name: "x"}})
	if want := []place{{fileURL(filepath.Join(mount, "deep")), "origin"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}
