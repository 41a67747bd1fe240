package openpgp

import (
	"fmt"
	"hash"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A Signature is what is known about a detached signature. A time that there is none
// of is zero.
type Signature struct {
	Fingerprint string // of the key that made it; its ID when only that is told
	Algorithm   string // of the key, as GnuPG calls it: "RSA"
	Hash        string // of the data: "SHA256"
	Version     int    // of the packet: 3, 4 or 6

	Created, Expires time.Time

	Valid      bool // made by a key of the keyring that was good and is
	Missing    bool // the keyring has no such key
	Bad        bool // not made by that key, not of this data, or by a key that may not sign
	Expired    bool // the signature is past its time
	KeyExpired bool // the key or its first key is
	Revoked    bool // the key or its first key is

	Key     *Key // that made it; nil when Missing
	Primary *Key // whose subkey Key is, or Key

	// Unsupported says why a signature could not be judged, in words; empty when it
	// was. Only a [Verifier] has such ones.
	Unsupported string
}

// KeyID names the key that made the signature, in 16 hexadecimal digits; empty when
// the signature does not tell.
func (s *Signature) KeyID() string {
	const v6 = 64 // digits of a fingerprint that begins with the ID
	switch n := len(s.Fingerprint); {
	case n < 16:
		return ""
	case n == v6:
		return s.Fingerprint[:16]
	default:
		return s.Fingerprint[n-16:]
	}
}

// MaxSignatures is how many signatures of one piece of data are looked at.
const MaxSignatures = 256

// Verify judges detached signatures, binary or in armor, one or several behind one
// another, in their order. That one of them is not valid is no error; one that cannot
// be read is, and wraps [ErrMalformed].
func (k *Keyring) Verify(data, sigs []byte, now time.Time) ([]Signature, error) {
	v, err := k.NewVerifier(sigs)
	if err != nil {
		return nil, err
	}
	for i, s := range v.sigs {
		if s.Unsupported != "" {
			return nil, fmt.Errorf("signature %d: %s: %w", i, s.Unsupported, ErrMalformed)
		}
	}
	if _, err := v.Write(data); err != nil {
		return nil, err
	}
	return v.Judge(now), nil
}

// candidate is a key that a signature may be by, with the hash of the data.
type candidate struct {
	primary, key *Key
	hash         hash.Hash // nil: not one that counts
}

// judge judges a signature by the key that made it.
func (out *Signature) judge(s *packet.Signature, c candidate, now time.Time) {
	out.Missing, out.Key, out.Primary, out.Fingerprint = false, c.key, c.primary, c.key.Fingerprint
	out.Revoked = c.primary.Revoked || c.key.Revoked
	out.KeyExpired = c.primary.Expired(now) || c.key.Expired(now)
	out.Bad = c.hash == nil || !c.key.signs || s.CreationTime.Before(c.key.Created) || c.key.public.VerifySignature(c.hash, s) != nil
	out.Valid = !out.Bad && !out.Revoked && !out.KeyExpired && !out.Expired
}

// issuer is the fingerprint, or the ID, of the key that a signature names.
func issuer(s *packet.Signature) string {
	switch {
	case len(s.IssuerFingerprint) > 0:
		return strings.ToUpper(fmt.Sprintf("%x", s.IssuerFingerprint))
	case s.IssuerKeyId != nil:
		return fmt.Sprintf("%016X", *s.IssuerKeyId)
	}
	return ""
}

// weak tells whether a hash is one that signatures can be forged with.
func weak(s *packet.Signature) bool { return s.Hash.Size() < 20 }

// algorithm is the name that GPGME prints.
func algorithm(a packet.PublicKeyAlgorithm) string {
	switch a {
	case packet.PubKeyAlgoRSA:
		return "RSA"
	case packet.PubKeyAlgoRSAEncryptOnly:
		return "RSA-E"
	case packet.PubKeyAlgoRSASignOnly:
		return "RSA-S"
	case packet.PubKeyAlgoElGamal:
		return "ELG-E"
	case packet.PubKeyAlgoDSA:
		return "DSA"
	case packet.PubKeyAlgoECDSA:
		return "ECDSA"
	case packet.PubKeyAlgoECDH:
		return "ECDH"
	case packet.PubKeyAlgoEdDSA, packet.PubKeyAlgoEd25519, packet.PubKeyAlgoEd448:
		return "EdDSA"
	case packet.PubKeyAlgoMldsa65Ed25519: // these have no name in GPGME yet
		return "ML-DSA-65+Ed25519"
	case packet.PubKeyAlgoMldsa87Ed448:
		return "ML-DSA-87+Ed448"
	}
	return "[unknown name]"
}
