package remote

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	metalinkLimit = 10 << 20 // bytes
	summaryLimit  = 128 << 20
)

// metalink is what a metalink says of one file.
type metalink struct {
	size   int64 // bytes
	digest []byte
	hash   string     // its name: sha512 or sha256
	urls   []*url.URL // the preferred ones first
}

// A MetalinkError is a metalink that cannot be used.
type MetalinkError struct {
	URL string
	Err error
}

func (e *MetalinkError) Error() string { return "metalink " + e.URL + ": " + e.Err.Error() }

func (e *MetalinkError) Unwrap() error { return e.Err }

// What is wrong with a metalink, or with the file that it leads to.
var (
	ErrNoElement = errors.New("the document does not begin with an element")
	ErrNoFile    = errors.New("no file of that name")
	ErrNoHash    = errors.New("no verification by a known hash")
	ErrNoSize    = errors.New("no size")
	ErrNoURL     = errors.New("no URL of a known kind")
)

// A DigestError is a digest in a metalink that is none.
type DigestError struct{ Hash string }

func (e *DigestError) Error() string { return "the digest of " + e.Hash + " is malformed" }

// A ContentError is a file that is not what a metalink says. When the sizes are equal
// the digests are not.
type ContentError struct {
	WantSize, Size int64
	Want, Got      string
}

func (e *ContentError) Error() string {
	if e.WantSize != e.Size {
		return fmt.Sprintf("%d bytes, want %d", e.Size, e.WantSize)
	}
	return fmt.Sprintf("digest is %s, want %s", e.Got, e.Want)
}

// metalinkXML is the part of the format that counts.
type metalinkXML struct {
	XMLName xml.Name
	Files   []struct {
		Name   string `xml:"name,attr"`
		Size   string `xml:"size"`
		Hashes []struct {
			Type string `xml:"type,attr"`
			Text string `xml:",chardata"`
		} `xml:"verification>hash"`
		URLs []struct {
			Protocol   string `xml:"protocol,attr"`
			Preference int    `xml:"preference,attr"`
			Text       string `xml:",chardata"`
		} `xml:"resources>url"`
	} `xml:"files>file"`
}

// parseMetalink reads what a metalink says of the file name.
func parseMetalink(b []byte, name string) (*metalink, error) {
	if !bytes.HasPrefix(bytes.TrimLeft(b, "\ufeff \t\r\n"), []byte("<")) {
		return nil, ErrNoElement
	}
	var doc metalinkXML
	d := xml.NewDecoder(bytes.NewReader(b))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.New("not UTF-8") }
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	if doc.XMLName.Local != "metalink" {
		return nil, ErrNoElement
	}
	for _, f := range doc.Files {
		if f.Name != name {
			continue
		}
		m := &metalink{}
		var err error
		if m.size, err = strconv.ParseInt(strings.TrimSpace(f.Size), 10, 64); err != nil || m.size <= 0 {
			return nil, ErrNoSize
		}
		hashes := map[string]string{}
		for _, h := range f.Hashes {
			hashes[h.Type] = strings.TrimSpace(h.Text)
		}
		if err := m.setDigest(hashes); err != nil {
			return nil, err
		}
		slices.SortStableFunc(f.URLs, func(a, b struct {
			Protocol   string `xml:"protocol,attr"`
			Preference int    `xml:"preference,attr"`
			Text       string `xml:",chardata"`
		}) int {
			return cmp.Compare(b.Preference, a.Preference)
		})
		for _, u := range f.URLs {
			if p, err := url.Parse(strings.TrimSpace(u.Text)); err == nil && (p.Scheme == "http" || p.Scheme == "https") && len(m.urls) < maxMirrors {
				m.urls = append(m.urls, p)
			}
		}
		if m.urls == nil {
			return nil, ErrNoURL
		}
		return m, nil
	}
	return nil, ErrNoFile
}

var hashes = map[string]func() hash.Hash{"sha256": sha256.New, "sha512": sha512.New}

// setDigest takes the best of the digests.
func (m *metalink) setDigest(byType map[string]string) error {
	for _, kind := range []string{"sha512", "sha256"} {
		text, ok := byType[kind]
		if !ok {
			continue
		}
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != hashes[kind]().Size() {
			return &DigestError{kind}
		}
		m.digest, m.hash = b, kind
		return nil
	}
	return ErrNoHash
}

// check compares a file with what the metalink says.
func (m *metalink) check(b []byte) error {
	h := hashes[m.hash]()
	h.Write(b)
	e := &ContentError{m.size, int64(len(b)), hex.EncodeToString(m.digest), hex.EncodeToString(h.Sum(nil))}
	if e.Size != e.WantSize || e.Want != e.Got {
		return e
	}
	return nil
}

// followMetalink reads the summary that a metalink leads to; its folder is the base.
func (s *Source) followMetalink(ctx context.Context) error {
	u, err := parseBase(s.o.Metalink)
	if err != nil {
		return err
	}
	b, err := s.get(ctx, []*url.URL{u}, "", metalinkLimit)
	if err != nil {
		return err
	}
	m, err := parseMetalink(b, "summary")
	if err == nil && m.size > summaryLimit {
		err = &LimitError{s.o.Metalink, summaryLimit}
	}
	if err != nil {
		return &MetalinkError{u.Redacted(), err}
	}
	var last error
	for _, at := range m.urls {
		b, err := s.get(ctx, []*url.URL{at}, "", summaryLimit)
		if err == nil {
			err = m.check(b)
		}
		if err == nil {
			base := *at
			base.Path, base.RawPath = path.Dir(base.Path), ""
			s.index, s.linked = []*url.URL{&base}, b
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		last = worse(last, err)
	}
	return &MetalinkError{u.Redacted(), last}
}
