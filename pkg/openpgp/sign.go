package openpgp

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// ErrLocked is wrapped by errors about a secret that there is no way to: it is not in
// the keyring, behind a passphrase, or on a card.
var ErrLocked = errors.New("secret key is not available")

// Sign makes a detached binary signature by the key that has a name; see
// [Keyring.Find]. Of a key with subkeys the newest one that may sign and is good does,
// unless the name is that of another subkey. A time before the key's own is taken for
// that: nobody would accept the signature.
//
// Errors wrap [ErrNotFound] or [ErrLocked], or say why the key may not sign.
func (k *Keyring) Sign(data []byte, name string, now time.Time) ([]byte, error) {
	key, exact := k.find(name)
	if key == nil {
		return nil, fmt.Errorf("key %q: %w", name, ErrNotFound)
	}
	by := key.signer(exact, now)
	if by == nil {
		return nil, fmt.Errorf("key %s: revoked, expired, or not for signing", key.ID())
	}
	if by.private == nil || by.private.Encrypted || by.private.Dummy() {
		return nil, fmt.Errorf("key %s: %w", by.ID(), ErrLocked)
	}
	if now.Before(by.Created) {
		now = by.Created
	}
	s := &packet.Signature{
		Version:           by.public.Version,
		SigType:           packet.SigTypeBinary,
		PubKeyAlgo:        by.public.PubKeyAlgo,
		Hash:              crypto.SHA512,
		CreationTime:      now,
		IssuerKeyId:       &by.public.KeyId,
		IssuerFingerprint: by.public.Fingerprint,
	}
	h, err := s.PrepareSign(nil)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", by.ID(), err)
	}
	h.Write(data)
	if err := s.Sign(h, by.private, nil); err != nil {
		return nil, fmt.Errorf("key %s: %w", by.ID(), err)
	}
	var out bytes.Buffer
	if err := s.Serialize(&out); err != nil {
		return nil, fmt.Errorf("key %s: %w", by.ID(), err)
	}
	return out.Bytes(), nil
}

// signer is the key or subkey that signs, or nil.
func (k *Key) signer(exact *Key, now time.Time) *Key {
	good := func(x *Key) bool { return x.signs && !x.Revoked && !x.Expired(now) }
	switch {
	case k.Revoked || k.Expired(now):
		return nil
	case exact != nil && good(exact):
		return exact
	case exact != nil:
		return nil
	}
	var best *Key
	for _, sub := range k.Subkeys {
		if good(sub) && (best == nil || sub.Created.After(best.Created)) {
			best = sub
		}
	}
	if best == nil && good(k) {
		best = k
	}
	return best
}
