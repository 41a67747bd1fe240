package ostree

import (
	"fmt"
	"math/bits"

	"github.com/treewright/treewright/pkg/gvariant"
)

const summaryType = "(a(s(taya{sv}))a{sv})"

// Summary is the index of a repository: its refs and its static deltas.
type Summary struct {
	Refs         []SummaryRef // sorted by name
	Mode         Mode
	LastModified uint64 // seconds since 1970 UTC
	Tombstones   bool
	Indexed      bool // delta-indexes/ is there
	Deltas       []DeltaDigest
}

// SummaryRef is a ref and facts of its commit.
type SummaryRef struct {
	Name      string
	Commit    Checksum
	Size      uint64 // bytes of the commit object
	Timestamp uint64 // of the commit, seconds since 1970 UTC
	Version   string // "" when the commit has none
}

// DeltaDigest names a static delta, FROM-TO or TO, and its superblock's SHA-256.
type DeltaDigest struct {
	Name   string
	Digest Checksum
}

func entry(key, typ string, v any) gvariant.Entry {
	return gvariant.Entry{Key: key, Value: gvariant.Variant{Type: typ, Value: v}}
}

// Encode returns the bytes of the file summary.
func (s *Summary) Encode() ([]byte, error) {
	refs := make([]any, len(s.Refs))
	for i, r := range s.Refs {
		meta := []any{entry("ostree.commit.timestamp", "t", bits.ReverseBytes64(r.Timestamp))}
		if r.Version != "" {
			meta = append(meta, entry("ostree.commit.version", "s", r.Version))
		}
		refs[i] = gvariant.Tuple{r.Name, gvariant.Tuple{r.Size, r.Commit[:], meta}}
	}
	meta := []any{
		entry("ostree.summary.mode", "s", string(s.Mode)),
		entry("ostree.summary.last-modified", "t", bits.ReverseBytes64(s.LastModified)),
		entry("ostree.summary.tombstone-commits", "b", s.Tombstones),
		entry("ostree.summary.indexed-deltas", "b", s.Indexed),
	}
	if len(s.Deltas) > 0 {
		meta = append(meta, entry("ostree.static-deltas", "a{sv}", deltaMap(s.Deltas)))
	}
	return gvariant.Encode(summaryType, gvariant.Tuple{refs, meta})
}

func deltaMap(deltas []DeltaDigest) []any {
	out := make([]any, len(deltas))
	for i, d := range deltas {
		out[i] = entry(d.Name, "ay", d.Digest[:])
	}
	return out
}

// EncodeDeltaIndex returns the bytes of a delta index: the deltas to one commit.
func EncodeDeltaIndex(deltas []DeltaDigest) ([]byte, error) {
	return gvariant.Encode("a{sv}", []any{entry("ostree.static-deltas", "a{sv}", deltaMap(deltas))})
}

// ParseSummary decodes the refs and the facts that Summary has; other metadata is
// passed over. Every error wraps [ErrMalformed].
func ParseSummary(b []byte) (*Summary, error) {
	t, err := decode("summary", summaryType, b)
	if err != nil {
		return nil, err
	}
	s := &Summary{}
	for _, e := range t[0].([]any) {
		r := e.(gvariant.Tuple)
		inner := r[1].(gvariant.Tuple)
		ref := SummaryRef{Name: r[0].(string), Size: inner[0].(uint64)}
		if ref.Commit, err = checksumOf("ref "+ref.Name, inner[1].([]byte)); err != nil {
			return nil, err
		}
		for _, m := range inner[2].([]any) {
			switch v := m.(gvariant.Entry); v.Key {
			case "ostree.commit.timestamp":
				n, _ := v.Value.(gvariant.Variant).Value.(uint64)
				ref.Timestamp = bits.ReverseBytes64(n)
			case "ostree.commit.version":
				ref.Version, _ = v.Value.(gvariant.Variant).Value.(string)
			}
		}
		s.Refs = append(s.Refs, ref)
	}
	for _, e := range t[1].([]any) {
		m := e.(gvariant.Entry)
		if err := s.set(m.Key.(string), m.Value.(gvariant.Variant).Value); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// set takes one key of the metadata over.
func (s *Summary) set(key string, value any) error {
	switch v := value.(type) {
	case string:
		if key == "ostree.summary.mode" {
			s.Mode = Mode(v)
		}
	case uint64:
		if key == "ostree.summary.last-modified" {
			s.LastModified = bits.ReverseBytes64(v)
		}
	case bool:
		switch key {
		case "ostree.summary.tombstone-commits":
			s.Tombstones = v
		case "ostree.summary.indexed-deltas":
			s.Indexed = v
		}
	case []any:
		if key != "ostree.static-deltas" {
			return nil
		}
		for _, e := range v {
			d, ok := e.(gvariant.Entry)
			if !ok {
				return fmt.Errorf("summary: %s: %w", key, ErrMalformed)
			}
			name, _ := d.Key.(string)
			value, _ := d.Value.(gvariant.Variant)
			raw, _ := value.Value.([]byte)
			sum, err := checksumOf("delta "+name, raw)
			if err != nil {
				return err
			}
			s.Deltas = append(s.Deltas, DeltaDigest{name, sum})
		}
	}
	return nil
}
