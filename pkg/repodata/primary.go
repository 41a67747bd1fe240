package repodata

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/nevra"
)

// ParsePrimary reads primary metadata, one package at a time, from its decompressed
// bytes. Source packages are passed over. The packages come in the file's order.
//
// Every error but r's wraps [ErrMalformed] and names the byte where it is.
func ParsePrimary(r io.Reader) ([]*Package, error) {
	p := &primary{d: decoder(r), names: map[string]string{}}
	for {
		t, err := p.d.RawToken()
		if err == io.EOF {
			if !p.closed {
				return nil, p.bad(fmt.Errorf("element metadata is missing or does not end: %w", ErrMalformed))
			}
			return p.out, nil
		}
		if err != nil {
			return nil, p.bad(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			err = p.start(t)
		case xml.EndElement:
			err = p.end(t.Name.Local)
		case xml.CharData:
			if p.wanted {
				p.text = append(p.text, t...)
			}
		}
		if err != nil {
			return nil, p.bad(err)
		}
	}
}

type primary struct {
	d      *xml.Decoder
	out    []*Package
	cur    *Package
	rooted bool              // metadata has begun
	closed bool              // and ended
	list   *[]nevra.Relation // of the dependency element that we are in
	kind   string            // type attribute of the checksum or the file
	text   []byte
	wanted bool
	names  map[string]string // one copy of each text that comes often
}

func (p *primary) bad(err error) error {
	var syntax *xml.SyntaxError
	if errors.Is(err, ErrMalformed) || errors.As(err, &syntax) || p.cur != nil || !p.rooted {
		return fmt.Errorf("primary: at byte %d: %v: %w", p.d.InputOffset(), err, ErrMalformed)
	}
	return fmt.Errorf("primary: at byte %d: %w", p.d.InputOffset(), err)
}

func (p *primary) intern(s string) string {
	if i, ok := p.names[s]; ok {
		return i
	}
	s = strings.Clone(s)
	p.names[s] = s
	return s
}

func attr(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// relations are the elements that hold relations.
func (p *Package) relations(name string) *[]nevra.Relation {
	switch name {
	case "provides":
		return &p.Provides
	case "requires":
		return &p.Requires
	case "conflicts":
		return &p.Conflicts
	case "obsoletes":
		return &p.Obsoletes
	case "recommends":
		return &p.Recommends
	case "suggests":
		return &p.Suggests
	case "supplements":
		return &p.Supplements
	case "enhances":
		return &p.Enhances
	}
	return nil
}

// texts are the elements whose text is taken.
var texts = map[string]bool{
	"name": true, "arch": true, "summary": true, "description": true, "packager": true, "url": true, "license": true,
	"vendor": true, "group": true, "buildhost": true, "sourcerpm": true, "checksum": true, "file": true,
}

func (p *primary) start(t xml.StartElement) error {
	name := t.Name.Local
	p.text = p.text[:0]
	p.wanted = texts[name] && p.cur != nil
	if name == "metadata" {
		p.rooted = true
		return nil
	}
	if name == "package" {
		if p.cur != nil || !p.rooted {
			return errors.New("element package is out of place")
		}
		p.cur = &Package{}
		return nil
	}
	if p.cur == nil {
		return nil
	}
	if l := p.cur.relations(name); l != nil {
		p.list = l
		return nil
	}
	switch name {
	case "entry":
		return p.entry(t)
	case "checksum", "file":
		p.kind = attr(t, "type")
	case "version":
		p.cur.NEVRA.EVR = nevra.EVR{Epoch: p.intern(attr(t, "epoch")), Version: strings.Clone(attr(t, "ver")), Release: strings.Clone(attr(t, "rel"))}
	case "time":
		return errors.Join(number(t, "build", &p.cur.BuildTime), number(t, "file", &p.cur.FileTime))
	case "size":
		return errors.Join(number(t, "package", &p.cur.Size), number(t, "installed", &p.cur.InstalledSize), number(t, "archive", &p.cur.ArchiveSize))
	case "header-range":
		return errors.Join(number(t, "start", &p.cur.HeaderStart), number(t, "end", &p.cur.HeaderEnd))
	case "location":
		p.cur.Location, p.cur.Base = strings.Clone(attr(t, "href")), p.intern(attr(t, "base"))
	}
	return nil
}

func number(t xml.StartElement, name string, to *int64) error {
	s := attr(t, name)
	if s == "" {
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("element %s: %s=%q is no number", t.Name.Local, name, s)
	}
	*to = n
	return nil
}

var entryFlags = map[string]nevra.Flag{
	"": 0, "EQ": nevra.EQ, "LT": nevra.LT, "GT": nevra.GT, "LE": nevra.LT | nevra.EQ, "GE": nevra.GT | nevra.EQ,
}

func (p *primary) entry(t xml.StartElement) error {
	if p.list == nil {
		return errors.New("element entry is out of place")
	}
	flags, ok := entryFlags[attr(t, "flags")]
	if !ok {
		return fmt.Errorf("entry %s: flags %q are not known", attr(t, "name"), attr(t, "flags"))
	}
	r := nevra.Relation{Name: p.intern(attr(t, "name")), Flags: flags}
	if r.Name == "" {
		return errors.New("entry without a name")
	}
	if flags != 0 {
		r.EVR = nevra.EVR{Epoch: p.intern(attr(t, "epoch")), Version: p.intern(attr(t, "ver")), Release: p.intern(attr(t, "rel"))}
	}
	if pre := attr(t, "pre"); pre == "1" && p.list == &p.cur.Requires {
		if p.cur.PreRequires == nil {
			p.cur.PreRequires = map[int]bool{}
		}
		p.cur.PreRequires[len(*p.list)] = true
	}
	*p.list = append(*p.list, r)
	return nil
}

func (p *primary) end(name string) error {
	c := p.cur
	if c == nil {
		p.closed = p.closed || p.rooted && name == "metadata"
		return nil
	}
	if c.relations(name) != nil {
		p.list = nil
	}
	if !p.wanted && name != "package" {
		return nil
	}
	p.wanted = false
	switch name {
	case "name":
		c.NEVRA.Name = p.intern(string(p.text))
	case "arch":
		c.NEVRA.Arch = p.intern(string(p.text))
	case "summary":
		c.Summary = string(p.text)
	case "description":
		c.Description = string(p.text)
	case "packager":
		c.Packager = p.intern(string(p.text))
	case "url":
		c.URL = string(p.text)
	case "license":
		c.License = p.intern(string(p.text))
	case "vendor":
		c.Vendor = p.intern(string(p.text))
	case "group":
		c.Group = p.intern(string(p.text))
	case "buildhost":
		c.BuildHost = p.intern(string(p.text))
	case "sourcerpm":
		c.SourceRPM = p.intern(string(p.text))
	case "file":
		c.Files = append(c.Files, File{string(p.text), p.intern(p.kind)})
	case "checksum":
		var err error
		c.Checksum, err = digest.New(digest.Algorithm(p.kind), strings.TrimSpace(string(p.text)))
		return err
	case "package":
		return p.finish()
	}
	return nil
}

// finish checks a package and takes it in.
func (p *primary) finish() error {
	c := p.cur
	p.cur = nil
	if c.NEVRA.Arch == "src" || c.NEVRA.Arch == "nosrc" {
		return nil
	}
	if c.NEVRA.Name == "" || c.NEVRA.Arch == "" || c.NEVRA.Version == "" || c.Checksum.IsZero() {
		return fmt.Errorf("package %q lacks name, version, arch or checksum: %w", c.NEVRA, ErrMalformed)
	}
	if strings.ContainsAny(c.NEVRA.Name+c.NEVRA.Arch+c.NEVRA.Version+c.NEVRA.Release, "/\x00") {
		return fmt.Errorf("package %q has a slash in its name: %w", c.NEVRA, ErrMalformed)
	}
	if c.Base == "" {
		if err := checkLocation(c.Location); err != nil {
			return fmt.Errorf("package %s: location %v: %w", c.NEVRA, err, ErrMalformed)
		}
	}
	p.out = append(p.out, c)
	return nil
}

// ParseFilelists reads filelists metadata and calls found for each file of want,
// with the checksum of its package.
func ParseFilelists(r io.Reader, want map[string]bool, found func(pkgid, path string)) error {
	d := decoder(r)
	var id string
	var text []byte
	inFile := false
	for {
		t, err := d.RawToken()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("filelists: at byte %d: %v: %w", d.InputOffset(), err, ErrMalformed)
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "package":
				id = strings.Clone(attr(t, "pkgid"))
			case "file":
				inFile, text = true, text[:0]
			}
		case xml.CharData:
			if inFile {
				text = append(text, t...)
			}
		case xml.EndElement:
			if t.Name.Local == "file" {
				if inFile = false; want[string(text)] {
					found(id, string(text))
				}
			}
		}
	}
}
