package openpgp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// MaxSecret is the size of the largest file with a secret that is read, in bytes.
const MaxSecret = maxSexp

// AddSecret gives the key of the keyring that it belongs to, if there is one, its
// secret from a file of GnuPG's private-keys-v1.d: an S-expression, or lines "Name:
// value" that have it as the value of Key.
//
// The error wraps [ErrLocked] when the secret is behind a passphrase or on a card, else
// [ErrMalformed].
func (k *Keyring) AddSecret(file []byte) error {
	if len(file) > MaxSecret {
		return fmt.Errorf("secret key of %d bytes, at most %d are allowed: %w", len(file), MaxSecret, ErrMalformed)
	}
	s, err := parseSexp(keyValue(string(file)))
	if err != nil {
		return fmt.Errorf("secret key: %w", err)
	}
	public, secret, err := secretNumbers(s)
	if err != nil {
		return fmt.Errorf("secret key: %w", err)
	}
	for i, b := range k.blocks {
		for _, p := range b.parts {
			if p.unlock(public, secret) {
				if key, err := parseKey(b); err == nil {
					k.keys[i] = key
				}
			}
		}
	}
	return nil
}

// keyValue is what stands behind Key: in a file of lines, or the whole file.
func keyValue(file string) string {
	if strings.HasPrefix(file, "(") {
		return file
	}
	var out strings.Builder
	in := false
	for line := range strings.Lines(file) {
		if line[0] != ' ' && line[0] != '\t' {
			var value string
			if value, in = strings.CutPrefix(line, "Key:"); in {
				line = value
			}
		}
		if in {
			out.WriteString(line)
		}
	}
	return out.String()
}

// layout tells which numbers of a key of an algorithm are secret, and of those that
// are not, one that no other key has.
var layout = map[string]struct {
	public  string
	secrets []string
	numbers int // of the public key
}{
	"rsa": {"n", []string{"d", "p", "q", "u"}, 2},
	"dsa": {"y", []string{"x"}, 4},
	"ecc": {"q", []string{"d"}, 1},
}

// secretNumbers takes the S-expression of a secret key apart.
func secretNumbers(s sexp) (public string, secret []string, err error) {
	if len(s.list) < 2 || len(s.list[1].list) == 0 {
		return "", nil, fmt.Errorf("no key: %w", ErrMalformed)
	}
	key := s.list[1]
	l, ok := layout[strings.TrimPrefix(key.head(), "openpgp-")]
	if !ok {
		return "", nil, fmt.Errorf("algorithm %q: %w", key.head(), ErrMalformed)
	}
	switch s.head() {
	case "private-key":
		for _, name := range l.secrets {
			secret = append(secret, key.value(name))
		}
	case "protected-private-key":
		if secret = nativeNumbers(key, l.numbers); secret == nil {
			return "", nil, ErrLocked
		}
	default: // on a card
		return "", nil, ErrLocked
	}
	public = key.value(l.public)
	if public == "" || len(secret) != len(l.secrets) || slices.Contains(secret, "") {
		return "", nil, fmt.Errorf("%s key without all its numbers: %w", key.head(), ErrMalformed)
	}
	return public, secret, nil
}

// nativeNumbers are the secret numbers of a key that GnuPG took over from the keyring
// of an older version and that has no passphrase; nil: it has one.
func nativeNumbers(key sexp, public int) []string {
	protected, _ := key.get("protected")
	native, ok := protected.get("openpgp-private-key")
	if protection, _ := native.get("protection"); !ok || len(protection.list) < 2 || protection.list[1].atom != "none" {
		return nil
	}
	numbers, _ := native.get("skey")
	var out []string
	for i := 1; i+1 < len(numbers.list); i += 2 { // "_", a number
		out = append(out, numbers.list[i+1].atom)
	}
	if len(out) <= public {
		return nil
	}
	return out[public:]
}

// unlock puts a secret into a part that is its key, and tells whether it is.
func (p *part) unlock(public string, secret []string) bool {
	isKey := p.Tag == tagPublic || p.Tag == tagPublicSub
	if !isKey || len(p.Contents) == 0 || p.Contents[0] != 4 || !bytes.Contains(p.Contents, number(public)) {
		return false
	}
	var numbers []byte
	for _, n := range secret {
		numbers = append(numbers, number(n)...)
	}
	var sum uint16
	for _, c := range numbers {
		sum += uint16(c)
	}
	body := append(bytes.Clone(p.Contents), 0) // no passphrase
	body = binary.BigEndian.AppendUint16(append(body, numbers...), sum)
	tag := map[uint8]uint8{tagPublic: tagSecret, tagPublicSub: tagSecretSub}[p.Tag]
	p.OpaquePacket = &packet.OpaquePacket{Tag: tag, Contents: body}
	return true
}

// number is a number as packets have it: the count of its bits, and its bytes.
func number(n string) []byte {
	n = strings.TrimLeft(n, "\x00")
	if n == "" {
		return []byte{0, 0}
	}
	count := (len(n)-1)*8 + bits.Len8(n[0])
	return append(binary.BigEndian.AppendUint16(nil, uint16(count)), n...)
}
