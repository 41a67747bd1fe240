package sign_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/sign"
)

// opensslKey makes a key, and returns the name of its PEM file, and both halves as
// ostree has them.
func opensslKey(t *testing.T) (pem, public, secret string) {
	t.Helper()
	pem = filepath.Join(t.TempDir(), "key.pem")
	openssl(t, "genpkey", "-algorithm", "ed25519", "-out", pem)
	pub := openssl(t, "pkey", "-in", pem, "-outform", "DER", "-pubout")
	seed := openssl(t, "pkey", "-in", pem, "-outform", "DER")
	pub, seed = pub[len(pub)-32:], seed[len(seed)-32:]
	return pem, base64.StdEncoding.EncodeToString(pub), base64.StdEncoding.EncodeToString(append(bytes.Clone(seed), pub...))
}

func openssl(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := exec.Command(fixture.Tool(t, "openssl"), args...).Output()
	if err != nil {
		t.Fatalf("openssl %q: %v", args, err)
	}
	return out
}

func write(t testing.TB, name, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func verifier(t testing.TB, kind string, a sign.Allow, keys ...string) *sign.Verifier {
	t.Helper()
	v, err := sign.NewVerifier(kind, a)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if err := v.AddKey(k); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// openssl verifies what we sign, and the other way round.
func TestEd25519WithOpenSSL(t *testing.T) {
	pem, public, secret := opensslKey(t)
	_, other, _ := opensslKey(t)
	data := write(t, filepath.Join(t.TempDir(), "data"), "data")
	s, err := sign.NewSigner(sign.KindEd25519, secret)
	if err != nil {
		t.Fatal(err)
	}
	m, err := sign.Sign(nil, []byte("data"), s)
	if err != nil {
		t.Fatal(err)
	}
	ours := sign.Signatures(m, sign.KindEd25519)[0]
	openssl(t, "pkeyutl", "-verify", "-inkey", pem, "-rawin", "-in", data, "-sigfile", write(t, data+".sig", string(ours)))

	theirs := openssl(t, "pkeyutl", "-sign", "-inkey", pem, "-rawin", "-in", data)
	m = sign.WithSignatures(nil, sign.KindEd25519, [][]byte{make([]byte, 64), []byte("short"), theirs})
	if _, err := verifier(t, sign.KindEd25519, sign.Allow{}, other, public).Verify([]byte("data"), m); err != nil {
		t.Error(err)
	}
	var bad *sign.KindError
	if _, err := verifier(t, sign.KindEd25519, sign.Allow{}, other).Verify([]byte("data"), m); !errors.As(err, &bad) || len(bad.Tried) != 3 || bad.Signatures != 3 {
		t.Errorf("by another key: %v", err)
	}
	if _, err := verifier(t, sign.KindEd25519, sign.Allow{}, public).Verify([]byte("Data"), m); !errors.As(err, &bad) {
		t.Errorf("of other data: %v", err)
	}
	if _, err := verifier(t, sign.KindEd25519, sign.Allow{}, public).Verify([]byte("data"), nil); !errors.Is(err, sign.ErrNoSignatures) {
		t.Errorf("without signatures: %v", err)
	}
}

// The commit and the key come with the tests of libostree, which signed it.
func TestEd25519OfLibostree(t *testing.T) {
	archive := "/usr/libexec/installed-tests/libostree/pre-signed-pull-data.tar.gz"
	if _, err := os.Stat(archive); err != nil {
		fixture.Tool(t, "ostree-tests")
	}
	dir := t.TempDir()
	if err := exec.Command(fixture.Tool(t, "tar"), "-xzf", archive, "-C", dir).Run(); err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(dir, "repo/objects/c4/46da06d994d2e993fa508bd40eae1e392bdc101d02ac3783e0cf7633866b3c")
	commit, err := os.ReadFile(base + ".commit")
	if err != nil {
		t.Fatal(err)
	}
	detached, err := os.ReadFile(base + ".commitmeta")
	if err != nil {
		t.Fatal(err)
	}
	m, err := ostree.ParseMetadata(detached)
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, sign.KindEd25519, sign.Allow{}, "45yzbkuEok0lLabxzdAHWUDSMZgYfxU40sN+LMfYHVA=")
	if _, err := v.Verify(commit, m); err != nil {
		t.Error(err)
	}
	commit[40] ^= 1
	if _, err := v.Verify(commit, m); err == nil {
		t.Error("a commit that was changed is accepted")
	}
}

func TestSystemKeys(t *testing.T) {
	_, public, secret := opensslKey(t)
	_, other, _ := opensslKey(t)
	s, err := sign.NewSigner(sign.KindEd25519, secret)
	if err != nil {
		t.Fatal(err)
	}
	m, err := sign.Sign(nil, []byte("data"), s)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	check := func() error {
		_, err := verifier(t, sign.KindEd25519, sign.Allow{System: []string{filepath.Join(dir, "none"), dir}}).Verify([]byte("data"), m)
		return err
	}
	if err := check(); !errors.Is(err, sign.ErrNoKeys) {
		t.Errorf("without keys: %v", err)
	}
	write(t, filepath.Join(dir, "trusted.ed25519.d", "other"), other+"\n")
	write(t, filepath.Join(dir, "trusted.ed25519.d", "empty"), "")
	var bad *sign.KindError
	if err := check(); !errors.As(err, &bad) {
		t.Errorf("with another key: %v", err)
	}
	write(t, filepath.Join(dir, "trusted.ed25519"), "\nno key\n"+public+"\n")
	if err := check(); err != nil {
		t.Errorf("with the key: %v", err)
	}
	write(t, filepath.Join(dir, "revoked.ed25519"), public+"\n")
	if err := check(); !errors.As(err, &bad) {
		t.Errorf("revoked: %v", err)
	}
}

func TestSecretKeys(t *testing.T) {
	_, public, secret := opensslKey(t)
	_, _, other := opensslKey(t)
	a, _ := base64.StdEncoding.DecodeString(secret)
	b, _ := base64.StdEncoding.DecodeString(other)
	mixed := base64.StdEncoding.EncodeToString(append(a[:ed25519.SeedSize:ed25519.SeedSize], b[ed25519.SeedSize:]...))
	for _, text := range []string{"", "no base64!", public, mixed} {
		if _, err := sign.NewSigner(sign.KindEd25519, text); !errors.Is(err, sign.ErrBadKey) {
			t.Errorf("NewSigner(%q) = %v", text, err)
		}
	}
	if _, err := sign.NewSigner("nosuch", secret); !errors.Is(err, sign.ErrUnknownKind) {
		t.Errorf("NewSigner = %v", err)
	}
	list, err := sign.ReadSigners(sign.KindEd25519, write(t, filepath.Join(t.TempDir(), "keys"), secret+"\n\n"+other+"\n"))
	if err != nil || len(list) != 2 {
		t.Errorf("ReadSigners = %v, %v", list, err)
	}
	if _, err := sign.ReadSigners(sign.KindEd25519, t.TempDir()); err == nil {
		t.Error("a folder is no file of keys")
	}
}

func TestDummy(t *testing.T) {
	if _, err := sign.NewVerifier(sign.KindDummy, sign.Allow{}); !errors.Is(err, sign.ErrUnknownKind) {
		t.Errorf("dummy that is not allowed: %v", err)
	}
	m := sign.WithSignatures(nil, sign.KindDummy, [][]byte{{}, []byte("key")})
	if _, err := verifier(t, sign.KindDummy, sign.Allow{Dummy: true}, "key").Verify(nil, m); err != nil {
		t.Error(err)
	}
	if _, err := verifier(t, sign.KindDummy, sign.Allow{Dummy: true}).Verify(nil, m); err == nil {
		t.Error("no key accepts an empty signature")
	}
}
