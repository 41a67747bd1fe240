package repodata

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/digest"
)

// Repomd is the index of a repository's metadata.
type Repomd struct {
	Revision string
	Data     []Data
}

// Data is one file of metadata.
type Data struct {
	Type         string        // "primary", "filelists", …
	Location     string        // relative to the repository
	Checksum     digest.Digest // of the file
	OpenChecksum digest.Digest // of its content; zero when it is not compressed
	Size         int64         // bytes of the file; -1 when it is not told
	OpenSize     int64         // bytes of its content; -1 when it is not told
	Timestamp    int64         // seconds since 1970 UTC
}

// MaxRepomd is the largest repomd.xml, in bytes.
const MaxRepomd = 4 << 20

type xmlChecksum struct {
	Type  string `xml:"type,attr"`
	Value string `xml:",chardata"`
}

type xmlRepomd struct {
	XMLName  xml.Name `xml:"repomd"`
	Revision string   `xml:"revision"`
	Data     []struct {
		Type         string       `xml:"type,attr"`
		Checksum     xmlChecksum  `xml:"checksum"`
		OpenChecksum *xmlChecksum `xml:"open-checksum"`
		Location     struct {
			Href string `xml:"href,attr"`
		} `xml:"location"`
		Timestamp string `xml:"timestamp"`
		Size      string `xml:"size"`
		OpenSize  string `xml:"open-size"`
	} `xml:"data"`
}

// ParseRepomd reads repomd.xml.
func ParseRepomd(b []byte) (*Repomd, error) {
	if len(b) > MaxRepomd {
		return nil, fmt.Errorf("repomd.xml of %d bytes, at most %d are allowed: %w", len(b), MaxRepomd, ErrMalformed)
	}
	var x xmlRepomd
	if err := xml.Unmarshal(b, &x); err != nil {
		return nil, fmt.Errorf("repomd.xml: %v: %w", err, ErrMalformed)
	}
	r := &Repomd{Revision: x.Revision}
	for _, d := range x.Data {
		out := Data{Type: d.Type, Location: d.Location.Href}
		bad := func(field string, err error) error {
			return fmt.Errorf("repomd.xml: %s: %s: %v: %w", d.Type, field, err, ErrMalformed)
		}
		if err := checkLocation(out.Location); err != nil {
			return nil, bad("location", err)
		}
		var err error
		if out.Checksum, err = digest.New(digest.Algorithm(d.Checksum.Type), strings.TrimSpace(d.Checksum.Value)); err != nil {
			return nil, bad("checksum", err)
		}
		if d.OpenChecksum != nil {
			if out.OpenChecksum, err = digest.New(digest.Algorithm(d.OpenChecksum.Type), strings.TrimSpace(d.OpenChecksum.Value)); err != nil {
				return nil, bad("open-checksum", err)
			}
		}
		if out.Size, err = optionalSize(d.Size); err != nil {
			return nil, bad("size", err)
		}
		if out.OpenSize, err = optionalSize(d.OpenSize); err != nil {
			return nil, bad("open-size", err)
		}
		// Some writers have fractions of a second.
		whole, _, _ := strings.Cut(strings.TrimSpace(d.Timestamp), ".")
		out.Timestamp, _ = strconv.ParseInt(whole, 10, 64)
		r.Data = append(r.Data, out)
	}
	return r, nil
}

func optionalSize(s string) (int64, error) {
	if s = strings.TrimSpace(s); s == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil && n < 0 {
		err = fmt.Errorf("%d is negative", n)
	}
	return n, err
}

// checkLocation refuses places that leave the repository.
func checkLocation(s string) error {
	if s == "" || strings.HasPrefix(s, "/") || strings.Contains(s, "://") {
		return fmt.Errorf("%q is not below the repository", s)
	}
	for c := range strings.SplitSeq(s, "/") {
		if c == ".." {
			return fmt.Errorf("%q leaves the repository", s)
		}
	}
	return nil
}

// Find returns the metadata of a type.
func (r *Repomd) Find(typ string) (Data, bool) {
	for _, d := range r.Data {
		if d.Type == typ {
			return d, true
		}
	}
	return Data{}, false
}

// Timestamp is the age of the repository: its revision when that is a time, else
// the newest time of its files.
func (r *Repomd) Timestamp() int64 {
	if n, err := strconv.ParseInt(strings.TrimSpace(r.Revision), 10, 64); err == nil {
		return n
	}
	var newest int64
	for _, d := range r.Data {
		newest = max(newest, d.Timestamp)
	}
	return newest
}

// decoder returns an XML decoder that knows no entities but XML's own.
func decoder(r io.Reader) *xml.Decoder {
	d := xml.NewDecoder(r)
	d.Strict = true
	return d
}
