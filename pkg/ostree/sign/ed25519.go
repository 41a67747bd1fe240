package sign

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// secretSigner signs with an ed25519 key.
type secretSigner ed25519.PrivateKey

// NewSigner makes a signer of a kind that has a secret key: of [KindEd25519] 64 bytes
// in base64, of [KindDummy] any text. Errors are a [*KeyError] or wrap
// [ErrUnknownKind]. The text of the key is not in them.
func NewSigner(kind, secret string) (Signer, error) {
	switch kind {
	case KindDummy:
		return dummySigner(secret), nil
	case KindEd25519:
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(secret))
		if err != nil || len(b) != ed25519.PrivateKeySize {
			return nil, &KeyError{Kind: kind, Err: fmt.Errorf("want %d bytes in base64: %w", ed25519.PrivateKeySize, ErrBadKey)}
		}
		key := ed25519.NewKeyFromSeed(b[:ed25519.SeedSize])
		if !bytes.Equal(key, b) {
			return nil, &KeyError{Kind: kind, Err: fmt.Errorf("the public half is of another key: %w", ErrBadKey)}
		}
		return secretSigner(key), nil
	}
	return nil, fmt.Errorf("%q: %w", kind, ErrUnknownKind)
}

// ReadSigners makes a signer of each secret key of a file, one a line.
func ReadSigners(kind, file string) ([]Signer, error) {
	lines, err := readLines(file)
	if err != nil {
		return nil, &KeyError{Kind: kind, From: file, Err: err}
	}
	if len(lines) == 0 {
		return nil, &KeyError{Kind: kind, From: file, Err: ErrNoKeys}
	}
	var out []Signer
	for _, line := range lines {
		s, err := NewSigner(kind, line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// Kind implements [Signer].
func (secretSigner) Kind() string { return KindEd25519 }

// Sign implements [Signer].
func (s secretSigner) Sign(data []byte) ([]byte, error) {
	return ed25519.Sign(ed25519.PrivateKey(s), data), nil
}

// ed25519Verifier judges by a set of keys; by those of the system when it has none.
type ed25519Verifier struct {
	keySet
	system []string // folders
}

func (*ed25519Verifier) kind() string { return KindEd25519 }

func (v *ed25519Verifier) addKey(text string) error {
	key, err := parseEd25519(text)
	if err != nil {
		return &KeyError{Kind: KindEd25519, Err: err}
	}
	v.trusted = append(v.trusted, key)
	return nil
}

func (v *ed25519Verifier) addFile(name string) error {
	keys, err := readKeys(name)
	v.trusted = append(v.trusted, keys...)
	return err
}

// addSystem adds the keys of the system.
func (v *ed25519Verifier) addSystem() error {
	for _, dir := range v.system {
		if err := v.addFolder(dir); err != nil {
			return err
		}
	}
	if len(v.trusted) == 0 {
		return &KeyError{Kind: KindEd25519, Err: ErrNoKeys}
	}
	return nil
}

func (v *ed25519Verifier) verify(data []byte, sigs [][]byte) (string, error) {
	if len(sigs) == 0 {
		return "", &KindError{Kind: KindEd25519}
	}
	if len(v.trusted) == 0 {
		if err := v.addSystem(); err != nil {
			return "", err
		}
	}
	bad := &KindError{Kind: KindEd25519, Signatures: len(sigs)}
	for _, sig := range sigs {
		for _, key := range v.trusted {
			if contains(v.revoked, key) {
				continue
			}
			name := hex.EncodeToString(key)
			if ed25519.Verify(key, data, sig) {
				return name, nil
			}
			bad.Tried = append(bad.Tried, name)
		}
	}
	return "", bad
}
