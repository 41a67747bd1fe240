package rpm

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	cavalier "github.com/cavaliergopher/rpm"

	"github.com/treewright/treewright/pkg/nevra"
)

const leadSize = 96

// Header is the headers of a package.
type Header struct {
	// Start and End are the byte range of the main header in the package file.
	Start, End int64

	lead      []byte
	signature *rawHeader
	main      *rawHeader
	tags      *cavalier.Header
}

// ReadHeader reads lead, signature header and main header from the start of a
// package; r is then at the payload. The header's own digests are checked.
//
// Errors wrap [ErrMalformed], or [ErrCorrupt] when a digest is wrong.
func ReadHeader(r io.Reader) (*Header, error) {
	h, err := readHeaders(r)
	if err != nil {
		return nil, err
	}
	if err := digestError(h.headerDigests()); err != nil {
		return nil, fmt.Errorf("main header at byte %d: %w", h.Start, err)
	}
	return h, nil
}

// readHeaders is ReadHeader without the digests.
func readHeaders(r io.Reader) (*Header, error) {
	h := &Header{lead: make([]byte, leadSize)}
	if n, err := io.ReadFull(r, h.lead); err != nil {
		return nil, fmt.Errorf("lead: %d bytes of %d: %w", n, leadSize, ErrMalformed)
	}
	if !bytes.Equal(h.lead[:4], []byte{0xed, 0xab, 0xee, 0xdb}) {
		return nil, fmt.Errorf("lead: magic is %x, this is no RPM package: %w", h.lead[:4], ErrMalformed)
	}
	var err error
	if h.signature, err = readRaw(r, tagHeaderSignatures); err != nil {
		return nil, fmt.Errorf("signature header at byte %d: %w", leadSize, err)
	}
	pad := (8 - len(h.signature.bytes)%8) % 8
	h.Start = int64(leadSize + len(h.signature.bytes) + pad)
	if _, err := io.CopyN(io.Discard, r, int64(pad)); err != nil {
		return nil, fmt.Errorf("signature header at byte %d: cut in its padding: %w", leadSize, ErrMalformed)
	}
	if h.main, err = readRaw(r, tagHeaderImmutable); err != nil {
		return nil, fmt.Errorf("main header at byte %d: %w", h.Start, err)
	}
	h.End = h.Start + int64(len(h.main.bytes))
	return h, h.decode(pad)
}

// decode has the library decode the values of the checked headers.
func (h *Header) decode(pad int) error {
	all := bytes.Join([][]byte{h.lead, h.signature.bytes, make([]byte, pad), h.main.bytes}, nil)
	p, err := cavalier.Read(bytes.NewReader(all))
	if err != nil {
		return fmt.Errorf("%v: %w", err, ErrMalformed)
	}
	h.tags = &p.Header
	if h.text(tagName) == "" || h.text(tagVersion) == "" {
		return fmt.Errorf("main header: no name or version: %w", ErrMalformed)
	}
	return nil
}

// Region is the main header's immutable region with its intro, which an rpmdb keeps;
// for a package without one, the whole header.
func (h *Header) Region() []byte {
	if h.main.region != nil {
		return h.main.region
	}
	return h.main.bytes
}

// SignatureEntries are the tags of the signature header, in its order.
func (h *Header) SignatureEntries() []Entry { return h.signature.entries }

// Entries are the tags of the main header, in its order.
func (h *Header) Entries() []Entry { return h.main.entries }

func (h *Header) text(tag int) string      { return h.tags.GetTag(tag).String() }
func (h *Header) strings(tag int) []string { return h.tags.GetTag(tag).StringSlice() }
func (h *Header) ints(tag int) []int64     { return h.tags.GetTag(tag).Int64Slice() }
func (h *Header) num(tag int) int64        { return h.tags.GetTag(tag).Int64() }

// Strings returns the values of a tag that is a string or an array of strings.
func (h *Header) Strings(tag int) []string { return h.strings(tag) }

// Ints returns the values of a tag of numbers of 16 bits or more.
func (h *Header) Ints(tag int) []int64 { return h.ints(tag) }

