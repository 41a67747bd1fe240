package sign

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/ostree"
)

// A Home is a folder of GnuPG with its keys.
type Home struct {
	dir  string
	keys *openpgp.Keyring
}

// OpenHome reads the keys of a folder of GnuPG, pubring.kbx and pubring.gpg, and the
// secrets in secring.gpg and private-keys-v1.d that need no passphrase. What is not
// there has no keys.
func OpenHome(dir string) (*Home, error) {
	h := &Home{dir: dir, keys: &openpgp.Keyring{}}
	for _, name := range []string{"pubring.kbx", "pubring.gpg", "secring.gpg"} {
		if err := addOptional(h.keys, filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return h, h.addSecrets()
}

func (h *Home) addSecrets() error {
	dir := filepath.Join(h.dir, "private-keys-v1.d")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &KeyError{Kind: KindGPG, From: dir, Err: err}
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".key" {
			continue
		}
		name := filepath.Join(dir, e.Name())
		b, err := readLimited(name, openpgp.MaxSecret)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return &KeyError{Kind: KindGPG, From: name, Err: err}
		}
		// A secret that cannot be read is missed when something is to be signed by it.
		_ = h.keys.AddSecret(b)
	}
	return nil
}

// Keys are the keys of the folder.
func (h *Home) Keys() *openpgp.Keyring { return h.keys }

// CheckKeyID tells whether a name is the ID or the fingerprint of a GPG key.
func CheckKeyID(name string) error {
	digits := strings.TrimPrefix(name, "0x")
	if len(digits) < 8 || strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
		return &KeyError{Kind: KindGPG, Key: name, Err: ErrNoKeyID}
	}
	return nil
}

// Signer makes a signer by the key with an ID or a fingerprint. A key whose secret is
// behind a passphrase or on a card is used through the program gpg. The error is a
// [*KeyError].
func (h *Home) Signer(id string, now time.Time) (Signer, error) {
	if err := CheckKeyID(id); err != nil {
		return nil, err
	}
	if _, err := h.keys.Find(id); err != nil {
		return nil, &KeyError{Kind: KindGPG, Key: id, From: h.dir, Err: err}
	}
	return &gpgSigner{home: h, id: id, now: now}, nil
}

type gpgSigner struct {
	home *Home
	id   string
	now  time.Time
}

// Kind implements [Signer].
func (*gpgSigner) Kind() string { return KindGPG }

// Sign implements [Signer].
func (s *gpgSigner) Sign(data []byte) ([]byte, error) {
	sig, err := s.home.keys.Sign(data, s.id, s.now)
	if errors.Is(err, openpgp.ErrLocked) {
		sig, err = s.byProgram(data)
	}
	if err != nil {
		return nil, &KeyError{Kind: KindGPG, Key: s.id, From: s.home.dir, Err: err}
	}
	return sig, nil
}

// byProgram has gpg sign, which may ask for a passphrase.
func (s *gpgSigner) byProgram(data []byte) ([]byte, error) {
	gpg, err := exec.LookPath("gpg")
	if err != nil {
		return nil, fmt.Errorf("%w, and there is no program gpg to ask for it", openpgp.ErrLocked)
	}
	var out, stderr bytes.Buffer
	cmd := exec.Command(gpg, "--homedir", s.home.dir, "--batch", "--no-tty", "--local-user", s.id, "--output", "-", "--detach-sign")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(data), &out, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("gpg: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return out.Bytes(), nil
}

// HasSigned tells whether metadata has a signature by the key that has an ID.
func (h *Home) HasSigned(id string, m ostree.Metadata) bool {
	_, n := h.RemoveSignatures(m, []string{id})
	return n > 0
}

// RemoveSignatures is metadata without the GPG signatures by keys that have these IDs,
// and how many these were. A key need not be in the folder; if it is, the signatures
// of its subkeys go as well.
func (h *Home) RemoveSignatures(m ostree.Metadata, ids []string) (ostree.Metadata, int) {
	all := Signatures(m, KindGPG)
	keep := slices.DeleteFunc(slices.Clone(all), func(sig []byte) bool {
		return slices.ContainsFunc(ids, func(id string) bool { return h.isBy(id, sig) })
	})
	return WithSignatures(m, KindGPG, keep), len(all) - len(keep)
}

// isBy tells whether a signature names the key that has an ID, or a subkey of it.
func (h *Home) isBy(id string, sig []byte) bool {
	prints := []string{strings.ToUpper(strings.TrimPrefix(id, "0x"))}
	if key, err := h.keys.Find(id); err == nil && strings.HasSuffix(key.Fingerprint, prints[0]) {
		prints[0] = key.Fingerprint
		for _, sub := range key.Subkeys {
			prints = append(prints, sub.Fingerprint)
		}
	}
	list, err := h.keys.Verify(nil, sig, time.Time{})
	if err != nil {
		return false
	}
	for _, s := range list {
		for _, p := range prints {
			// What a signature tells, and what a user does, may be the end of a fingerprint.
			if len(p) >= 8 && len(s.Fingerprint) >= 8 && (strings.HasSuffix(s.Fingerprint, p) || strings.HasSuffix(p, s.Fingerprint)) {
				return true
			}
		}
	}
	return false
}
