package openpgp_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/openpgp"
)

// A keybox and the files of secrets of gpg make a keyring that signs what gpg verifies.
func TestKeybox(t *testing.T) {
	dir, gpg := homeDir(t)
	gpg("--quick-generate-key", "Three", "nistp256", "sign", "never")
	gpg("--quick-generate-key", "Four", "dsa2048", "sign", "never")
	box, err := os.ReadFile(filepath.Join(dir, "pubring.kbx"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := openpgp.ReadKeybox(box)
	if err != nil {
		t.Fatal(err)
	}
	if len(k.Keys()) != 4 {
		t.Fatalf("%d keys, want 4", len(k.Keys()))
	}
	if _, err := k.Sign(nil, "Two", time.Now()); !errors.Is(err, openpgp.ErrLocked) {
		t.Errorf("Sign without secrets = %v", err)
	}
	addSecrets(t, k, dir)
	file := filepath.Join(t.TempDir(), "data")
	for _, who := range []string{"One", "Two", "Three", "Four"} {
		sig, err := k.Sign([]byte("data"), who, time.Now())
		if err != nil {
			t.Errorf("%s: %v", who, err)
			continue
		}
		write(t, file, []byte("data"))
		write(t, file+".sig", sig)
		gpg("--verify", file+".sig", file)
	}
}

// Keys that gpg 2.2 took over from the secring.gpg of gpg 1 without a passphrase.
func TestTakenOver(t *testing.T) {
	b, err := os.ReadFile("testdata/takenover.key")
	if err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile("testdata/takenover.keyring")
	if err != nil {
		t.Fatal(err)
	}
	k := mustRead(t, public)
	if err := k.AddSecret(b); err != nil {
		t.Fatal(err)
	}
	sig, err := k.Sign([]byte("data"), "Ostree Tester II", now)
	if err != nil {
		t.Fatal(err)
	}
	list, err := mustRead(t, public).Verify([]byte("data"), sig, now)
	if err != nil || len(list) != 1 || !list[0].Valid {
		t.Errorf("Verify = %+v, %v", list, err)
	}
}

// A secret behind a passphrase.
func TestLocked(t *testing.T) {
	dir, gpg := homeDir(t)
	gpg("--passphrase", "word", "--quick-generate-key", "Locked", "ed25519", "sign", "never")
	k := mustRead(t, gpg("--export"))
	locked := 0
	for _, name := range secrets(t, dir) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.AddSecret(b); errors.Is(err, openpgp.ErrLocked) {
			locked++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if locked != 1 {
		t.Errorf("%d secrets are locked, want 1", locked)
	}
	if _, err := k.Sign(nil, "Locked", time.Now()); !errors.Is(err, openpgp.ErrLocked) {
		t.Errorf("Sign = %v", err)
	}
}

// The secret comes to what is public, and the other way round.
func TestMergeSecret(t *testing.T) {
	gpg := home(t)
	secret, public := gpg("--export-secret-keys"), gpg("--export")
	for name, order := range map[string][2][]byte{"secret first": {secret, public}, "public first": {public, secret}} {
		k := mustRead(t, order[0])
		if n := k.Add(mustRead(t, order[1])); n != 0 {
			t.Errorf("%s: %d new keys", name, n)
		}
		for _, who := range []string{"One", "Two"} {
			if _, err := k.Sign(nil, who, time.Now()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := len(k.Keys()[1].Subkeys); n != 1 {
			t.Errorf("%s: %d subkeys, want 1", name, n)
		}
	}
}

func secrets(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "private-keys-v1.d", "*.key"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no secrets in %s: %v", dir, err)
	}
	return names
}

func addSecrets(t testing.TB, k *openpgp.Keyring, dir string) {
	t.Helper()
	for _, name := range secrets(t, dir) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.AddSecret(b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func write(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
