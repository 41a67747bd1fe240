package ostree

import (
	"crypto/sha256"
	"fmt"
	"math/bits"
	"strings"

	"github.com/treewright/treewright/pkg/gvariant"
)

const commitType = "(a{sv}aya(say)sstayay)"

// Keys of a commit's metadata that more than one package knows.
const (
	KeyVersion    = "version"
	KeyRefBinding = "ostree.ref-binding"
	KeyBootable   = "ostree.bootable"
	KeyLinux      = "ostree.linux"
)

// Commit is a commit object: a tree, where it comes from, and what is said of it.
type Commit struct {
	Metadata  []MetaEntry // in the order of the object
	Parent    *Checksum   // nil: none
	Subject   string
	Body      string
	Timestamp uint64 // seconds since 1970 UTC
	Root      Checksum
	RootMeta  Checksum
}

// MetaEntry is one key of a commit's metadata.
type MetaEntry struct {
	Key   string
	Value gvariant.Variant
}

// Encode returns the object's bytes. Errors are those of values that do not fit
// their types.
func (c *Commit) Encode() ([]byte, error) {
	meta := make([]any, len(c.Metadata))
	for i, m := range c.Metadata {
		if m.Key == "" {
			return nil, fmt.Errorf("commit metadata has an empty key: %w", ErrMalformed)
		}
		meta[i] = gvariant.Entry{Key: m.Key, Value: m.Value}
	}
	var parent []byte
	if c.Parent != nil {
		parent = c.Parent[:]
	}
	b, err := gvariant.Encode(commitType, gvariant.Tuple{
		meta, parent, []any{}, c.Subject, c.Body, bits.ReverseBytes64(c.Timestamp), c.Root[:], c.RootMeta[:]})
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return b, nil
}

// ParseCommit decodes a commit object. Every error wraps [ErrMalformed].
func ParseCommit(b []byte) (*Commit, error) {
	t, err := decode("commit", commitType, b)
	if err != nil {
		return nil, err
	}
	c := &Commit{Subject: t[3].(string), Body: t[4].(string), Timestamp: bits.ReverseBytes64(t[5].(uint64))}
	for _, e := range t[0].([]any) {
		m := e.(gvariant.Entry)
		c.Metadata = append(c.Metadata, MetaEntry{m.Key.(string), m.Value.(gvariant.Variant)})
	}
	if parent := t[1].([]byte); len(parent) > 0 {
		p, err := checksumOf("commit parent", parent)
		if err != nil {
			return nil, err
		}
		c.Parent = &p
	}
	if c.Root, err = checksumOf("commit root", t[6].([]byte)); err != nil {
		return nil, err
	}
	c.RootMeta, err = checksumOf("commit root dirmeta", t[7].([]byte))
	return c, err
}

// Lookup returns a key of the metadata.
func (c *Commit) Lookup(key string) (gvariant.Variant, bool) {
	for _, m := range c.Metadata {
		if m.Key == key {
			return m.Value, true
		}
	}
	return gvariant.Variant{}, false
}

// Text returns a key of the metadata that is a string; "" when it is not there.
func (c *Commit) Text(key string) string {
	v, _ := c.Lookup(key)
	s, _ := v.Value.(string)
	return s
}

// Version is the version in the metadata, or "".
func (c *Commit) Version() string { return c.Text(KeyVersion) }

// ContentChecksum names the tree alone: commits of the same tree share it.
func (c *Commit) ContentChecksum() Checksum {
	return sha256.Sum256(append(c.Root[:len(c.Root):len(c.Root)], c.RootMeta[:]...))
}

// CheckRef tells whether name can be a ref: components of letters, digits, '-', '_'
// and '.', joined by '/', each beginning with a letter, a digit or '_', and not a
// checksum.
func CheckRef(name string) error {
	if IsChecksum(name) {
		return fmt.Errorf("ref %q has the form of a checksum: %w", name, ErrMalformed)
	}
	for _, c := range strings.Split(name, "/") {
		for i, r := range c {
			word := r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
			if !word && (i == 0 || r != '-' && r != '.') {
				return fmt.Errorf("ref %q: character %q in %q is not allowed: %w", name, r, c, ErrMalformed)
			}
		}
		if c == "" {
			return fmt.Errorf("ref %q has an empty part: %w", name, ErrMalformed)
		}
	}
	return nil
}
