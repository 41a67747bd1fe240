// Package digest names content by a checksum: an algorithm and its value.
//
// A [Digest] is comparable, so it can be a map key, and prints in the form that
// lockfiles and container tools use: "sha256:2c26b46b…".
package digest

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

// ErrMismatch is wrapped by every error that says that content is not what its
// digest or its size promised.
var ErrMismatch = errors.New("content does not match")

// Algorithm is the name of a checksum algorithm: "sha256", as rpm-md, lockfiles
// and RPM headers spell it in lower case.
type Algorithm string

// The algorithms that can be verified. MD5 and SHA1 are for old packages only:
// they find damage, not malice.
const (
	MD5    Algorithm = "md5"
	SHA1   Algorithm = "sha1"
	SHA224 Algorithm = "sha224"
	SHA256 Algorithm = "sha256"
	SHA384 Algorithm = "sha384"
	SHA512 Algorithm = "sha512"

	SHA3256 Algorithm = "sha3-256"
	SHA3512 Algorithm = "sha3-512"
)

// New returns a hash of the algorithm, or nil when it is not known.
func (a Algorithm) New() hash.Hash {
	switch a {
	case MD5:
		return md5.New()
	case SHA1, "sha": // rpm-md's old name
		return sha1.New()
	case SHA224:
		return sha256.New224()
	case SHA256:
		return sha256.New()
	case SHA384:
		return sha512.New384()
	case SHA512:
		return sha512.New()
	case SHA3256:
		return sha3.New256()
	case SHA3512:
		return sha3.New512()
	}
	return nil
}

// Strong tells whether the algorithm resists a forger: SHA-256 and its family, SHA-3.
func (a Algorithm) Strong() bool {
	switch a {
	case SHA224, SHA256, SHA384, SHA512, SHA3256, SHA3512:
		return true
	}
	return false
}

// Digest is a checksum with its algorithm. The zero Digest is "none".
type Digest struct {
	Algorithm Algorithm
	Hex       string // lower-case hexadecimal
}

// Sum returns the SHA-256 digest of b.
func Sum(b []byte) Digest {
	s := sha256.Sum256(b)
	return Digest{SHA256, hex.EncodeToString(s[:])}
}

// FromHash returns the digest that h, a hash of algorithm a, has come to.
func FromHash(a Algorithm, h hash.Hash) Digest {
	return Digest{a, hex.EncodeToString(h.Sum(nil))}
}

// Parse reads "ALGORITHM:HEX".
func Parse(s string) (Digest, error) {
	alg, hx, ok := strings.Cut(s, ":")
	if !ok {
		return Digest{}, fmt.Errorf("digest %q: want ALGORITHM:HEX", s)
	}
	return New(Algorithm(alg), hx)
}

// New checks that hx is a value of algorithm a and returns the digest.
func New(a Algorithm, hx string) (Digest, error) {
	if a == "sha" {
		a = SHA1
	}
	h := a.New()
	if h == nil {
		return Digest{}, fmt.Errorf("digest algorithm %q is not supported", string(a))
	}
	hx = strings.ToLower(hx)
	if b, err := hex.DecodeString(hx); err != nil || len(b) != h.Size() {
		return Digest{}, fmt.Errorf("digest %q: want %d hexadecimal digits for %s", hx, 2*h.Size(), a)
	}
	return Digest{a, hx}, nil
}

// IsZero tells whether d is no digest.
func (d Digest) IsZero() bool { return d.Hex == "" }

func (d Digest) String() string {
	if d.IsZero() {
		return ""
	}
	return string(d.Algorithm) + ":" + d.Hex
}

// MarshalText writes the form that [Parse] reads; the zero Digest is empty.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Digest) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*d = Digest{}
		return nil
	}
	*d, err = Parse(string(b))
	return err
}

// A Reader passes content through and, where it ends, checks that it had the
// size and the digest that were promised.
type Reader struct {
	r    io.Reader
	h    hash.Hash
	want Digest
	size int64 // promised; negative when unknown
	n    int64
}

// NewReader returns a Reader of r that wants d, unless d is zero, and size
// bytes, unless size is negative. It never reads more than size+1 bytes of r.
func NewReader(r io.Reader, d Digest, size int64) *Reader {
	v := &Reader{r: r, want: d, size: size}
	if !d.IsZero() {
		v.h = d.Algorithm.New()
	}
	if size >= 0 {
		v.r = io.LimitReader(r, size+1)
	}
	return v
}

// Read reads on. At the end of the content the error is io.EOF when all is as
// promised; any other difference wraps [ErrMismatch].
func (v *Reader) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.n += int64(n)
	if v.h != nil {
		v.h.Write(p[:n])
	}
	if v.size >= 0 && v.n > v.size {
		return 0, fmt.Errorf("more than the promised %d bytes: %w", v.size, ErrMismatch)
	}
	if err != io.EOF {
		return n, err
	}
	if v.size >= 0 && v.n != v.size {
		return n, fmt.Errorf("size is %d bytes, promised were %d: %w", v.n, v.size, ErrMismatch)
	}
	if v.h != nil {
		if got := FromHash(v.want.Algorithm, v.h); got != v.want {
			return n, fmt.Errorf("%s is %s, promised was %s: %w", v.want.Algorithm, got.Hex, v.want.Hex, ErrMismatch)
		}
	}
	return n, io.EOF
}
