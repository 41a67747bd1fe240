package ostree

import (
	"crypto/sha256"
	"fmt"
	"math/bits"

	"github.com/treewright/treewright/pkg/gvariant"
)

const commitType = "(a{sv}aya(say)sstayay)"

// Keys of a commit's metadata that more than one package knows.
const (
	KeyVersion           = "version"
	KeyRefBinding        = "ostree.ref-binding"
	KeyCollectionBinding = "ostree.collection-binding"
	KeyBootable          = "ostree.bootable"
	KeyLinux             = "ostree.linux"
)

// Commit is a commit object: a tree, where it comes from, and what is said of it.
type Commit struct {
	Metadata  Metadata    // in the order of the object
	Parent    *Checksum   // nil: none
	Related   []FileEntry // other commits, by name; libostree writes none
	Subject   string
	Body      string
	Timestamp uint64 // seconds since 1970 UTC
	Root      Checksum
	RootMeta  Checksum
}

// Encode returns the object's bytes. Errors are those of values that do not fit
// their types.
func (c *Commit) Encode() ([]byte, error) {
	meta, err := c.Metadata.dict()
	if err != nil {
		return nil, fmt.Errorf("commit metadata: %w", err)
	}
	var parent []byte
	if c.Parent != nil {
		parent = c.Parent[:]
	}
	b, err := gvariant.Encode(commitType, gvariant.Tuple{
		meta, parent, encodeFiles(c.Related), c.Subject, c.Body, bits.ReverseBytes64(c.Timestamp), c.Root[:], c.RootMeta[:]})
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return b, nil
}

// ParseCommit decodes a commit object. Byte strings in the metadata are parts of b.
//
// Every error wraps [ErrMalformed] and names the field.
func ParseCommit(b []byte) (*Commit, error) {
	t, err := decode("commit", commitType, b)
	if err != nil {
		return nil, err
	}
	c := &Commit{Subject: t[3].(string), Body: t[4].(string), Timestamp: bits.ReverseBytes64(t[5].(uint64))}
	if c.Metadata, err = parseDict(t[0].([]any)); err != nil {
		return nil, fmt.Errorf("commit metadata: %w", err)
	}
	if parent := t[1].([]byte); len(parent) > 0 {
		p, err := checksumOf("commit parent", parent)
		if err != nil {
			return nil, err
		}
		c.Parent = &p
	}
	for _, e := range t[2].([]any) {
		r := e.(gvariant.Tuple)
		sum, err := checksumOf("commit related", r[1].([]byte))
		if err != nil {
			return nil, err
		}
		c.Related = append(c.Related, FileEntry{r[0].(string), sum})
	}
	if c.Root, err = checksumOf("commit root", t[6].([]byte)); err != nil {
		return nil, err
	}
	if c.RootMeta, err = checksumOf("commit root dirmeta", t[7].([]byte)); err != nil {
		return nil, err
	}
	return c, nil
}

// Lookup returns a key of the metadata.
func (c *Commit) Lookup(key string) (gvariant.Variant, bool) { return c.Metadata.Lookup(key) }

// Text returns a key of the metadata that is a string; "" when it is not there.
func (c *Commit) Text(key string) string { return c.Metadata.Text(key) }

// Version is the version in the metadata, or "".
func (c *Commit) Version() string { return c.Text(KeyVersion) }

// ContentChecksum names the tree alone: commits of the same tree share it.
func (c *Commit) ContentChecksum() Checksum {
	return sha256.Sum256(append(c.Root[:len(c.Root):len(c.Root)], c.RootMeta[:]...))
}
