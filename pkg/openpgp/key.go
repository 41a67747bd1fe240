package openpgp

import (
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A Key is a key or a subkey. Without a time a Time is zero.
type Key struct {
	Fingerprint string // upper-case hexadecimal digits
	Created     time.Time
	Expires     time.Time
	Revoked     bool

	UserIDs []UserID // those that the key signed, the main one first
	Subkeys []*Key   // those that the key signed

	signs   bool // may sign
	public  *packet.PublicKey
	private *packet.PrivateKey
}

// A UserID is whom a key is for: as a rule "Name <name@example.com>".
type UserID struct {
	Text    string
	Revoked bool
}

// Name is what stands before the address, without a remark: of "Name (remark) <a@b>"
// it is "Name".
func (u UserID) Name() string {
	if i := strings.IndexAny(u.Text, "<("); i >= 0 {
		return strings.TrimSpace(u.Text[:i])
	}
	if u.Email() != "" {
		return ""
	}
	return u.Text
}

// Email is the address.
func (u UserID) Email() string {
	_, rest, ok := strings.Cut(u.Text, "<")
	if addr, _, closed := strings.Cut(rest, ">"); ok && closed {
		return addr
	}
	if !ok && strings.Count(u.Text, "@") == 1 && !strings.ContainsAny(u.Text, " ()") {
		return u.Text
	}
	return ""
}

// ID is the end of the fingerprint that names the key, 16 digits.
func (k *Key) ID() string { return fmt.Sprintf("%016X", k.public.KeyId) }

// Expired tells whether a key is past its time.
func (k *Key) Expired(now time.Time) bool { return !k.Expires.IsZero() && !now.Before(k.Expires) }

// is tells whether a name means this key.
func (k *Key) is(id string) bool {
	if len(id) > 16 {
		return id == k.Fingerprint
	}
	return len(id) >= 8 && strings.HasSuffix(k.ID(), id)
}

// Find finds the key that has a name, or a subkey of which has it. A name is the ID, 8
// or 16 digits, the fingerprint, with or without 0x; or a part of a user ID.
func (k *Keyring) Find(name string) (*Key, error) {
	key, _ := k.find(name)
	if key == nil {
		return nil, fmt.Errorf("key %q: %w", name, ErrNotFound)
	}
	return key, nil
}

// find finds a key, and the key or subkey of it that is meant, which is nil when that
// is left open.
func (k *Keyring) find(name string) (key, exact *Key) {
	id := strings.TrimSuffix(strings.ToUpper(strings.ReplaceAll(name, " ", "")), "!")
	id = strings.TrimPrefix(id, "0X")
	for _, key := range k.keys {
		if key.is(id) {
			return key, nil
		}
		for _, sub := range key.Subkeys {
			if sub.is(id) {
				return key, sub
			}
		}
	}
	text := strings.ToLower(name)
	for _, key := range k.keys {
		for _, u := range key.UserIDs {
			if text != "" && strings.Contains(strings.ToLower(u.Text), text) {
				return key, nil
			}
		}
	}
	return nil, nil
}

func parsePublic(p *packet.OpaquePacket) (*packet.PublicKey, error) {
	parsed, err := p.Parse()
	if err != nil {
		return nil, err
	}
	switch k := parsed.(type) {
	case *packet.PublicKey:
		return k, nil
	case *packet.PrivateKey:
		return &k.PublicKey, nil
	}
	return nil, fmt.Errorf("packet of type %T is no key: %w", parsed, ErrMalformed)
}

// newKey reads the key of a part.
func newKey(p *part) (*Key, error) {
	parsed, err := p.Parse()
	if err != nil {
		return nil, err
	}
	k := &Key{}
	switch x := parsed.(type) {
	case *packet.PublicKey:
		k.public = x
	case *packet.PrivateKey:
		k.public, k.private = &x.PublicKey, x
	default:
		return nil, fmt.Errorf("packet of type %T is no key: %w", parsed, ErrMalformed)
	}
	k.Created = k.public.CreationTime
	k.Fingerprint = strings.ToUpper(fmt.Sprintf("%x", k.public.Fingerprint))
	return k, nil
}

// parseKey reads a key and judges the signatures over its parts.
func parseKey(b *block) (*Key, error) {
	k, err := newKey(b.parts[0])
	if err != nil {
		return nil, err
	}
	own := k.public
	k.signs = own.PubKeyAlgo.CanSign()
	var latest time.Time // of the signature that tells when the key expires
	see := func(s *packet.Signature) {
		if !s.CreationTime.Before(latest) {
			latest = s.CreationTime
			k.Expires = expiry(own, s)
			if s.FlagsValid {
				k.signs = s.FlagSign && own.PubKeyAlgo.CanSign()
			}
		}
	}
	for _, s := range b.parts[0].signatures() {
		switch {
		case s.SigType == packet.SigTypeKeyRevocation && own.VerifyRevocationSignature(s) == nil:
			k.Revoked = true
		case s.SigType == packet.SigTypeDirectSignature && own.VerifyDirectKeySignature(s) == nil:
			see(s)
		}
	}
	for _, p := range b.parts[1:] {
		if p.Tag == tagUserID {
			k.addUserID(p, see)
		} else {
			k.addSubkey(p)
		}
	}
	return k, nil
}

func (p *part) signatures() []*packet.Signature {
	var out []*packet.Signature
	for _, s := range p.sigs {
		parsed, err := s.Parse()
		if sig, ok := parsed.(*packet.Signature); ok && err == nil {
			out = append(out, sig)
		}
	}
	return out
}

func expiry(k *packet.PublicKey, s *packet.Signature) time.Time {
	if s.KeyLifetimeSecs == nil || *s.KeyLifetimeSecs == 0 {
		return time.Time{}
	}
	return k.CreationTime.Add(time.Duration(*s.KeyLifetimeSecs) * time.Second)
}

// addUserID adds a user ID that the key has signed.
func (k *Key) addUserID(p *part, see func(*packet.Signature)) {
	u := UserID{Text: string(p.Contents)}
	var last *packet.Signature
	for _, s := range p.signatures() {
		mine := s.CheckKeyIdOrFingerprint(k.public) && k.public.VerifyUserIdSignature(u.Text, k.public, s) == nil
		if mine && (last == nil || !s.CreationTime.Before(last.CreationTime)) {
			last = s
		}
	}
	if last == nil {
		return
	}
	u.Revoked = last.SigType == packet.SigTypeCertificationRevocation
	if !u.Revoked {
		see(last)
	}
	if last.IsPrimaryId != nil && *last.IsPrimaryId {
		k.UserIDs = append([]UserID{u}, k.UserIDs...)
		return
	}
	k.UserIDs = append(k.UserIDs, u)
}

// addSubkey adds a subkey that the key has signed.
func (k *Key) addSubkey(p *part) {
	sub, err := newKey(p)
	if err != nil {
		return // of a kind that is not known
	}
	var last *packet.Signature
	for _, s := range p.signatures() {
		switch {
		case s.SigType == packet.SigTypeSubkeyRevocation && k.public.VerifySubkeyRevocationSignature(s, sub.public) == nil:
			sub.Revoked = true
		case s.SigType == packet.SigTypeSubkeyBinding && k.public.VerifyKeySignature(sub.public, s) == nil:
			if last == nil || !s.CreationTime.Before(last.CreationTime) {
				last = s
			}
		}
	}
	if last == nil {
		return
	}
	sub.Expires = expiry(sub.public, last)
	// VerifyKeySignature has looked at the signature in turn of one that signs.
	sub.signs = last.FlagsValid && last.FlagSign && last.EmbeddedSignature != nil && sub.public.PubKeyAlgo.CanSign()
	k.Subkeys = append(k.Subkeys, sub)
}
