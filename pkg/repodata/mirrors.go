package repodata

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/digest"
)

// ParseMirrorlist reads base URLs, one a line.
func ParseMirrorlist(b []byte) (bases []string) {
	for line := range strings.Lines(string(b)) {
		if l := strings.TrimSpace(line); strings.HasPrefix(l, "http://") || strings.HasPrefix(l, "https://") || strings.HasPrefix(l, "file://") {
			bases = append(bases, l)
		}
	}
	return bases
}

// Metalink is what a metalink says of a repository.
type Metalink struct {
	Bases   []string        // the preferred ones first
	Digests []digest.Digest // one of which repomd.xml has; those that a forger can match are left out
}

type xmlURL struct {
	Protocol   string `xml:"protocol,attr"`
	Preference int    `xml:"preference,attr"`
	Value      string `xml:",chardata"`
}

type xmlHash struct {
	Type  string `xml:"type,attr"`
	Value string `xml:",chardata"`
}

// ParseMetalink reads a metalink of repomd.xml.
func ParseMetalink(b []byte) (*Metalink, error) {
	var x struct {
		XMLName xml.Name `xml:"metalink"`
		Files   []struct {
			Name       string    `xml:"name,attr"`
			Hashes     []xmlHash `xml:"verification>hash"`
			Alternates []struct {
				Hashes []xmlHash `xml:"verification>hash"`
			} `xml:"alternates>alternate"`
			URLs []xmlURL `xml:"resources>url"`
		} `xml:"files>file"`
	}
	if err := xml.Unmarshal(b, &x); err != nil {
		return nil, fmt.Errorf("metalink: %v: %w", err, ErrMalformed)
	}
	out := &Metalink{}
	for _, f := range x.Files {
		if f.Name != "repomd.xml" {
			continue
		}
		hashes := f.Hashes
		for _, a := range f.Alternates {
			hashes = append(hashes, a.Hashes...)
		}
		for _, h := range hashes {
			d, err := digest.New(digest.Algorithm(strings.ToLower(strings.ReplaceAll(h.Type, "-", ""))), strings.TrimSpace(h.Value))
			if err == nil && d.Algorithm.Strong() {
				out.Digests = append(out.Digests, d)
			}
		}
		slices.SortStableFunc(f.URLs, func(a, b xmlURL) int { return cmp.Compare(b.Preference, a.Preference) })
		for _, u := range f.URLs {
			base, ok := strings.CutSuffix(strings.TrimSpace(u.Value), "/repodata/repomd.xml")
			if ok && (strings.HasPrefix(base, "http://") || strings.HasPrefix(base, "https://")) {
				out.Bases = append(out.Bases, base)
			}
		}
	}
	return out, nil
}
