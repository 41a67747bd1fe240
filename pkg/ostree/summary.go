package ostree

import (
	"fmt"
	"math/bits"

	"github.com/treewright/treewright/pkg/gvariant"
)

// SummaryType is the GVariant type of a summary.
const SummaryType = "(a(s(taya{sv}))a{sv})"

const collectionsType = "a{sa(s(taya{sv}))}"

// Keys of the metadata of a summary and of its refs.
const (
	keyCommitTime    = "ostree.commit.timestamp"
	keyCommitVersion = "ostree.commit.version"
	keyMode          = "ostree.summary.mode"
	keyLastModified  = "ostree.summary.last-modified"
	keyTombstones    = "ostree.summary.tombstone-commits"
	keyIndexed       = "ostree.summary.indexed-deltas"
	keyDeltas        = "ostree.static-deltas"
	keyCollection    = "ostree.summary.collection-id"
	keyCollections   = "ostree.summary.collection-map"
)

// Summary is the index of a repository: its refs and its static deltas.
type Summary struct {
	Refs         []SummaryRef // sorted by name
	Mode         Mode
	LastModified uint64 // seconds since 1970 UTC
	Tombstones   bool
	Indexed      bool          // delta-indexes/ is there
	Deltas       []DeltaDigest // in the order of the file

	// Collection is the ID that Refs belong to, or "". Collections are the refs that
	// are kept of others.
	Collection  string
	Collections []Collection

	Other Metadata // keys that have no field here
}

// Collection is the refs of one collection ID.
type Collection struct {
	ID   string
	Refs []SummaryRef // sorted by name
}

// SummaryRef is a ref and facts of its commit.
type SummaryRef struct {
	Name      string
	Commit    Checksum
	Size      uint64   // bytes of the commit object
	Timestamp uint64   // of the commit, seconds since 1970 UTC
	Version   string   // "" when the commit has none
	Other     Metadata // keys that have no field here
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
	refs, err := encodeRefs(s.Refs)
	if err != nil {
		return nil, err
	}
	meta := []any{
		entry(keyMode, "s", string(s.Mode)),
		entry(keyLastModified, "t", bits.ReverseBytes64(s.LastModified)),
		entry(keyTombstones, "b", s.Tombstones),
	}
	if len(s.Deltas) > 0 {
		meta = append(meta, entry(keyDeltas, dictType, deltaMap(s.Deltas)))
	}
	meta = append(meta, entry(keyIndexed, "b", s.Indexed))
	if s.Collection != "" {
		meta = append(meta, entry(keyCollection, "s", s.Collection))
	}
	if len(s.Collections) > 0 {
		m, err := collectionMap(s.Collections)
		if err != nil {
			return nil, err
		}
		meta = append(meta, entry(keyCollections, collectionsType, m))
	}
	other, err := s.Other.dict()
	if err != nil {
		return nil, fmt.Errorf("summary metadata: %w", err)
	}
	return gvariant.Encode(SummaryType, gvariant.Tuple{refs, append(meta, other...)})
}

// encodeRefs returns the a(s(taya{sv})) of refs, which are sorted by name.
func encodeRefs(list []SummaryRef) ([]any, error) {
	refs := make([]any, len(list))
	for i, r := range list {
		if i > 0 && list[i-1].Name >= r.Name {
			return nil, fmt.Errorf("summary: ref %q: out of order: %w", r.Name, ErrMalformed)
		}
		meta := []any{entry(keyCommitTime, "t", bits.ReverseBytes64(r.Timestamp))}
		if r.Version != "" {
			meta = append(meta, entry(keyCommitVersion, "s", r.Version))
		}
		other, err := r.Other.dict()
		if err != nil {
			return nil, fmt.Errorf("summary: ref %q: %w", r.Name, err)
		}
		refs[i] = gvariant.Tuple{r.Name, gvariant.Tuple{r.Size, r.Commit[:], append(meta, other...)}}
	}
	return refs, nil
}

func collectionMap(list []Collection) ([]any, error) {
	out := make([]any, len(list))
	for i, c := range list {
		refs, err := encodeRefs(c.Refs)
		if err != nil {
			return nil, fmt.Errorf("collection %s: %w", c.ID, err)
		}
		out[i] = gvariant.Entry{Key: c.ID, Value: refs}
	}
	return out, nil
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
	return gvariant.Encode(dictType, []any{entry(keyDeltas, dictType, deltaMap(deltas))})
}

// ParseDeltaIndex decodes a delta index. Every error wraps [ErrMalformed].
func ParseDeltaIndex(b []byte) ([]DeltaDigest, error) {
	m, err := ParseMetadata(b)
	if err != nil {
		return nil, fmt.Errorf("delta index: %w", err)
	}
	v, ok := m.Lookup(keyDeltas)
	if !ok {
		return nil, nil
	}
	return parseDeltas(v)
}

