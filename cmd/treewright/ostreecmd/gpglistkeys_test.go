package ostreecmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/fixture"
)

// Keys that end, have ended or are revoked, and user IDs with and without an address,
// are listed as stock does.
func TestListKeys(t *testing.T) {
	home, err := os.MkdirTemp("", "gpg") // t.TempDir is too long for its sockets
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		args = append([]string{"--homedir", home, "--batch", "--quiet", "--passphrase", ""}, args...)
		out, err := exec.Command(fixture.Tool(t, "gpg"), args...).Output()
		if err != nil {
			t.Fatalf("gpg %q: %v", args, err)
		}
		return string(out)
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		os.RemoveAll(home)
	})
	fingerprint := func(id string) string {
		_, rest, _ := strings.Cut(run("--with-colons", "--list-keys", id), "\nfpr:::::::::")
		return rest[:40]
	}
	for _, id := range []string{
		"Foo (remark) <Foo.Bar@Example.COM>", "nomail", "<only@x.org>", "plain@addr.org", "weird <a b@c>", "J\u00fcrgen <j\u00fc@ex\u00e4mple.de>",
		"two <a@b.c> <d@e.f>", "Quote %41 <a+b%c@d.org>", "x <a@b@c>", "NoAt <foo>", "Dots <.a@b..c>",
	} {
		run("--quick-gen-key", "--yes", id, "ed25519", "sign", "2031-01-02") // a day of one digit
	}
	run("--quick-gen-key", "Old <old@x.org>", "ed25519", "sign", "seconds=1")
	run("--quick-gen-key", "Revoked <revoked@x.org>", "ed25519", "sign", "seconds=1")
	run("--quick-gen-key", "Subkeys <sub@x.org>", "ed25519", "cert", "never")
	sub := fingerprint("sub@x.org")
	run("--quick-add-key", sub, "ed25519", "sign", "2030-02-03")
	run("--quick-add-key", sub, "ed25519", "sign", "seconds=1")
	run("--quick-add-uid", sub, "Gone <gone@x.org>")
	run("--quick-revoke-uid", sub, "Gone <gone@x.org>")
	name := filepath.Join(home, "openpgp-revocs.d", fingerprint("revoked@x.org")+".rev")
	cert, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(cert), ":---", "---", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	run("--import", name)
	keys := filepath.Join(home, "keys")
	run("--output", keys, "--export")
	run("--armor", "--output", keys+".asc", "--export", "nomail", "plain@addr.org")

	dir, _ := showRepo(t)
	stock(t, "--repo="+dir, "remote", "add", "R", "http://example.com")
	stock(t, "--repo="+dir, "remote", "add", "--set=gpgkeypath="+keys+".asc", "Path", "http://example.com")
	stock(t, "--repo="+dir, "remote", "gpg-import", "-k", keys, "R")
	system := t.TempDir()
	t.Setenv("OSTREE_GPG_HOME", system)
	time.Sleep(2 * time.Second) // keys end
	for _, args := range [][]string{{}, {"R"}, {"R", "more"}, {"Path"}, {"nosuch"}} {
		sameAsStock(t, append([]string{"--repo=" + dir, "remote", "gpg-list-keys"}, args...)...)
	}
	run("--output", filepath.Join(system, "some.gpg"), "--export", "sub@x.org")
	sameAsStock(t, "--repo="+dir, "remote", "gpg-list-keys")
}
