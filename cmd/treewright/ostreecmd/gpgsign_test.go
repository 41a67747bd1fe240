package ostreecmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/treewright/treewright/pkg/fixture"
)

// Signatures of both programs are described alike by both: good, by keys that are not
// there, and of a commit that they were not made for.
func TestShowSignatures(t *testing.T) {
	suite := "/usr/libexec/installed-tests/libostree/gpghome"
	if _, err := os.Stat(suite); err != nil {
		fixture.Tool(t, "ostree-tests")
	}
	home := filepath.Join(t.TempDir(), "home")
	if out, err := exec.Command("cp", "-r", suite, home).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OSTREE_GPG_HOME", t.TempDir())
	dir, _ := showRepo(t)
	sameAsStock(t, "--repo="+dir, "gpg-sign", "x")
	stock(t, "--repo="+dir, "gpg-sign", "x", "472CDAFA", "--gpg-homedir="+home)
	ours(t, "--repo="+dir, "gpg-sign", "x", "CA950D41", "--gpg-homedir="+home)
	sameAsStock(t, "--repo="+dir, "gpg-sign", "x", "472CDAFA", "--gpg-homedir="+home)
	sameAsStock(t, "--repo="+dir, "show", "x")
	sameAsStock(t, "--repo="+dir, "show", "--gpg-homedir="+home, "x")
	stock(t, "--repo="+dir, "remote", "add", "R", "http://example.com")
	ours(t, "--repo="+dir, "remote", "gpg-import", "-k", filepath.Join(suite, "key1.asc"), "R")
	sameAsStock(t, "--repo="+dir, "show", "--gpg-verify-remote=R", "x")
	sameAsStock(t, "--repo="+dir, "show", "x")
	sameAsStock(t, "--repo="+dir, "show", "--gpg-verify-remote=nosuch", "x")
}
