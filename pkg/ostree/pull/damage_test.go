package pull_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/pull"
)

// TestDamagedSource pulls from a repository whose objects are bad one after the other:
// the error names the object, and nothing of it arrives.
func TestDamagedSource(t *testing.T) {
	src := t.TempDir()
	stock(t, "--repo="+src, "init", "--mode=archive")
	commit(t, src, map[string]string{"one": "one\n", "two": strings.Repeat("two", 1000), "sub/three": "3"})
	found, err := filepath.Glob(src + "/objects/*/*")
	if err != nil || len(found) < 3 {
		t.Fatalf("objects: %q, %v", found, err)
	}
	for _, p := range found {
		base, ext, _ := strings.Cut(filepath.Base(p), ".")
		sum := filepath.Base(filepath.Dir(p)) + base
		if ext == "commitmeta" {
			continue // has no checksum
		}
		good, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		bad := append([]byte{}, good...)
		bad[len(bad)/3] ^= 4
		if err := os.WriteFile(p, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		to := create(t, ostree.ModeArchive)
		_, err = pull.Run(t.Context(), pull.Options{To: to, From: pull.Local{Repo: open(t, src)}, Refs: main()})
		if err == nil || !strings.Contains(err.Error(), sum) {
			t.Errorf("%s.%s: %v", sum, ext, err)
		}
		if there, err := filepath.Glob(to.Path() + "/objects/*/" + base + ".*"); err != nil || len(there) > 0 {
			t.Errorf("arrived: %q, %v", there, err)
		}
		if refs, err := to.Refs(); err != nil || len(refs) > 0 {
			t.Errorf("refs: %v, %v", refs, err)
		}
		if err := os.WriteFile(p, good, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
