package ostreecmd_test

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/cmd/treewright/ostreecmd"
)

// childArgs has the arguments of a command that this test binary is to run.
const childArgs = "TREEWRIGHT_TEST_OSTREE_ARGS"

// TestChild is the command, when it is called by another test.
func TestChild(t *testing.T) {
	args := os.Getenv(childArgs)
	if args == "" {
		t.Skip("for other tests")
	}
	prog := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
	os.Exit(prog.Run(t.Context(), strings.Split(args, "\n"), ostreecmd.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

func child(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childArgs+"="+strings.Join(args, "\n"))
	return cmd
}

// manyFiles makes a folder whose commit takes a while.
func manyFiles(t *testing.T, dir string, n int) {
	t.Helper()
	rnd := rand.New(rand.NewSource(int64(n)))
	noise := make([]byte, 2<<20)
	rnd.Read(noise)
	files := map[string]string{dir + "/large": string(noise)}
	for i := range n {
		files[fmt.Sprintf("%s/%d/%d", dir, i%20, i)] = fmt.Sprintf("%s %d", dir, i) + string(noise[i:i+rnd.Intn(20000)])
	}
	writeFiles(t, files)
}

// Whenever a commit is killed, stock finds the repository whole, and the ref where it
// was or at the new commit. The next commit goes through and leaves nothing behind.
func TestCommitKilled(t *testing.T) {
	for _, mode := range []string{"archive", "bare-user"} {
		t.Run(mode, func(t *testing.T) {
			t.Chdir(t.TempDir())
			manyFiles(t, "one", 400)
			p := newPair(t, mode)
			p.same(t, "commit", "-b", "x", "--canonical-permissions", "one")
			started := time.Now()
			if out, err := child(t, "--repo="+p.ours, "commit", "--orphan", "one").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			least := time.Since(started)
			rnd := rand.New(rand.NewSource(time.Now().UnixNano()))
			for i := range 10 {
				dir := fmt.Sprintf("tree-%d", i)
				manyFiles(t, dir, 401+i)
				before := stock(t, "--repo="+p.ours, "rev-parse", "x")
				cmd := child(t, "--repo="+p.ours, "commit", "-b", "x", dir)
				var out bytes.Buffer
				cmd.Stdout = &out
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(rnd.Int63n(int64(3 * least))))
				cmd.Process.Kill()
				cmd.Wait()
				stock(t, "--repo="+p.ours, "fsck", "--quiet")
				after := stock(t, "--repo="+p.ours, "rev-parse", "x")
				if parent := strings.TrimSpace(before); after != before && stock(t, "--repo="+p.ours, "rev-parse", "x^") != parent+"\n" {
					t.Fatalf("ref x is %s, was %s", after, before)
				}
				stock(t, "--repo="+p.ours, "ls", "-R", "x")
			}
			if out, err := child(t, "--repo="+p.ours, "commit", "-b", "x", "one").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			stock(t, "--repo="+p.ours, "fsck", "--quiet")
			noStaging(t, p.ours)
		})
	}
}

func noStaging(t *testing.T, repo string) {
	t.Helper()
	for _, pattern := range []string{"treewright-*", "staging-*"} {
		if left, err := filepath.Glob(repo + "/tmp/" + pattern); err != nil || len(left) > 0 {
			t.Errorf("left behind: %s, %v", left, err)
		}
	}
}

// A disk that becomes full: one error, nothing left of the commit, and room for the
// next one that fits.
func TestCommitDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	t.Chdir(t.TempDir())
	if err := os.Mkdir("disk", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", "disk", "tmpfs", 0, "size=6m"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { unix.Unmount("disk", unix.MNT_DETACH) })
	manyFiles(t, "big", 1500)
	writeFiles(t, map[string]string{"small/a": "a"})
	for _, mode := range []string{"archive", "bare-user"} {
		repo := "disk/" + mode
		stock(t, "--repo="+repo, "init", "--mode="+mode)
		for _, keep := range []string{"0", "3"} {
			stock(t, "--repo="+repo, "config", "set", "core.min-free-space-percent", keep)
			var errs bytes.Buffer
			prog := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
			if prog.Run(t.Context(), []string{"--repo=" + repo, "commit", "-b", "x", "big"}, ostreecmd.Streams{Out: &errs, Err: &errs}) == 0 {
				t.Fatalf("mode %s: 20 MB went onto a disk of 6", mode)
			}
			if n := strings.Count(errs.String(), "\n"); n != 1 || !strings.Contains(strings.ToLower(errs.String()), "no space left") {
				t.Errorf("mode %s, %s%% free: %s", mode, keep, errs.String())
			}
			noStaging(t, repo)
		}
		var out bytes.Buffer
		prog := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
		if prog.Run(t.Context(), []string{"--repo=" + repo, "commit", "-b", "x", "small"}, ostreecmd.Streams{Out: &out, Err: &out}) != 0 {
			t.Errorf("mode %s: %s", mode, out.String())
		}
		stock(t, "--repo="+repo, "fsck", "--quiet")
		if err := os.RemoveAll(repo); err != nil {
			t.Fatal(err)
		}
	}
}
