package repodata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/nevra"
)

// Limits of a package.
const (
	maxPackages = 4 << 20
	maxEntries  = 1 << 20 // relations and files of one package
)

// ParsePrimary reads primary metadata from its decompressed bytes. Source packages
// are passed over. The packages come in the file's order.
//
// Every error but r's wraps [ErrMalformed] and names the byte where it is.
func ParsePrimary(r io.Reader) ([]*Package, error) {
	var out []*Package
	err := scanPrimary(r, false, func(p *Package) error {
		out = append(out, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ScanPrimary is [ParsePrimary] that keeps nothing: each package is valid only until
// found returns, but for its texts.
func ScanPrimary(r io.Reader, found func(*Package) error) error { return scanPrimary(r, true, found) }

func scanPrimary(r io.Reader, reuse bool, found func(*Package) error) error {
	p := &primary{scanner: newScanner(r), names: map[string]string{}, found: found, reuse: reuse}
	for {
		err := p.next()
		if err == io.EOF {
			return nil
		}
		if err == nil && p.closes {
			err = p.end(string(p.name))
		} else if err == nil {
			err = p.start()
		}
		if err != nil {
			return p.fail("primary", err)
		}
	}
}

// fail says of an error where in what it is.
func (s *scanner) fail(what string, err error) error {
	return fmt.Errorf("%s: at byte %d: %w", what, s.offset(), err)
}

type primary struct {
	*scanner
	found func(*Package) error
	reuse bool
	spare *Package
	count int

	cur   *Package
	list  *[]nevra.Relation // of the dependency element that we are in
	kind  string            // type attribute of the checksum or the file
	names map[string]string // one copy of each text that comes often
}

// intern returns a text, the same copy for equal ones.
func (p *primary) intern(b []byte) string {
	if i, ok := p.names[string(b)]; ok {
		return i
	}
	if len(p.names) == 1<<16 { // a bound for what is kept; copies are only dearer
		clear(p.names)
	}
	s := string(b)
	p.names[s] = s
	return s
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

// relationKinds are their names, in the order in which createrepo_c writes them.
var relationKinds = []string{"provides", "requires", "conflicts", "obsoletes", "suggests", "enhances", "recommends", "supplements"}

func malformed(format string, a ...any) error {
	return fmt.Errorf("%w: %w", fmt.Errorf(format, a...), ErrMalformed)
}

func (p *primary) start() error {
	switch depth := len(p.starts); {
	case depth == 1:
		if string(p.name) != "metadata" {
			return malformed("the root is %s, want metadata", p.name)
		}
		return nil
	case depth == 2 && string(p.name) == "package":
		p.begin()
		return nil
	case p.cur == nil:
		return nil
	}
	switch string(p.name) {
	case "entry":
		return p.entry()
	case "checksum", "file":
		p.kind = p.intern(p.attr("type"))
	case "version":
		p.cur.NEVRA.EVR = nevra.EVR{Epoch: p.intern(p.attr("epoch")), Version: p.intern(p.attr("ver")), Release: p.intern(p.attr("rel"))}
	case "time":
		return errors.Join(p.number("build", &p.cur.BuildTime), p.number("file", &p.cur.FileTime))
	case "size":
		return errors.Join(p.number("package", &p.cur.Size), p.number("installed", &p.cur.InstalledSize), p.number("archive", &p.cur.ArchiveSize))
	case "header-range":
		return errors.Join(p.number("start", &p.cur.HeaderStart), p.number("end", &p.cur.HeaderEnd))
	case "location":
		p.cur.Location, p.cur.Base = string(p.attr("href")), p.intern(p.attr("base"))
	default:
		if l := p.cur.relations(string(p.name)); l != nil {
			p.list = l
		}
	}
	return nil
}

// begin begins a package, in the one before when that is free.
func (p *primary) begin() {
	p.list, p.kind = nil, ""
	if !p.reuse || p.spare == nil {
		p.cur = &Package{}
		return
	}
	o := p.spare
	p.cur = o
	clear(o.PreRequires)
	*o = Package{Provides: o.Provides[:0], Requires: o.Requires[:0], Conflicts: o.Conflicts[:0], Obsoletes: o.Obsoletes[:0],
		Recommends: o.Recommends[:0], Suggests: o.Suggests[:0], Supplements: o.Supplements[:0], Enhances: o.Enhances[:0],
		PreRequires: o.PreRequires, Files: o.Files[:0]}
}

// number reads an attribute that is a number, when it is there.
func (p *primary) number(name string, to *int64) error {
	b := p.attr(name)
	if len(b) == 0 {
		return nil
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil || n < 0 {
		return malformed("element %s: %s=%q is no number", p.name, name, b)
	}
	*to = n
	return nil
}

// entryFlags are the comparisons of an entry.
func entryFlags(b []byte) (nevra.Flag, bool) {
	switch string(b) {
	case "":
		return 0, true
	case "EQ":
		return nevra.EQ, true
	case "LT":
		return nevra.LT, true
	case "GT":
		return nevra.GT, true
	case "LE":
		return nevra.LT | nevra.EQ, true
	case "GE":
		return nevra.GT | nevra.EQ, true
	}
	return 0, false
}

func (p *primary) entry() error {
	if p.list == nil {
		return malformed("element entry is out of place")
	}
	name := p.attr("name")
	flags, ok := entryFlags(p.attr("flags"))
	switch {
	case !ok:
		return malformed("entry %s: flags %q are not known", name, p.attr("flags"))
	case len(name) == 0:
		return malformed("entry without a name")
	case len(*p.list) == maxEntries:
		return malformed("more than %d entries", maxEntries)
	}
	r := nevra.Relation{Name: p.intern(name), Flags: flags}
	if flags != 0 {
		r.EVR = nevra.EVR{Epoch: p.intern(p.attr("epoch")), Version: p.intern(p.attr("ver")), Release: p.intern(p.attr("rel"))}
	}
	if string(p.attr("pre")) == "1" && p.list == &p.cur.Requires {
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
		return nil
	}
	if c.relations(name) != nil {
		p.list = nil
		return nil
	}
	if name == "package" && len(p.starts) == 1 {
		return p.finish()
	}
	to, common := c.text(name)
	if to == nil && name != "file" && name != "checksum" {
		return nil
	}
	text, err := p.text()
	if err != nil {
		return err
	}
	switch {
	case name == "file":
		if len(c.Files) == maxEntries {
			return malformed("more than %d files", maxEntries)
		}
		c.Files = append(c.Files, File{string(text), p.kind})
	case name == "checksum":
		if c.Checksum, err = digest.New(digest.Algorithm(p.kind), string(bytes.TrimSpace(text))); err != nil {
			return malformed("package %s: %v", c.NEVRA.Name, err)
		}
	case common:
		*to = p.intern(text)
	default:
		*to = string(text)
	}
	return nil
}

// text is where the text of an element goes; common tells that many packages have
// the same.
func (p *Package) text(name string) (to *string, common bool) {
	switch name {
	case "name":
		return &p.NEVRA.Name, true
	case "arch":
		return &p.NEVRA.Arch, true
	case "summary":
		return &p.Summary, false
	case "description":
		return &p.Description, false
	case "packager":
		return &p.Packager, true
	case "url":
		return &p.URL, true
	case "license":
		return &p.License, true
	case "vendor":
		return &p.Vendor, true
	case "group":
		return &p.Group, true
	case "buildhost":
		return &p.BuildHost, true
	case "sourcerpm":
		return &p.SourceRPM, true
	}
	return nil, false
}

// finish checks a package and hands it on.
func (p *primary) finish() error {
	c := p.cur
	p.cur, p.spare = nil, c
	if c.NEVRA.Arch == "src" || c.NEVRA.Arch == "nosrc" {
		return nil
	}
	if c.NEVRA.Name == "" || c.NEVRA.Arch == "" || c.NEVRA.Version == "" || c.Checksum.IsZero() {
		return malformed("package %q lacks name, version, arch or checksum", c.NEVRA)
	}
	if strings.ContainsAny(c.NEVRA.Name, "/\x00") || strings.ContainsAny(c.NEVRA.Arch, "/\x00") ||
		strings.ContainsAny(c.NEVRA.Version, "/\x00") || strings.ContainsAny(c.NEVRA.Release, "/\x00") {
		return malformed("package %q has a slash in its name", c.NEVRA)
	}
	if c.Base == "" {
		if err := checkLocation(c.Location); err != nil {
			return malformed("package %s: location %v", c.NEVRA, err)
		}
	}
	if p.count++; p.count > maxPackages {
		return malformed("more than %d packages", maxPackages)
	}
	return p.found(c)
}
