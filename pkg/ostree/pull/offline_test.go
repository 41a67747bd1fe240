package pull_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/delta"
	"github.com/treewright/treewright/pkg/ostree/pull"
)

// TestApplyOffline applies deltas that stock ostree has generated, and has it look at
// the result.
func TestApplyOffline(t *testing.T) {
	src, commits := remote(t)
	from, to := commits[0], commits[1]
	for name, args := range map[string][]string{
		"parts":  {"--from=" + from},
		"inline": {"--from=" + from, "--inline"},
		"empty":  {"--empty", "--inline"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "superblock")
			stock(t, append([]string{"--repo=" + src, "static-delta", "generate", "--to=" + to, "--filename=" + file, "--min-fallback-size=0"}, args...)...)
			r := create(t, ostree.ModeBareUser)
			d, err := delta.OpenFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if args[0] != "--empty" {
				var none *pull.FromError
				if err := pull.ApplyOffline(t.Context(), r, d); !errors.As(err, &none) {
					t.Errorf("without the commit that it starts from: %v", err)
				}
				stock(t, "--repo="+r.Path(), "pull-local", src, from)
			}
			if err := pull.ApplyOffline(t.Context(), r, d); err != nil {
				t.Fatal(err)
			}
			stock(t, "--repo="+r.Path(), "fsck")
			stock(t, "--repo="+r.Path(), "ls", "-R", to)
		})
	}
}

// TestApplyOfflineDamaged has a part that is not what the superblock says.
func TestApplyOfflineDamaged(t *testing.T) {
	src, commits := remote(t)
	file := filepath.Join(t.TempDir(), "superblock")
	stock(t, "--repo="+src, "static-delta", "generate", "--empty", "--to="+commits[1], "--filename="+file)
	part := filepath.Join(filepath.Dir(file), "0")
	b, err := os.ReadFile(part)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(part, b, 0o644); err != nil {
		t.Fatal(err)
	}
	r := create(t, ostree.ModeBareUser)
	d, err := delta.OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := pull.ApplyOffline(t.Context(), r, d); !errors.Is(err, ostree.ErrCorrupt) {
		t.Errorf("a damaged part: %v", err)
	}
	if all, err := r.Commits(); err != nil || len(all) > 0 {
		t.Errorf("left behind: %v, %v", all, err)
	}
}
