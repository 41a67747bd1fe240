package openpgp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A Verifier judges detached signatures of data that is written to it, which need not
// be in memory as a whole.
type Verifier struct {
	sigs  []Signature
	facts []verifying
}

// verifying is a signature on the way; packet is nil for one that is not supported.
type verifying struct {
	packet     *packet.Signature
	candidates []candidate
}

// NewVerifier reads signatures as [Keyring.Verify] does. One of a kind that is not
// known is no error here: its Signature says so.
func (k *Keyring) NewVerifier(sigs []byte) (*Verifier, error) {
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
	v := &Verifier{}
	for i, p := range packets {
		if p.Tag != tagSignature {
			return nil, fmt.Errorf("signature %d: packet with tag %d: %w", i, p.Tag, ErrMalformed)
		}
		if err := v.add(k, p); err != nil {
			return nil, fmt.Errorf("signature %d: %w", i, err)
		}
	}
	return v, nil
}

// add begins with one signature.
func (v *Verifier) add(k *Keyring, p *packet.OpaquePacket) error {
	s, err := parseSignature(p)
	if err != nil {
		return err
	}
	if s.packet == nil {
		v.sigs, v.facts = append(v.sigs, s.Signature), append(v.facts, verifying{})
		return nil
	}
	fact := verifying{packet: s.packet}
	for _, primary := range k.keys {
		for _, key := range append([]*Key{primary}, primary.Subkeys...) {
			if !s.packet.CheckKeyIdOrFingerprint(key.public) {
				continue
			}
			c := candidate{primary: primary, key: key}
			if h, err := s.packet.PrepareVerify(); err == nil && s.packet.SigType == packet.SigTypeBinary && !weak(s.packet) {
				c.hash = h
			}
			fact.candidates = append(fact.candidates, c)
		}
	}
	v.sigs, v.facts = append(v.sigs, s.Signature), append(v.facts, fact)
	return nil
}

// Write takes data that was signed.
func (v *Verifier) Write(b []byte) (int, error) {
	for _, f := range v.facts {
		for _, c := range f.candidates {
			if c.hash != nil {
				c.hash.Write(b)
			}
		}
	}
	return len(b), nil
}

// Signatures are what is known of the signatures before the data was: by whom they
// are and how.
func (v *Verifier) Signatures() []Signature { return v.sigs }

// Judge returns the judgement, once. When now is zero, each signature is judged as of
// the time when it was made: whether keys were good then.
func (v *Verifier) Judge(now time.Time) []Signature {
	for i := range v.sigs {
		s, p := &v.sigs[i], v.facts[i].packet
		if p == nil {
			continue
		}
		at := now
		if at.IsZero() {
			at = s.Created
		}
		if p.SigLifetimeSecs != nil && *p.SigLifetimeSecs != 0 {
			s.Expires = s.Created.Add(time.Duration(*p.SigLifetimeSecs) * time.Second)
			s.Expired = !at.Before(s.Expires)
		}
		for _, c := range v.facts[i].candidates {
			s.judge(p, c, at)
			if s.Valid {
				break
			}
		}
	}
	return v.sigs
}

// parsedSignature has no packet when it is not supported.
type parsedSignature struct {
	Signature
	packet *packet.Signature
}

// parseSignature reads the packet of a signature, also of version 3.
func parseSignature(p *packet.OpaquePacket) (parsedSignature, error) {
	body := p.Contents
	if len(body) < 4 {
		return parsedSignature{}, fmt.Errorf("packet of %d bytes: %w", len(body), ErrMalformed)
	}
	out := parsedSignature{Signature: Signature{Version: int(body[0]), Missing: true}}
	var suffix []byte
	if out.Version == 3 {
		var err error
		if p, suffix, err = upgrade(body); err != nil {
			return out, err
		}
		body = p.Contents
	}
	out.Algorithm, out.Hash = algorithm(packet.PublicKeyAlgorithm(body[2])), hashNames[body[3]]
	parsed, err := p.Parse()
	if err != nil {
		var unsupported pgperrors.UnsupportedError
		if !errors.As(err, &unsupported) {
			return out, fmt.Errorf("%v: %w", err, ErrMalformed)
		}
		out.Unsupported = string(unsupported)
		return out, nil
	}
	s, ok := parsed.(*packet.Signature)
	if !ok {
		return out, fmt.Errorf("packet of type %T: %w", parsed, ErrMalformed)
	}
	if suffix != nil {
		s.HashSuffix = suffix
	}
	out.packet, out.Created, out.Fingerprint = s, s.CreationTime, issuer(s)
	return out, nil
}

// hashNames are OpenPGP's numbers.
var hashNames = map[byte]string{1: "MD5", 2: "SHA1", 3: "RIPEMD160", 8: "SHA256", 9: "SHA384", 10: "SHA512", 11: "SHA224", 12: "SHA3-256", 14: "SHA3-512"}

// upgrade turns a signature of version 3, which old packages have, into one of version
// 4, and returns what stands in place of its trailer in what is hashed. Version 3 is
//
//	3, 5, kind, time (4 bytes), key ID (8), algorithm, hash, 2 bytes of the hash, numbers
//
// and kind and time are hashed behind the data.
func upgrade(body []byte) (p *packet.OpaquePacket, suffix []byte, err error) {
	const fixed, hashed = 19, 5
	if len(body) < fixed || body[1] != hashed {
		return nil, nil, fmt.Errorf("version 3 of %d bytes: %w", len(body), ErrMalformed)
	}
	kind, created, keyID, rest := body[2], body[3:7], body[7:15], body[15:]
	const subCreated, subIssuer = 2, 16
	out := []byte{4, kind, rest[0], rest[1]}
	out = binary.BigEndian.AppendUint16(out, 6)
	out = append(append(out, 5, subCreated), created...)
	out = binary.BigEndian.AppendUint16(out, 10)
	out = append(append(out, 9, subIssuer), keyID...)
	return &packet.OpaquePacket{Tag: tagSignature, Contents: append(out, rest[2:]...)}, append([]byte{kind}, created...), nil
}
