package ostreecmd_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/treewright/treewright/cmd/treewright/ostreecmd"
)

// checkoutArgs makes the test program a checkout.
const checkoutArgs = "TREEWRIGHT_TEST_CHECKOUT"

func TestMain(m *testing.M) {
	if args := os.Getenv(checkoutArgs); args != "" {
		p := ostreecmd.Program{Name: "ostree"}
		os.Exit(p.Run(context.Background(), strings.Fields(args), ostreecmd.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
	}
	os.Exit(m.Run())
}

// TestCheckoutKilled ends checkouts at all moments: there is then the whole tree or none,
// and the repository is whole.
func TestCheckoutKilled(t *testing.T) {
	w := newTwins(t, "archive", "mkdir t; for d in $(seq 40); do mkdir t/$d; for f in $(seq 50); do echo $d $((f % 40)) >t/$d/$f; done; done; c m t")
	whole := filepath.Join(t.TempDir(), "whole")
	ours(t, "--repo="+w.ours, "checkout", "-U", "m", whole)
	want := listNames(t, whole)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	none, all := 0, 0
	for i := range 25 {
		dir := t.TempDir()
		if i%5 == 0 {
			os.RemoveAll(filepath.Join(w.ours, "uncompressed-objects-cache"))
		}
		cmd := exec.Command(program)
		cmd.Env = append(os.Environ(), checkoutArgs+"=--repo="+w.ours+" checkout -U m "+dir+"/out")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i*i) * 600 * time.Microsecond)
		cmd.Process.Kill()
		cmd.Wait()
		if _, err := os.Lstat(dir + "/out"); err != nil {
			none++
			continue
		}
		all++
		if got := listNames(t, dir+"/out"); got != want {
			t.Fatalf("a part of the tree is there: %d bytes of names, want %d", len(got), len(want))
		}
	}
	stock(t, "--repo="+w.ours, "fsck")
	ours(t, "--repo="+w.ours, "checkout", "-U", "m", whole+"2")
	if out := stock(t, "--repo="+w.ours, "diff", whole, whole+"2"); out != "" {
		t.Errorf("a later checkout:\n%s", out)
	}
	if none == 0 {
		t.Errorf("%d of 25 were killed too late", all)
	}
}

// listNames is a sorted list of paths, sizes and modes below a folder.
func listNames(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.Command("find", dir, "-printf", "%P %s %m\n").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(string(out), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
