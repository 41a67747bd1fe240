package ostreecmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// showSummary shows a summary as the options say.
func (e *env) showSummary(b []byte, o summaryOptions) error {
	s, err := readSummary(b)
	if err != nil {
		return err
	}
	switch {
	case *o.raw:
		return e.dumpVariant(s.whole, false)
	case *o.listKeys:
		for _, m := range s.meta {
			e.printf("%s\n", m.Key)
		}
		return nil
	case e.given("print-metadata-key"):
		v, ok := s.meta.Lookup(*o.printKey)
		if !ok {
			return fmt.Errorf("No such metadata key '%s'", *o.printKey)
		}
		return e.dumpVariant(v, false)
	}
	return e.viewSummary(s)
}

// summary is what a summary holds, in the order of the file.
type summary struct {
	refs  []any // of type (s(taya{sv}))
	meta  ostree.Metadata
	whole gvariant.Variant
}

// readSummary decodes a summary that ParseSummary takes for one.
func readSummary(b []byte) (*summary, error) {
	if _, err := ostree.ParseSummary(b); err != nil {
		return nil, err
	}
	v, err := gvariant.Decode(ostree.SummaryType, b)
	if err != nil {
		return nil, err
	}
	t := v.(gvariant.Tuple)
	return &summary{refs: t[0].([]any), meta: metadata(t[1]), whole: gvariant.Variant{Type: ostree.SummaryType, Value: v}}, nil
}

// metadata is a value of type a{sv}.
func metadata(v any) ostree.Metadata {
	var out ostree.Metadata
	for _, x := range v.([]any) {
		entry := x.(gvariant.Entry)
		out = append(out, ostree.MetaEntry{Key: entry.Key.(string), Value: entry.Value.(gvariant.Variant)})
	}
	return out
}

// viewSummary shows a summary to people.
func (e *env) viewSummary(s *summary) error {
	id := s.meta.Text("ostree.summary.collection-id")
	if err := e.viewRefs(id, s.refs); err != nil {
		return err
	}
	if v, ok := s.meta.Lookup("ostree.summary.collection-map"); ok {
		for _, x := range v.Value.([]any) {
			entry := x.(gvariant.Entry)
			if err := e.viewRefs(entry.Key.(string), entry.Value.([]any)); err != nil {
				return err
			}
		}
	}
	return e.viewMetadata("", s.meta)
}

func (e *env) viewRefs(collection string, refs []any) error {
	for _, x := range refs {
		t := x.(gvariant.Tuple)
		commit := t[1].(gvariant.Tuple)
		name := repo.RefName{Collection: collection, Name: t[0].(string)}
		e.printf("* %s\n    Latest Commit (%s):\n      %x\n", name, formatSize(commit[0].(uint64)), commit[1])
		if err := e.viewMetadata("    ", metadata(commit[2])); err != nil {
			return err
		}
		e.printf("\n")
	}
	return nil
}

// summaryNames are what people call keys of a summary.
var summaryNames = map[string]string{
	"ostree.summary.mode": "Repository Mode", "ostree.summary.last-modified": "Last-Modified", "ostree.summary.expires": "Expires",
	"ostree.summary.tombstone-commits": "Has Tombstone Commits", "ostree.static-deltas": "Static Deltas",
	"ostree.summary.collection-id": "Collection ID", "ostree.summary.collection-map": "Collection Map",
	"ostree.commit.timestamp": "Timestamp", "ostree.commit.version": "Version",
}

func (e *env) viewMetadata(indent string, meta ostree.Metadata) error {
	for _, m := range meta {
		text, err := summaryValue(m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Key, err)
		}
		key := m.Key
		if name := summaryNames[key]; name != "" {
			key = name + " (" + key + ")"
		}
		e.printf("%s%s: %s\n", indent, key, text)
	}
	return nil
}

// summaryValue is the text for people of a value.
func summaryValue(m ostree.MetaEntry) (string, error) {
	switch v := m.Value.Value.(type) {
	case uint64:
		if summaryNames[m.Key] != "" {
			seconds := ostree.Metadata{m}.Seconds(m.Key)
			return formatDate(time.Unix(int64(seconds), 0)), nil
		}
	case string:
		if summaryNames[m.Key] != "" {
			return v, nil
		}
	case bool:
		if summaryNames[m.Key] != "" {
			return map[bool]string{true: "Yes", false: "No"}[v], nil
		}
	}
	if m.Key == "ostree.summary.collection-map" {
		return "(printed above)", nil
	}
	return m.Value.Text(false)
}

// formatDate has the zone as short as it can be: +00, +05:30.
func formatDate(t time.Time) string {
	return strings.TrimSuffix(t.Format("2006-01-02T15:04:05-07:00"), ":00")
}
