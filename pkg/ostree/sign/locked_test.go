package sign_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/ostree/sign"
)

// A key behind a passphrase signs through gpg once gpg's agent knows the passphrase,
// and gpg accepts the signature.
func TestLockedKey(t *testing.T) {
	gpg := fixture.Tool(t, "gpg")
	dir, err := os.MkdirTemp("", "gpg") // t.TempDir is too long for its sockets
	if err != nil {
		t.Fatal(err)
	}
	forget := func() { _ = exec.Command("gpgconf", "--homedir", dir, "--kill", "gpg-agent").Run() }
	t.Cleanup(func() {
		forget()
		os.RemoveAll(dir)
	})
	write(t, filepath.Join(dir, "gpg-agent.conf"), "pinentry-program /bin/false\n") // nobody is asked
	run := func(args ...string) {
		t.Helper()
		args = append([]string{"--homedir", dir, "--batch", "--pinentry-mode", "loopback", "--passphrase", "word"}, args...)
		if out, err := exec.Command(gpg, args...).CombinedOutput(); err != nil {
			t.Fatalf("gpg %q: %v\n%s", args, err, out)
		}
	}
	run("--quick-generate-key", "Locked <locked@example.com>", "ed25519", "sign", "never")
	forget()
	h, err := sign.OpenHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	id := h.Keys().Keys()[0].Fingerprint
	s, err := h.Signer(id, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var bad *sign.KeyError
	if _, err := s.Sign([]byte("data")); !errors.As(err, &bad) || bad.Key != id {
		t.Errorf("without the passphrase: %v", err)
	}
	data := write(t, filepath.Join(t.TempDir(), "data"), "data")
	run("--detach-sign", data) // tells the agent
	sig, err := s.Sign([]byte("data"))
	if err != nil {
		t.Fatal(err)
	}
	run("--verify", write(t, data+".ours", string(sig)), data)
	list, err := h.Keys().Verify([]byte("data"), sig, time.Now())
	if err != nil || len(list) != 1 || !list[0].Valid {
		t.Errorf("Verify = %+v, %v", list, err)
	}

	t.Setenv("PATH", t.TempDir())
	if _, err := s.Sign([]byte("data")); !errors.Is(err, openpgp.ErrLocked) {
		t.Errorf("without gpg: %v", err)
	}
}
