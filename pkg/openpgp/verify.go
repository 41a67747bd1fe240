package openpgp

import (
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A Signature is what is known about a detached signature. A time that there is none
// of is zero.
type Signature struct {
	Fingerprint string // of the key that made it; its ID when only that is told
	Algorithm   string // of the key, as GnuPG calls it: "RSA"

	Created, Expires time.Time

	Valid      bool // made by a key of the keyring that was good and is
	Missing    bool // the keyring has no such key
	Expired    bool // the signature is past its time
	KeyExpired bool // the key or its first key is
	Revoked    bool // the key or its first key is

	Key     *Key // that made it; nil when Missing
	Primary *Key // whose subkey Key is, or Key
}

// MaxSignatures is how many signatures of one piece of data are looked at.
const MaxSignatures = 256

// Verify judges detached signatures, binary or in armor, one or several behind one
// another, in their order. That one of them is not valid is no error; one that cannot
// be read is, and wraps [ErrMalformed].
func (k *Keyring) Verify(data, sigs []byte, now time.Time) ([]Signature, error) {
	if len(sigs) > MaxKeyring {
		return nil, fmt.Errorf("signatures of %d bytes, at most %d are allowed: %w", len(sigs), MaxKeyring, ErrMalformed)
	}
	sigs, err := dearmor(sigs)
	if err != nil {
		return nil, err
	}
	packets, err := split(sigs)
	if err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	if len(packets) > MaxSignatures {
		return nil, fmt.Errorf("%d signatures, at most %d are allowed: %w", len(packets), MaxSignatures, ErrMalformed)
	}
	var out []Signature
	for i, p := range packets {
		parsed, err := p.Parse()
		if err != nil {
			return nil, fmt.Errorf("signature %d: %v: %w", i, err, ErrMalformed)
		}
		s, ok := parsed.(*packet.Signature)
		if !ok {
			return nil, fmt.Errorf("signature %d: packet of type %T: %w", i, parsed, ErrMalformed)
		}
		out = append(out, k.verify(data, s, now))
	}
	return out, nil
}

func (k *Keyring) verify(data []byte, s *packet.Signature, now time.Time) Signature {
	out := Signature{Algorithm: algorithm(s.PubKeyAlgo), Created: s.CreationTime, Missing: true}
	if s.SigLifetimeSecs != nil && *s.SigLifetimeSecs != 0 {
		out.Expires = s.CreationTime.Add(time.Duration(*s.SigLifetimeSecs) * time.Second)
		out.Expired = !now.Before(out.Expires)
	}
	switch {
	case len(s.IssuerFingerprint) > 0:
		out.Fingerprint = strings.ToUpper(fmt.Sprintf("%x", s.IssuerFingerprint))
	case s.IssuerKeyId != nil:
		out.Fingerprint = fmt.Sprintf("%016X", *s.IssuerKeyId)
	}
	for _, primary := range k.keys {
		for _, key := range append([]*Key{primary}, primary.Subkeys...) {
			if s.CheckKeyIdOrFingerprint(key.public) {
				out.judge(data, s, primary, key, now)
				if out.Valid {
					return out
				}
			}
		}
	}
	return out
}

// judge judges a signature by the key that made it.
func (out *Signature) judge(data []byte, s *packet.Signature, primary, key *Key, now time.Time) {
	out.Missing, out.Key, out.Primary, out.Fingerprint = false, key, primary, key.Fingerprint
	out.Revoked = primary.Revoked || key.Revoked
	out.KeyExpired = primary.Expired(now) || key.Expired(now)
	h, err := s.PrepareVerify()
	if err != nil || s.SigType != packet.SigTypeBinary || weak(s) {
		return
	}
	h.Write(data)
	good := key.public.VerifySignature(h, s) == nil && key.signs && !s.CreationTime.Before(key.Created)
	out.Valid = good && !out.Revoked && !out.KeyExpired && !out.Expired
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
	}
	return "[unknown name]"
}
