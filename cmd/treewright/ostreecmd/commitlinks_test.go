package ostreecmd_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/cmd/treewright/ostreecmd"
)

// Files of checkouts are known without being read. Each repository has a checkout of
// its own, whose files are links to its objects.
func TestCommitLinks(t *testing.T) {
	for _, mode := range []string{"bare", "bare-user", "bare-user-only", "archive"} {
		t.Run(mode, func(t *testing.T) {
			if mode == "bare" && os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			inFolder(t)
			writeFiles(t, map[string]string{"lists/one": "=384 /a\n", "lists/none": "=493 /usr/bin/prog\n", "lists/skip": "/usr/bin/prog\n"})
			p := newPair(t, mode)
			p.same(t, "commit", "-b", "x", "--canonical-permissions", "t")
			for _, at := range []string{p.stock, p.ours} {
				args := []string{"--repo=" + at, "checkout", "x", filepath.Base(at) + "-out"}
				if mode != "bare" {
					args = append(args, "-U")
				}
				stock(t, args...)
			}
			for _, args := range []string{
				"--link-checkout-speedup", "-I", "-I --owner-uid=7", "--link-checkout-speedup --statoverride=lists/one", "--link-checkout-speedup --statoverride=lists/none",
				"--link-checkout-speedup --skip-list=lists/skip",
			} {
				p.sameOut(t, append([]string{"commit", "-b", "x", "--table-output"}, strings.Fields(args)...)...)
			}
			for _, at := range []string{p.stock, p.ours} {
				writeFiles(t, map[string]string{filepath.Base(at) + "-out/new": "new"})
			}
			p.sameOut(t, "commit", "-b", "x", "--link-checkout-speedup")
			p.check(t)
		})
	}
}

// sameOut is same, of the folder that the repository's checkout is in. Of counts only
// those that matter must be the same.
func (p pair) sameOut(t *testing.T, args ...string) {
	t.Helper()
	want := stock(t, append([]string{"--repo=" + p.stock}, append(args, "stock-out")...)...)
	var out, errs bytes.Buffer
	prog := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
	if prog.Run(t.Context(), append([]string{"--repo=" + p.ours}, append(args, "ours-out")...), ostreecmd.Streams{Out: &out, Err: &errs}) != 0 {
		t.Errorf("mode %s: ostree %s: %s", p.mode, args, errs.String())
	}
	if got := out.String(); counts(got) != counts(want) {
		t.Errorf("mode %s: ostree %s:\n%s\nstock:\n%s", p.mode, args, got, want)
	}
}

func counts(table string) string {
	var out []string
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "Metadata Total") && !strings.HasPrefix(line, "Content Cache Hits") && !strings.HasPrefix(line, "Content Total") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// What one program has staged the other one, and ours, go on with.
func TestCommitSuspended(t *testing.T) {
	inFolder(t)
	p := newPair(t, "archive")
	t.Setenv("OSTREE_REPO_TEST_ERROR", "pre-commit")
	p.same(t, "commit", "-b", "x", "t")
	p.same(t, "refs")
	t.Setenv("OSTREE_REPO_TEST_ERROR", "")
	left := func(at string) int {
		found, err := filepath.Glob(at + "/tmp/staging-*/*/*")
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	for _, at := range []string{p.stock, p.ours} {
		if left(at) == 0 {
			t.Errorf("%s: nothing was left", at)
		}
	}
	want := stock(t, "--repo="+p.ours, "commit", "-b", "x", "--table-output", "t")
	var out, errs bytes.Buffer
	prog := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
	if prog.Run(t.Context(), []string{"--repo=" + p.stock, "commit", "-b", "x", "--table-output", "t"}, ostreecmd.Streams{Out: &out, Err: &errs}) != 0 {
		t.Fatal(errs.String())
	}
	if got := out.String(); counts(got) != counts(want) || !strings.Contains(got, "Content Written: 0") {
		t.Errorf("behind stock:\n%s\nstock behind us:\n%s", got, want)
	}
	for _, at := range []string{p.stock, p.ours} {
		stock(t, "--repo="+at, "fsck")
		if left(at) != 0 {
			t.Errorf("%s: staging folders are still there", at)
		}
	}
}

func TestChecksumAsStock(t *testing.T) {
	inFolder(t)
	if err := errors.Join(os.Mkdir("e", 0o700), os.Chmod("t/a", 0o4755)); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"t", "t/a", "t/d", "t/link", "e", "--ignore-xattrs t/a", "--ignore-xattrs t/d", "nope", "", "t/a t/d"} {
		sameAsStock(t, append([]string{"checksum"}, strings.Fields(args)...)...)
	}
}
