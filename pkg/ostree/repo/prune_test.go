package repo_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// history makes n commits on a branch, a minute apart, each with a file of its own.
func history(t testing.TB, r *repo.Repo, branch string, n, files int) []ostree.Checksum {
	t.Helper()
	var all []ostree.Checksum
	for i := range n {
		txn, err := r.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		root := filetree.NewDir(0o755)
		for k := range files {
			if err := root.Put(fmt.Sprintf("d%d/f%d", k%7, k), filetree.Bytes(fmt.Appendf(nil, "%s %d %d", branch, i, k), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		c := &ostree.Commit{Subject: branch, Timestamp: uint64(1700000000 + 60*i)}
		if i > 0 {
			c.Parent = &all[i-1]
		}
		if c.Root, c.RootMeta, err = txn.WriteTree(t.Context(), root, repo.TreeOptions{}); err != nil {
			t.Fatal(err)
		}
		sum, err := txn.WriteCommit(c)
		if err != nil {
			t.Fatal(err)
		}
		txn.SetRef(branch, sum)
		if err := txn.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		all = append(all, sum)
	}
	return all
}

func objects(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(filepath.Join(dir, "objects"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, strings.TrimPrefix(p, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPruneAsStock prunes copies of a repository with both programs.
func TestPruneAsStock(t *testing.T) {
	dir := t.TempDir()
	r, err := repo.Create(filepath.Join(dir, "model"), ostree.ModeArchive)
	if err != nil {
		t.Fatal(err)
	}
	r.DisableSync()
	a, b := history(t, r, "x", 5, 3), history(t, r, "y", 4, 2)
	command(t, "ostree", "--repo="+r.Path(), "refs", "--delete", "y")
	command(t, "ostree", "--repo="+r.Path(), "refs", "--create=z", b[2].String())
	command(t, "ostree", "--repo="+r.Path(), "static-delta", "generate", "--empty", a[1].String())
	since, depth := int64(1700000120), func(n int) *int { return &n }
	for name, tc := range map[string]struct {
		args []string
		o    repo.PruneOptions
	}{
		"nothing":          {nil, repo.PruneOptions{}},
		"refs":             {[]string{"--refs-only"}, repo.PruneOptions{Refs: true}},
		"depth 0":          {[]string{"--refs-only", "--depth=0"}, repo.PruneOptions{Refs: true, Depth: depth(0)}},
		"depth 1":          {[]string{"--refs-only", "--depth=1"}, repo.PruneOptions{Refs: true, Depth: depth(1)}},
		"dry run":          {[]string{"--refs-only", "--depth=0", "--no-prune"}, repo.PruneOptions{Refs: true, Depth: depth(0), DryRun: true}},
		"commits":          {[]string{"--refs-only", "--depth=0", "--commit-only"}, repo.PruneOptions{Refs: true, Depth: depth(0), CommitsOnly: true}},
		"one commit":       {[]string{"--delete-commit=" + a[2].String()}, repo.PruneOptions{Delete: &a[2]}},
		"deltas":           {[]string{"--static-deltas-only", "--delete-commit=" + a[1].String()}, repo.PruneOptions{Delete: &a[1], DeltasOnly: true}},
		"young":            {[]string{"--keep-younger-than=@1700000120"}, repo.PruneOptions{Since: &since}},
		"one branch":       {[]string{"--only-branch=z", "--depth=0"}, repo.PruneOptions{Only: []string{"z"}, Depth: depth(0)}},
		"branch is longer": {[]string{"--retain-branch-depth=x=1", "--depth=0"}, repo.PruneOptions{BranchDepth: map[string]int{"x": 1}, Depth: depth(0)}},
	} {
		t.Run(name, func(t *testing.T) {
			stock, ours := filepath.Join(t.TempDir(), "repo"), filepath.Join(t.TempDir(), "repo")
			for _, to := range []string{stock, ours} {
				command(t, "cp", "-a", r.Path(), to)
			}
			out := command(t, "ostree", append([]string{"--repo=" + stock, "prune"}, tc.args...)...)
			r, err := repo.Open(ours)
			if err != nil {
				t.Fatal(err)
			}
			report, err := r.Prune(t.Context(), tc.o)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(strings.ReplaceAll(out, " (commit only)", ""), fmt.Sprintf("Total objects: %d\n", report.Objects)) {
				t.Errorf("report = %+v, ostree says %s", report, out)
			}
			if got, want := objects(t, ours), objects(t, stock); !slices.Equal(got, want) {
				t.Errorf("left are\n%s\nstock leaves\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if got, want := command(t, "ostree", "--repo="+ours, "static-delta", "list"), command(t, "ostree", "--repo="+stock, "static-delta", "list"); got != want {
				t.Errorf("deltas: %s, want %s", got, want)
			}
			command(t, "ostree", "--repo="+ours, "fsck")
		})
	}
}

func TestPruneRefuses(t *testing.T) {
	r := create(t, ostree.ModeArchive)
	a := history(t, r, "x", 2, 1)
	var refers *repo.RefersError
	if _, err := r.Prune(t.Context(), repo.PruneOptions{Delete: &a[1]}); !errors.As(err, &refers) || refers.Ref.Name != "x" {
		t.Errorf("a commit that a ref points to: %v", err)
	}
	// What a folder that cannot be read holds is not known: nothing may go.
	commit, err := r.ReadCommit(a[1])
	if err != nil {
		t.Fatal(err)
	}
	before := objects(t, r.Path())
	damage(t, r, commit.Root.String(), "dirtree", func(b []byte) []byte { b[0] ^= 1; return b })
	depth := 0
	if _, err := r.Prune(t.Context(), repo.PruneOptions{Refs: true, Depth: &depth}); !errors.Is(err, ostree.ErrCorrupt) {
		t.Errorf("a corrupt folder: %v", err)
	}
	if after := objects(t, r.Path()); !slices.Equal(before, after) {
		t.Error("objects went although a folder is corrupt")
	}
}

// damage changes the file of an object.
func damage(t testing.TB, r *repo.Repo, sum, ext string, change func([]byte) []byte) {
	t.Helper()
	p := filepath.Join(r.Path(), "objects", sum[:2], sum[2:]+"."+ext)
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, change(b), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestLockWithStock has each program wait for the other's lock.
func TestLockWithStock(t *testing.T) {
	r := create(t, ostree.ModeArchive)
	history(t, r, "v", 1, 1)
	command(t, "ostree", "--repo="+r.Path(), "config", "set", "core.lock-timeout-secs", "1")
	r, err := repo.Open(r.Path())
	if err != nil {
		t.Fatal(err)
	}
	stock := func(args ...string) string {
		out, _ := exec.Command("ostree", append([]string{"--repo=" + r.Path()}, args...)...).CombinedOutput()
		return string(out)
	}
	command(t, "ostree", "--version")
	empty := t.TempDir()
	locked := "Resource temporarily unavailable"
	err = r.WithLock(t.Context(), true, func(r *repo.Repo) error {
		if out := stock("commit", "-b", "x", empty); !strings.Contains(out, locked) {
			t.Errorf("stock commits while we have the lock: %s", out)
		}
		if out := stock("prune"); !strings.Contains(out, locked) {
			t.Errorf("stock prunes while we have the lock: %s", out)
		}
		_, err := r.Prune(t.Context(), repo.PruneOptions{}) // takes the lock again
		return err
	})
	if err != nil {
		t.Error(err)
	}
	err = r.WithLock(t.Context(), false, func(r *repo.Repo) error {
		if out := stock("commit", "-b", "x", empty); strings.Contains(out, "error") {
			t.Errorf("stock cannot commit beside a shared lock: %s", out)
		}
		if out := stock("prune"); !strings.Contains(out, locked) {
			t.Errorf("stock prunes beside a shared lock: %s", out)
		}
		if _, err := r.Prune(t.Context(), repo.PruneOptions{}); err != nil { // raises the lock
			return err
		}
		if out := stock("commit", "-b", "x", empty); strings.Contains(out, "error") {
			t.Errorf("the lock is not shared again behind a prune: %s", out)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	// A commit of a tar stream that does not end has the shared lock.
	cmd := exec.Command("ostree", "--repo="+r.Path(), "commit", "-b", "y", "--tree=tar=/dev/stdin")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	var lock *repo.LockError
	for deadline := time.Now().Add(20 * time.Second); ; { // until it has begun
		_, err = r.Prune(t.Context(), repo.PruneOptions{})
		if err != nil || time.Now().After(deadline) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if !errors.As(err, &lock) || !lock.Exclusive || !errors.Is(err, repo.ErrLocked) {
		t.Errorf("prune beside a commit of stock: %v", err)
	}
	history(t, r, "z", 1, 1) // shares it
}

// TestPruneKilled kills prunes at random moments.
func TestPruneKilled(t *testing.T) {
	const key = "TREEWRIGHT_TEST_PRUNE"
	depth := 0
	if path := os.Getenv(key); path != "" {
		r, err := repo.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Prune(t.Context(), repo.PruneOptions{Refs: true, Depth: &depth}); err != nil {
			t.Fatal(err)
		}
		return
	}
	model := create(t, ostree.ModeArchive)
	history(t, model, "x", 15, 60)
	took := time.Duration(0)
	for round := range 6 {
		dir := filepath.Join(t.TempDir(), "repo")
		command(t, "cp", "-a", model.Path(), dir)
		before := len(objects(t, dir))
		cmd := exec.Command(os.Args[0], "-test.run=^TestPruneKilled$")
		cmd.Env = append(os.Environ(), key+"="+dir)
		start := time.Now()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if round > 0 { // the first one runs to its end, for the time
			time.Sleep(time.Duration(rand.Int64N(int64(took))))
			cmd.Process.Kill()
		}
		if err := cmd.Wait(); round == 0 && err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			took = time.Since(start)
		}
		left := len(objects(t, dir))
		command(t, "ostree", "--repo="+dir, "fsck", "-q")
		r, err := repo.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Prune(t.Context(), repo.PruneOptions{Refs: true, Depth: &depth}); err != nil {
			t.Fatal(err)
		}
		command(t, "ostree", "--repo="+dir, "fsck", "-q")
		if n := len(objects(t, dir)); n > 70 {
			t.Errorf("%d objects were left, of %d before and %d behind the kill", n, before, left)
		}
	}
}
