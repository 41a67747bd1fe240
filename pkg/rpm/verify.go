package rpm

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/openpgp"
)

// Status is the outcome of one check.
type Status int

// The outcomes, in the words of rpm.
const (
	StatusOK          Status = iota
	StatusBad                // wrong: damaged or forged
	StatusNoKey              // no key to judge it by
	StatusNotTrusted         // by a key that is revoked or was expired
	StatusUnsupported        // of a kind that cannot be judged here
)

func (s Status) String() string {
	return [...]string{"OK", "BAD", "NOKEY", "NOTTRUSTED", "UNSUPPORTED"}[s]
}

// Range is what a digest or a signature covers.
type Range int

// The parts of a package.
const (
	RangeHeader Range = 1 << iota
	RangePayload
	RangeBoth = RangeHeader | RangePayload
)

// Check is one digest or one signature of a package with its outcome.
type Check struct {
	Range     Range
	Tag       uint32           // where it stands; of the signature header, or payload digests of the main one
	Algorithm digest.Algorithm // of a digest
	Signature *openpgp.Signature
	Status    Status
	Detail    string // of what is not OK

	alternative bool // of a payload that is not compressed
}

// String names what was checked as `rpm -Kv` does.
func (c Check) String() string {
	what := map[Range]string{RangeHeader: "Header ", RangePayload: "Payload "}[c.Range]
	if c.Signature == nil {
		alt := ""
		if c.alternative {
			alt = " ALT"
		}
		return what + strings.ToUpper(string(c.Algorithm)) + alt + " digest"
	}
	s := c.Signature
	id := s.KeyID()
	if len(id) == 16 {
		id = strings.ToLower(id[8:])
	}
	return fmt.Sprintf("%sV%d %s/%s Signature, key ID %s", what, s.Version, s.Algorithm, s.Hash, id)
}

// Verification judges the digests and the signatures of a package. Get one from
// [NewVerification] and write the payload, as it is in the file, to it.
type Verification struct {
	header  []Check
	payload []pendingDigest
	both    []pendingSignature
	md5     hash.Hash
	md5want []byte
	done    []Check
}

type pendingDigest struct {
	Check
	want string
	sum  hash.Hash
}

type pendingSignature struct {
	tag      uint32
	verifier *openpgp.Verifier
}

// NewVerification judges what covers the header alone; see [Verification.Header].
// keys may be nil.
//
// A signature that cannot be read is an error that wraps [ErrMalformed].
func NewVerification(h *Header, keys *openpgp.Keyring) (*Verification, error) {
	if keys == nil {
		keys = &openpgp.Keyring{}
	}
	v := &Verification{}
	for _, tag := range []uint32{tagSigOpenPGP, tagSigRSA, tagSigDSA} {
		for _, sig := range h.signatures(tag) {
			s, err := newVerifier(keys, tag, sig)
			if err != nil {
				return nil, err
			}
			s.verifier.Write(h.covered())
			v.header = append(v.header, s.judge(RangeHeader)...)
		}
	}
	v.header = append(v.header, h.headerDigests()...)
	v.payload = h.payloadDigests()
	for _, tag := range []uint32{tagSigPGP, tagSigGPG} {
		for _, sig := range h.signatures(tag) {
			s, err := newVerifier(keys, tag, sig)
			if err != nil {
				return nil, err
			}
			v.both = append(v.both, s)
		}
	}
	if e, ok := h.signature.lookup(tagSigMD5); ok {
		v.md5, v.md5want = md5.New(), e.Value
	}
	v.writeBoth(h.main.bytes)
	return v, nil
}

func newVerifier(keys *openpgp.Keyring, tag uint32, sig []byte) (pendingSignature, error) {
	v, err := keys.NewVerifier(sig)
	if err != nil {
		return pendingSignature{}, fmt.Errorf("signature header: tag %d: %v: %w", tag, err, ErrMalformed)
	}
	return pendingSignature{tag, v}, nil
}

// signatures are the OpenPGP signatures of a tag.
func (h *Header) signatures(tag uint32) (out [][]byte) {
	e, ok := h.signature.lookup(tag)
	switch {
	case !ok:
		return nil
	case e.Type == typeBin:
		return [][]byte{e.Value}
	}
	for _, text := range strings.Split(strings.TrimSuffix(string(e.Value), "\x00"), "\x00") {
		b, err := base64.StdEncoding.DecodeString(strings.Map(dropBlanks, text))
		if err != nil {
			b = []byte(text) // which is reported as no signature
		}
		out = append(out, b)
	}
	return out
}

func dropBlanks(r rune) rune {
	if strings.ContainsRune(" \t\r\n", r) {
		return -1
	}
	return r
}

// judge turns signatures into checks. Keys count as they were when it was made, as rpm
// has it, so that packages do not go bad with time.
func (p pendingSignature) judge(r Range) (out []Check) {
	for _, s := range p.verifier.Judge(time.Time{}) {
		c := Check{Range: r, Tag: p.tag, Signature: &s}
		switch {
		case s.Valid:
		case s.Unsupported != "":
			c.Status, c.Detail = StatusUnsupported, s.Unsupported
		case s.Missing:
			c.Status, c.Detail = StatusNoKey, "no key "+s.KeyID()
		case s.Revoked:
			c.Status, c.Detail = StatusNotTrusted, "key "+s.KeyID()+" is revoked"
		case s.KeyExpired:
			c.Status, c.Detail = StatusNotTrusted, "key "+s.KeyID()+" was expired then"
		default:
			c.Status, c.Detail = StatusBad, "not what key "+s.KeyID()+" signed"
		}
		out = append(out, c)
	}
	return out
}

// Write takes the payload.
func (v *Verification) Write(b []byte) (int, error) {
	for _, p := range v.payload {
		p.sum.Write(b)
	}
	v.writeBoth(b)
	return len(b), nil
}

func (v *Verification) writeBoth(b []byte) {
	for _, s := range v.both {
		s.verifier.Write(b)
	}
	if v.md5 != nil {
		v.md5.Write(b)
	}
}

// Header are the checks that need no payload.
func (v *Verification) Header() []Check { return v.header }

// Checks are all checks. It is called when the whole payload was written.
func (v *Verification) Checks() []Check {
	if v.done != nil {
		return v.done
	}
	out := append([]Check{}, v.header...)
	out = append(out, judgePayload(v.payload)...)
	for _, s := range v.both {
		out = append(out, s.judge(RangeBoth)...)
	}
	if v.md5 != nil {
		c := Check{Range: RangeBoth, Tag: tagSigMD5, Algorithm: digest.MD5}
		if got := v.md5.Sum(nil); !bytes.Equal(got, v.md5want) {
			c.Status, c.Detail = StatusBad, fmt.Sprintf("is %x, promised was %x", got, v.md5want)
		}
		out = append(out, c)
	}
	v.done = out
	return out
}

// Verify reads a whole package and checks all its digests and signatures; unlike
// [ReadHeader] it goes on when one is wrong. keys may be nil.
//
// An error is about a package that cannot be read.
func Verify(r io.Reader, keys *openpgp.Keyring) (*Header, *Verification, error) {
	h, err := readHeaders(r)
	if err != nil {
		return nil, nil, err
	}
	v, err := NewVerification(h, keys)
	if err != nil {
		return nil, nil, err
	}
	if _, err := io.Copy(v, r); err != nil {
		return nil, nil, fmt.Errorf("payload: %w", err)
	}
	return h, v, nil
}
