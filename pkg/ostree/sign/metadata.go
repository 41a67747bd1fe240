package sign

import (
	"slices"

	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
)

// Kinds of signatures.
const (
	KindGPG     = "gpg"
	KindEd25519 = "ed25519"
	KindDummy   = "dummy"
)

// listType is the type of the signatures of one kind.
const listType = "aay"

// MetadataKey is the key of the signatures of a kind in metadata.
func MetadataKey(kind string) string {
	if kind == KindGPG {
		return "ostree.gpgsigs"
	}
	return "ostree.sign." + kind
}

// Signatures are those of a kind in metadata.
func Signatures(m ostree.Metadata, kind string) [][]byte {
	v, _ := m.Lookup(MetadataKey(kind))
	if v.Type != listType {
		return nil
	}
	var out [][]byte
	for _, x := range v.Value.([]any) {
		out = append(out, x.([]byte))
	}
	return out
}

// has tells whether metadata has a list of signatures of a kind, which may be empty.
func has(m ostree.Metadata, kind string) bool {
	v, _ := m.Lookup(MetadataKey(kind))
	return v.Type == listType
}

// WithSignatures is metadata in which the signatures of a kind are sigs; without any
// the key goes.
func WithSignatures(m ostree.Metadata, kind string, sigs [][]byte) ostree.Metadata {
	list := []any{}
	for _, s := range sigs {
		list = append(list, s)
	}
	entry := ostree.MetaEntry{Key: MetadataKey(kind), Value: gvariant.Variant{Type: listType, Value: list}}
	out := slices.Clone(m)
	at := slices.IndexFunc(out, func(e ostree.MetaEntry) bool { return e.Key == entry.Key })
	switch {
	case at < 0 && len(sigs) == 0:
		return out
	case at < 0:
		return append(out, entry)
	case len(sigs) == 0:
		return slices.DeleteFunc(out, func(e ostree.MetaEntry) bool { return e.Key == entry.Key })
	}
	out[at] = entry
	return out
}

// A Signer makes signatures of one kind by one key.
type Signer interface {
	Kind() string
	Sign(data []byte) ([]byte, error)
}

// Sign adds to metadata a signature of data by each signer.
func Sign(m ostree.Metadata, data []byte, signers ...Signer) (ostree.Metadata, error) {
	for _, s := range signers {
		sig, err := s.Sign(data)
		if err != nil {
			return nil, err
		}
		m = WithSignatures(m, s.Kind(), append(Signatures(m, s.Kind()), sig))
	}
	return m, nil
}
