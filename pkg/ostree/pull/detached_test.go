package pull_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/pull"
)

// Detached metadata that is none is as good as none: it is not kept, nor is what was
// there before, and who wants signatures finds none.
func TestPullDamagedDetached(t *testing.T) {
	src, to := t.TempDir(), create(t, ostree.ModeArchive)
	stock(t, "--repo="+src, "init", "--mode=archive")
	c := commit(t, src, map[string]string{"one": "one\n"}, "--add-detached-metadata-string=a=b")
	o := pull.Options{To: to, From: pull.Local{Repo: open(t, src)}, Refs: main()}
	run(t, o)
	sum, err := ostree.ParseChecksum(c)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := to.ReadDetached(sum); err != nil || len(m) != 1 {
		t.Fatalf("pulled: %v, %v", m, err)
	}
	found, err := filepath.Glob(src + "/objects/*/*.commitmeta")
	if err != nil || len(found) != 1 {
		t.Fatalf("%q, %v", found, err)
	}
	if err := os.WriteFile(found[0], []byte("borkborkbork\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, o)
	if m, err := to.ReadDetached(sum); err != nil || len(m) != 0 {
		t.Errorf("pulled again: %v, %v", m, err)
	}
	want := errors.New("no signatures")
	o.VerifyCommit = func(_ ostree.Checksum, _ []byte, m ostree.Metadata) error {
		if len(m) == 0 {
			return want
		}
		return nil
	}
	if _, err := pull.Run(t.Context(), o); !errors.Is(err, want) {
		t.Errorf("verified: %v", err)
	}
}