// NEVRA names the package.
func (h *Header) NEVRA() nevra.NEVRA {
	n := nevra.NEVRA{Name: h.text(tagName), Arch: h.text(tagArch), EVR: nevra.EVR{Version: h.text(tagVersion), Release: h.text(tagRelease)}}
	if e := h.ints(tagEpoch); len(e) > 0 {
		n.Epoch = strconv.FormatInt(e[0], 10)
	}
	return n
}

// Info is what describes a package for people and repositories.
type Info struct {
	Summary, Description, License, Vendor, Packager, Group, URL, BuildHost, SourceRPM string
	BuildTime                                                                         int64 // seconds since 1970 UTC
	InstalledSize                                                                     int64 // bytes
}

// Info returns what describes the package.
func (h *Header) Info() Info {
	size := h.num(tagSize)
	if l := h.ints(tagLongSize); len(l) > 0 {
		size = l[0]
	}
	return Info{Summary: h.text(tagSummary), Description: h.text(tagDescription), License: h.text(tagLicense),
		Vendor: h.text(tagVendor), Packager: h.text(tagPackager), Group: h.text(tagGroup), URL: h.text(tagURL),
		BuildHost: h.text(tagBuildHost), SourceRPM: h.text(tagSourceRPM), BuildTime: h.num(tagBuildTime), InstalledSize: size}
}

// IsSource tells whether this is a source package.
func (h *Header) IsSource() bool { return h.text(tagSourceRPM) == "" }

// Dependency is a relation with RPM's flag bits, of which the relation has three.
type Dependency struct {
	nevra.Relation
	Sense uint32
}

// Bits of a dependency's sense beside its versions.
const (
	SensePre    = 0x200
	SensePost   = 0x400
	SenseRPMLib = 0x1000000
	SenseConfig = 0x10000000
)

func (h *Header) deps(t depTags) ([]Dependency, error) {
	names, flags, versions := h.strings(t.name), h.ints(t.flags), h.strings(t.version)
	if len(names) != len(flags) && len(flags) > 0 || len(names) != len(versions) && len(versions) > 0 {
		return nil, fmt.Errorf("tag %d: %d names, %d flags, %d versions: %w", t.name, len(names), len(flags), len(versions), ErrMalformed)
	}
	var out []Dependency
	for i, name := range names {
		d := Dependency{Relation: nevra.Relation{Name: name}}
		if len(flags) > 0 {
			d.Sense = uint32(flags[i])
			d.Flags = nevra.Flag(flags[i] & 0xe)
		}
		if len(versions) > 0 && versions[i] != "" && d.Flags != 0 {
			v, err := nevra.ParseEVR(versions[i])
			if err != nil { // old packages have odd ones: compare them as a version
				v = nevra.EVR{Version: versions[i]}
			}
			d.EVR = v
		} else {
			d.Flags = 0
		}
		out = append(out, d)
	}
	return out, nil
}

// Dependencies are what a package provides, needs and excludes.
type Dependencies struct {
	Provides, Requires, Conflicts, Obsoletes, Recommends, Suggests, Supplements, Enhances []Dependency
}

// Dependencies returns all relations of the package.
func (h *Header) Dependencies() (d Dependencies, err error) {
	for _, k := range []struct {
		tags depTags
		list *[]Dependency
	}{
		{providesTags, &d.Provides}, {requiresTags, &d.Requires}, {conflictsTags, &d.Conflicts}, {obsoletesTags, &d.Obsoletes},
		{recommendsTags, &d.Recommends}, {suggestsTags, &d.Suggests}, {supplementsTags, &d.Supplements}, {enhancesTags, &d.Enhances},
	} {
		if *k.list, err = h.deps(k.tags); err != nil {
			return d, err
		}
	}
	return d, nil
}

// Bytes are lead and headers as they were read, from which [ReadHeader] makes the
// same Header.
func (h *Header) Bytes() []byte {
	pad := (8 - len(h.signature.bytes)%8) % 8
	return bytes.Join([][]byte{h.lead, h.signature.bytes, make([]byte, pad), h.main.bytes}, nil)
}
