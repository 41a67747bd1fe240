package openpgp_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/openpgp"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// home makes a folder of GnuPG with a key that signs, and one whose subkey does.
func home(t testing.TB) func(args ...string) []byte {
	t.Helper()
	_, run := homeDir(t)
	return run
}

// homeDir is home that tells where it is.
func homeDir(t testing.TB) (dir string, run func(args ...string) []byte) {
	t.Helper()
	gpg := fixture.Tool(t, "gpg")
	dir, err := os.MkdirTemp("", "gpg") // t.TempDir is too long for its sockets
	if err != nil {
		t.Fatal(err)
	}
	run = func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command(gpg, append([]string{"--homedir", dir, "--batch", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gpg %q: %v\n%s", args, err, stderr.String())
		}
		return out
	}
	t.Cleanup(func() {
		exec.Command("gpgconf", "--homedir", dir, "--kill", "gpg-agent").Run()
		os.RemoveAll(dir)
	})
	run("--quick-generate-key", "One <one@example.com>", "ed25519", "sign", "never")
	run("--quick-generate-key", "Two", "rsa2048", "cert", "never")
	for line := range strings.Lines(string(run("--list-keys", "--with-colons", "Two"))) {
		if f := strings.Split(line, ":"); f[0] == "fpr" {
			run("--quick-add-key", f[9], "rsa2048", "sign", "never")
			break
		}
	}
	return dir, run
}

func mustRead(t testing.TB, b []byte) *openpgp.Keyring {
	t.Helper()
	k, err := openpgp.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// gpg verifies what we sign, and the other way round.
func TestWithGPG(t *testing.T) {
	gpg := home(t)
	secret := mustRead(t, gpg("--export-secret-keys"))
	public := mustRead(t, gpg("--armor", "--export"))
	data := []byte("data")
	file := filepath.Join(t.TempDir(), "data")
	for path, b := range map[string][]byte{file: data} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, who := range []string{"one@example.com", "Two"} {
		ours, err := secret.Sign(data, who, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file+".sig", ours, 0o600); err != nil {
			t.Fatal(err)
		}
		gpg("--verify", file+".sig", file)

		theirs := gpg("--output", "-", "--local-user", who, "--detach-sign", file)
		for name, sig := range map[string][]byte{"ours": ours, "theirs": theirs} {
			list, err := public.Verify(data, sig, time.Now())
			if err != nil || len(list) != 1 {
				t.Fatalf("%s by %s: Verify = %v, %v", name, who, list, err)
			}
			if s := list[0]; !s.Valid || s.Missing || s.Primary.UserIDs[0].Text == "" {
				t.Errorf("%s by %s: %+v", name, who, s)
			}
			if list, err = public.Verify([]byte("other"), sig, time.Now()); err != nil || list[0].Valid || list[0].Missing {
				t.Errorf("%s by %s of other data: %+v, %v", name, who, list, err)
			}
			if list, err = (&openpgp.Keyring{}).Verify(data, sig, time.Now()); err != nil || list[0].Valid || !list[0].Missing {
				t.Errorf("%s by %s without keys: %+v, %v", name, who, list, err)
			}
		}
	}
}

// An expiry or a revocation that arrives later counts, and the keyring keeps it.
func TestMerge(t *testing.T) {
	gpg := home(t)
	sig, err := mustRead(t, gpg("--export-secret-keys", "One")).Sign([]byte("data"), "One", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	k := mustRead(t, gpg("--export", "One"))
	gpg("--quick-set-expire", k.Keys()[0].Fingerprint, "1d")
	if n := k.Add(mustRead(t, gpg("--armor", "--export", "One"))); n != 0 {
		t.Errorf("%d new keys, want 0", n)
	}
	for range 2 {
		list, err := k.Verify([]byte("data"), sig, time.Now().Add(48*time.Hour))
		if err != nil || list[0].Valid || !list[0].KeyExpired || list[0].Revoked {
			t.Fatalf("Verify = %+v, %v", list, err)
		}
		b, err := k.Encode()
		if err != nil {
			t.Fatal(err)
		}
		k = mustRead(t, b)
	}
}

func TestErrors(t *testing.T) {
	k := &openpgp.Keyring{}
	if _, err := k.Sign(nil, "nobody", now); !errors.Is(err, openpgp.ErrNotFound) {
		t.Errorf("Sign = %v", err)
	}
	gpg := home(t)
	if _, err := mustRead(t, gpg("--export")).Sign(nil, "One", time.Now()); !errors.Is(err, openpgp.ErrLocked) {
		t.Errorf("Sign without secret = %v", err)
	}
	if _, err := k.Verify(nil, []byte("no signature"), now); !errors.Is(err, openpgp.ErrMalformed) {
		t.Errorf("Verify = %v", err)
	}
}

func TestUserID(t *testing.T) {
	for text, want := range map[string][2]string{
		"Name <name@example.com>": {"Name", "name@example.com"},
		"Name (remark) <a@b.c>":   {"Name", "a@b.c"},
		"Name":                    {"Name", ""},
		"name@example.com":        {"", "name@example.com"},
		"<name@example.com>":      {"", "name@example.com"},
	} {
		if u := (openpgp.UserID{Text: text}); u.Name() != want[0] || u.Email() != want[1] {
			t.Errorf("%q: %q, %q", text, u.Name(), u.Email())
		}
	}
}

// Every key arrives of blocks of armor behind one another, however long they are.
func TestReadBlocks(t *testing.T) {
	gpg := home(t)
	var all []byte
	for i := range 4 {
		id := fmt.Sprintf("key%d%s@example.com", i, strings.Repeat("x", 13*i))
		gpg("--quick-gen-key", id, "ed25519", "sign", "never")
		all = append(all, gpg("--armor", "--export", id)...)
	}
	if n := len(mustRead(t, all).Keys()); n != 4 {
		t.Errorf("%d keys of 4", n)
	}
}
