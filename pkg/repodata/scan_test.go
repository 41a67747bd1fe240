package repodata

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// events lists what the scanner tells of a document: a tag, with the text in front of
// those that end an element without children.
func events(r io.Reader) (out []string, err error) {
	s := newScanner(r)
	leaf := false
	for {
		if err := s.next(); err == io.EOF {
			return out, nil
		} else if err != nil {
			return out, err
		}
		if !s.closes {
			e := "<" + string(s.name)
			for _, a := range s.attrs {
				e += fmt.Sprintf(" %s=%q", a.name, a.value)
			}
			out, leaf = append(out, e), true
			continue
		}
		e := "/" + string(s.name)
		if leaf {
			text, err := s.text()
			if err != nil {
				return out, err
			}
			e += " " + fmt.Sprintf("%q", text)
		}
		out, leaf = append(out, e), false
	}
}

// theirs is the same by encoding/xml.
func theirs(b []byte) (out []string, err error) {
	d := xml.NewDecoder(bytes.NewReader(b))
	leaf, text := false, ""
	for {
		t, err := d.Token()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			e := "<" + t.Name.Local
			for _, a := range t.Attr {
				e += fmt.Sprintf(" %s=%q", a.Name.Local, a.Value)
			}
			out, leaf, text = append(out, e), true, ""
		case xml.CharData:
			text += string(t)
		case xml.EndElement:
			e := "/" + t.Name.Local
			if leaf {
				e += " " + fmt.Sprintf("%q", text)
			}
			out, leaf = append(out, e), false
		}
	}
}

const sample = "<?xml version='1.0' encoding=\"utf-8\"?>\n<!-- <x> --><a:r xmlns:a='u' b = \"1 > 0 &amp; &#x3c;&#60;\"><x/><y z='&quot;\"' >t&lt;<!-- c -->u<![CDATA[<&amp;>]]>v</y ><z>é&apos;</z></a:r>\n"

// TestScan compares with encoding/xml, over real files and one that has everything;
// the reader gives one byte at a time, or much.
func TestScan(t *testing.T) {
	docs := map[string][]byte{"everything": []byte(sample)}
	files, err := filepath.Glob("testdata/[mru]*/*.xml") // comps have a document type
	if err != nil || len(files) == 0 {
		t.Fatalf("no XML in testdata: %v", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		docs[f] = b
	}
	for name, doc := range docs {
		want, err := theirs(doc)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for kind, r := range map[string]io.Reader{"whole": bytes.NewReader(doc), "bytes": iotest.OneByteReader(bytes.NewReader(doc)), "with its end": iotest.DataErrReader(bytes.NewReader(doc))} {
			if got, err := events(r); err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("%s, %s: %v, %q, want %q", name, kind, err, got, want)
			}
		}
	}
}

func TestScanHostile(t *testing.T) {
	for name, doc := range map[string]string{
		"empty": "", "text": "x", "open": "<a>", "closed twice": "<a></a></a>", "crossed": "<a><b></a></b>", "second root": "<a/><b/>",
		"entity": "<a>&b;</a>", "bomb": `<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>`, "attribute": "<a b=c/>", "quote": `<a b="c/>`, "cut": "<a><b",
		"tag in a tag": "<a <b>/>", "no name": "<>", "no such character": "<a>&#0;</a>", "Latin-1": `<?xml version="1.0" encoding="ISO-8859-1"?><a/>`,
		"not UTF-8": "<a>\xff</a>", "deep": strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100), "comment": "<a><!-- ", "section": "<a><![IGNORE[x]]></a>",
		"long tag": "<a b='" + strings.Repeat("x", maxToken+1) + "'/>", "long text": "<a>" + strings.Repeat("x", maxToken+1<<20) + "</a>",
	} {
		if got, err := events(strings.NewReader(doc)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %d events, %v", name, len(got), err)
		}
	}
	if _, err := events(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(sample)))); !errors.Is(err, iotest.ErrTimeout) || errors.Is(err, ErrMalformed) {
		t.Errorf("the reader's own error: %v", err)
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte(sample))
	files, _ := filepath.Glob("testdata/*/*.xml")
	if len(files) == 0 {
		f.Fatal("no seeds in testdata")
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := events(bytes.NewReader(in))
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		slow, err := events(iotest.OneByteReader(bytes.NewReader(in)))
		if err != nil || strings.Join(got, "\n") != strings.Join(slow, "\n") {
			t.Fatalf("byte by byte: %v, %q, in one %q", err, slow, got)
		}
		// encoding/xml refuses more, and makes one line end of all kinds.
		want, err := theirs(in)
		if err == nil && !bytes.ContainsAny(in, "\r:") && strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%q, encoding/xml has %q", got, want)
		}
	})
}
