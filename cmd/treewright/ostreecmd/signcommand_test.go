package ostreecmd_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/cmd/treewright/ostreecmd"
	"github.com/treewright/treewright/pkg/fixture"
)

// runSign runs treewright's ostree sign, and returns whether it succeeded and all it said.
func runSign(t *testing.T, args ...string) (ok bool, text string) {
	t.Helper()
	var out bytes.Buffer
	p := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
	status := p.Run(t.Context(), append([]string{"sign"}, args...), ostreecmd.Streams{Out: &out, Err: &out})
	return status == 0, out.String()
}

// newKey is an ed25519 key from a seed, as ostree writes its halves.
func newKey(seed string) (public, secret string) {
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat(seed, ed25519.SeedSize)))
	return base64.StdEncoding.EncodeToString(key[ed25519.SeedSize:]), base64.StdEncoding.EncodeToString(key)
}

// A signature is added, verified by its key alone, and removed by it alone. The texts
// are those of test-signed-commit.sh of libostree.
func TestSign(t *testing.T) {
	dir, _ := showRepo(t)
	public, secret := newKey("a")
	other, otherSecret := newKey("b")
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte(other+"\n"+public+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args []string
		ok   bool
		want string
	}{
		{[]string{"--verify", "x", public}, false, "error: No valid signatures found"},
		{[]string{"x", "no key"}, false, "error: "},
		{[]string{"x", public}, false, "error: "},
		{[]string{"x", secret}, true, ""},
		{[]string{"--verify", "x", public}, true, "ed25519: Signature verified successfully with key"},
		{[]string{"--verify", "x", other}, false, "error: No valid signatures found"},
		{[]string{"--verify", "x", other, public}, true, "ed25519: Signature verified successfully with key"},
		{[]string{"--verify", "--keys-file=" + keys, "x"}, true, "ed25519: Signature verified successfully with key"},
		{[]string{"--verify", "x^", public}, false, "error: No valid signatures found"},
		{[]string{"x", otherSecret}, true, ""},
		{[]string{"--delete", "x", other}, true, "Signatures deleted: 1"},
		{[]string{"--delete", "x", other}, true, "Signatures deleted: 0"},
		{[]string{"--verify", "x", other}, false, "error: No valid signatures found"},
		{[]string{"--verify", "x", public}, true, "ed25519: Signature verified successfully with key"},
		{[]string{"--delete", "--keys-file=" + keys, "x"}, true, "Signatures deleted: 1"},
		{[]string{"--verify", "x", public}, false, "error: No valid signatures found"},
	} {
		ok, text := runSign(t, append([]string{"--repo=" + dir}, step.args...)...)
		if ok != step.ok || !strings.Contains(text, step.want) || step.want == "" && text != "" {
			t.Errorf("sign %q: %t\n%s", step.args, ok, text)
		}
	}
	sameAsStock(t, "--repo="+dir, "show", "--print-detached-metadata-key=dk", "x") // nothing else went
}

// Stock pulls what was signed here from a remote that wants its signatures, and not
// what has another key's, or had it removed.
func TestStockPullsSigned(t *testing.T) {
	keys := "/usr/libexec/installed-tests/libostree/gpghome"
	if _, err := os.Stat(keys); err != nil {
		fixture.Tool(t, "ostree-tests")
	}
	t.Setenv("OSTREE_GPG_HOME", t.TempDir())
	dir, _ := showRepo(t)
	pull := func(key string) (bool, string) {
		t.Helper()
		to := filepath.Join(t.TempDir(), "repo")
		stock(t, "--repo="+to, "init", "--mode=bare-user")
		stock(t, "--repo="+to, "remote", "add", "--set=gpg-verify=true", "--set=gpg-verify-summary=true", "--gpg-import="+filepath.Join(keys, key), "R", "file://"+dir)
		out, err := exec.Command(fixture.Tool(t, "ostree"), "--repo="+to, "pull", "R", "x").CombinedOutput()
		return err == nil, string(out)
	}
	ours(t, "--repo="+dir, "summary", "-u", "--gpg-sign=472CDAFA", "--gpg-homedir="+keys)
	if ok, text := pull("key1.asc"); ok || !strings.Contains(text, "no signatures found") {
		t.Errorf("a commit without signatures: %s", text)
	}
	ours(t, "--repo="+dir, "gpg-sign", "x", "472CDAFA", "--gpg-homedir="+keys)
	if ok, text := pull("key1.asc"); !ok {
		t.Errorf("signed: %s", text)
	}
	if ok, text := pull("key2.asc"); ok || !strings.Contains(text, "public key not found") {
		t.Errorf("signed by another key: %s", text)
	}
	ours(t, "--repo="+dir, "gpg-sign", "--delete", "x", "472CDAFA", "--gpg-homedir="+keys)
	if ok, text := pull("key1.asc"); ok || !strings.Contains(text, "no signatures found") {
		t.Errorf("a commit whose signatures were removed: %s", text)
	}
}