// ParseSummary decodes a summary. Byte strings in Other are parts of b. A known key
// that stands there twice or has another type is an error; keys and refs that are
// missing are zero.
//
// Every error wraps [ErrMalformed] and names the ref or the key.
func ParseSummary(b []byte) (*Summary, error) {
	t, err := decode("summary", SummaryType, b)
	if err != nil {
		return nil, err
	}
	s := &Summary{}
	if s.Refs, err = parseRefs(t[0].([]any)); err != nil {
		return nil, fmt.Errorf("summary: %w", err)
	}
	meta, err := parseDict(t[1].([]any))
	if err != nil {
		return nil, fmt.Errorf("summary metadata: %w", err)
	}
	seen := map[string]bool{}
	for _, m := range meta {
		known, err := s.set(m.Key, m.Value)
		if err == nil && known && seen[m.Key] {
			err = fmt.Errorf("comes twice: %w", ErrMalformed)
		}
		if err != nil {
			return nil, fmt.Errorf("summary: %s: %w", m.Key, err)
		}
		if seen[m.Key] = true; !known {
			s.Other = append(s.Other, m)
		}
	}
	return s, nil
}

func parseRefs(list []any) ([]SummaryRef, error) {
	var out []SummaryRef
	for _, e := range list {
		t := e.(gvariant.Tuple)
		inner := t[1].(gvariant.Tuple)
		ref := SummaryRef{Name: t[0].(string), Size: inner[0].(uint64)}
		if len(out) > 0 && out[len(out)-1].Name >= ref.Name {
			return nil, fmt.Errorf("ref %q: out of order: %w", ref.Name, ErrMalformed)
		}
		var err error
		if ref.Commit, err = checksumOf("ref "+ref.Name, inner[1].([]byte)); err != nil {
			return nil, err
		}
		meta, err := parseDict(inner[2].([]any))
		if err != nil {
			return nil, fmt.Errorf("ref %s: %w", ref.Name, err)
		}
		ref.Timestamp, ref.Version = meta.Seconds(keyCommitTime), meta.Text(keyCommitVersion)
		for _, m := range meta {
			if m.Key != keyCommitTime && m.Key != keyCommitVersion {
				ref.Other = append(ref.Other, m)
			}
		}
		out = append(out, ref)
	}
	return out, nil
}

// summaryKeys are the keys that have a field in [Summary], with their types.
var summaryKeys = map[string]string{
	keyMode: "s", keyLastModified: "t", keyTombstones: "b", keyIndexed: "b",
	keyDeltas: dictType, keyCollection: "s", keyCollections: collectionsType,
}

// IsSummaryKey tells whether a key of a summary's metadata has a field in [Summary].
func IsSummaryKey(key string) bool { return summaryKeys[key] != "" }

// set takes one key of the metadata over, and tells whether it has a field.
func (s *Summary) set(key string, v gvariant.Variant) (known bool, err error) {
	want := summaryKeys[key]
	if want == "" {
		return false, nil
	}
	if v.Type != want {
		return true, fmt.Errorf("type %q, want %q: %w", v.Type, want, ErrMalformed)
	}
	switch key {
	case keyMode:
		s.Mode = Mode(v.Value.(string))
	case keyLastModified:
		s.LastModified = bits.ReverseBytes64(v.Value.(uint64))
	case keyTombstones:
		s.Tombstones = v.Value.(bool)
	case keyIndexed:
		s.Indexed = v.Value.(bool)
	case keyCollection:
		s.Collection = v.Value.(string)
	case keyDeltas:
		s.Deltas, err = parseDeltas(v)
	case keyCollections:
		s.Collections, err = parseCollections(v)
	}
	return true, err
}

func parseCollections(v gvariant.Variant) ([]Collection, error) {
	var out []Collection
	for _, x := range v.Value.([]any) {
		e := x.(gvariant.Entry)
		refs, err := parseRefs(e.Value.([]any))
		if err != nil {
			return nil, fmt.Errorf("collection %q: %w", e.Key, err)
		}
		out = append(out, Collection{e.Key.(string), refs})
	}
	return out, nil
}

// parseDeltas reads a map of names to digests.
func parseDeltas(v gvariant.Variant) ([]DeltaDigest, error) {
	if v.Type != dictType {
		return nil, fmt.Errorf("type %q, want %q: %w", v.Type, dictType, ErrMalformed)
	}
	var out []DeltaDigest
	for _, x := range v.Value.([]any) {
		e := x.(gvariant.Entry)
		name := e.Key.(string)
		raw, ok := e.Value.(gvariant.Variant).Value.([]byte)
		if !ok {
			return nil, fmt.Errorf("delta %s: no checksum: %w", name, ErrMalformed)
		}
		sum, err := checksumOf("delta "+name, raw)
		if err != nil {
			return nil, err
		}
		out = append(out, DeltaDigest{name, sum})
	}
	return out, nil
}
