package openpgp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// ErrMalformed is wrapped by errors about bytes that are no OpenPGP data.
var ErrMalformed = errors.New("malformed OpenPGP data")

// ErrNotFound is wrapped by errors about a key that a keyring does not have.
var ErrNotFound = errors.New("no such key")

// MaxKeyring is the size of the largest keyring that is read, in bytes.
const MaxKeyring = 16 << 20

// Tags of packets that matter in keyrings.
const (
	tagSignature = 2
	tagSecret    = 5
	tagPublic    = 6
	tagSecretSub = 7
	tagUserID    = 13
	tagPublicSub = 14
)

// A part is a packet with the signatures over it.
type part struct {
	*packet.OpaquePacket
	sigs []*packet.OpaquePacket
}

// A block is a key as it stands in a keyring; the first part is the key itself.
type block struct{ parts []*part }

// A Keyring is a set of keys. The zero value is empty.
type Keyring struct {
	keys   []*Key
	blocks []*block // of the keys
}

// Read reads a keyring of at most MaxKeyring bytes. Keys of kinds that are not known
// are left out. Every error wraps [ErrMalformed].
func Read(b []byte) (*Keyring, error) {
	if len(b) > MaxKeyring {
		return nil, fmt.Errorf("keyring of %d bytes, at most %d are allowed: %w", len(b), MaxKeyring, ErrMalformed)
	}
	b, err := dearmor(b)
	if err != nil {
		return nil, err
	}
	k := &Keyring{}
	if err := k.addPackets(b); err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return k, nil
}

// addPackets adds keys in binary form.
func (k *Keyring) addPackets(b []byte) error {
	packets, err := split(b)
	if err != nil {
		return err
	}
	for _, one := range group(packets) {
		k.add(one)
	}
	return nil
}

// dearmor undoes the armor of data that has some.
func dearmor(b []byte) ([]byte, error) {
	if len(b) == 0 || b[0]&0x80 != 0 {
		return b, nil
	}
	var out bytes.Buffer
	for r := bufio.NewReader(bytes.NewReader(b)); ; { // which Decode takes as it is: what it reads ahead stays
		one, err := armor.Decode(r)
		if errors.Is(err, io.EOF) && out.Len() > 0 {
			return out.Bytes(), nil
		}
		if err != nil {
			return nil, fmt.Errorf("armor: %v: %w", err, ErrMalformed)
		}
		if _, err := io.Copy(&out, one.Body); err != nil {
			return nil, fmt.Errorf("armor: %v: %w", err, ErrMalformed)
		}
	}
}

// split takes packets apart.
func split(b []byte) ([]*packet.OpaquePacket, error) {
	var out []*packet.OpaquePacket
	for r := packet.NewOpaqueReader(bytes.NewReader(b)); ; {
		p, err := r.Next()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("packet %d: %v: %w", len(out), err, ErrMalformed)
		}
		out = append(out, p)
	}
}

// group puts the packets of each key together.
func group(packets []*packet.OpaquePacket) []*block {
	var out []*block
	var at *part // that signatures belong to
	for _, p := range packets {
		switch p.Tag {
		case tagPublic, tagSecret:
			at = &part{OpaquePacket: p}
			out = append(out, &block{[]*part{at}})
		case tagPublicSub, tagSecretSub, tagUserID:
			if len(out) == 0 {
				continue
			}
			at = &part{OpaquePacket: p}
			last := out[len(out)-1]
			last.parts = append(last.parts, at)
		case tagSignature:
			if at != nil {
				at.sigs = append(at.sigs, p)
			}
		case 17: // a picture; its signatures are left out with it
			at = nil
		}
	}
	return out
}

// add adds a key, or its packets to the key that is there.
func (k *Keyring) add(b *block) {
	key, err := parseKey(b)
	if err != nil {
		return // of a kind that is not known
	}
	for i, there := range k.keys {
		if there.Fingerprint != key.Fingerprint {
			continue
		}
		merged := k.blocks[i].merge(b)
		if key, err = parseKey(merged); err == nil {
			k.keys[i], k.blocks[i] = key, merged
		}
		return
	}
	k.keys, k.blocks = append(k.keys, key), append(k.blocks, b)
}

// merge is b with what else is in o.
func (b *block) merge(o *block) *block {
	out := &block{}
	for _, p := range b.parts {
		out.parts = append(out.parts, &part{p.OpaquePacket, p.sigs})
	}
	for _, p := range o.parts {
		at := out.find(p)
		if at == nil {
			out.parts = append(out.parts, p)
			continue
		}
		at.sigs = union(at.sigs, p.sigs)
		if len(p.Contents) > len(at.Contents) {
			at.OpaquePacket = p.OpaquePacket // with the secret
		}
	}
	return out
}

func (b *block) find(p *part) *part {
	for _, q := range b.parts {
		if q.Tag == p.Tag && bytes.Equal(q.Contents, p.Contents) || sameKey(q.OpaquePacket, p.OpaquePacket) {
			return q
		}
	}
	return nil
}

// sameKey tells whether packets are one key, maybe once with its secret, which stands
// behind what is public.
func sameKey(a, b *packet.OpaquePacket) bool {
	public := map[uint8]uint8{tagPublic: tagPublic, tagSecret: tagPublic, tagPublicSub: tagPublicSub, tagSecretSub: tagPublicSub}
	if public[a.Tag] == 0 || public[a.Tag] != public[b.Tag] {
		return false
	}
	return bytes.HasPrefix(a.Contents, b.Contents) || bytes.HasPrefix(b.Contents, a.Contents)
}

func union(a, b []*packet.OpaquePacket) []*packet.OpaquePacket {
	seen := map[string]bool{}
	var out []*packet.OpaquePacket
	for _, list := range [][]*packet.OpaquePacket{a, b} {
		for _, p := range list {
			if s := string(p.Contents); !seen[s] {
				seen[s] = true
				out = append(out, p)
			}
		}
	}
	return out
}

// Add adds the keys of another keyring and returns how many of them are new.
func (k *Keyring) Add(o *Keyring) int {
	before := len(k.keys)
	for _, b := range o.blocks {
		k.add(b)
	}
	return len(k.keys) - before
}

// Keys are the keys in the order of the keyring.
func (k *Keyring) Keys() []*Key { return k.keys }

// Select is the keyring of the keys that have one of these names; see [Keyring.Find].
func (k *Keyring) Select(names ...string) (*Keyring, error) {
	out := &Keyring{}
	for _, name := range names {
		key, err := k.Find(name)
		if err != nil {
			return nil, err
		}
		for i := range k.keys {
			if k.keys[i] == key {
				out.add(k.blocks[i])
			}
		}
	}
	return out, nil
}

// Encode is the keyring in binary form; secrets are left out.
func (k *Keyring) Encode() ([]byte, error) {
	var out bytes.Buffer
	for _, b := range k.blocks {
		for _, p := range b.parts {
			if err := p.write(&out); err != nil {
				return nil, err
			}
		}
	}
	return out.Bytes(), nil
}

func (p *part) write(w io.Writer) error {
	if p.Tag == tagSecret || p.Tag == tagSecretSub {
		key, err := parsePublic(p.OpaquePacket)
		if err != nil {
			return nil // of a kind that is not known
		}
		if err := key.Serialize(w); err != nil {
			return err
		}
	} else if err := p.Serialize(w); err != nil {
		return err
	}
	for _, s := range p.sigs {
		if err := s.Serialize(w); err != nil {
			return err
		}
	}
	return nil
}
