package rpmdb

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/rpm"
)

// Types of header values.
const (
	typeChar  = 1
	typeInt32 = 4
	typeInt64 = 5
	typeBin   = 7
)

// translated are the signature tags that get another number in the database.
var translated = map[uint32]uint32{1000: 257, 1002: 259, 1004: 261, 1005: 262, 1007: 1046, 274: 5090, 275: 5091}

// kept are the signature tags that keep their number.
var kept = map[uint32]bool{267: true, 268: true, 269: true, 270: true, 271: true, 273: true, 276: true, 277: true, 278: true, 279: true}

// Facts of an installation.
const (
	tagInstallTime  = 1008
	tagFileStates   = 1029
	tagPrefixes     = 1098
	tagInstPrefixes = 1099
	tagInstallColor = 1127
	tagRPMFormat    = 5114
)

// stateNotInstalled marks a file that was left out.
const stateNotInstalled = 2

// multilibColor is x86_64's: both 32-bit and 64-bit.
const multilibColor = 3

// headerBlob is a package's header as the database keeps it.
func headerBlob(p Installed, installTime, transaction int64) ([]byte, error) {
	extra := signatureTags(p.Header)
	extra = append(extra, int32Entry(tagInstallTime, installTime), int32Entry(tagInstallColor, multilibColor), int32Entry(tagInstallTID, transaction))
	paths, err := p.Header.Paths()
	if err != nil {
		return nil, err
	}
	if len(paths) > 0 {
		states := make([]byte, len(paths))
		for _, i := range p.NotInstalled {
			states[i] = stateNotInstalled
		}
		extra = append(extra, rpm.Entry{Tag: tagFileStates, Type: typeChar, Count: uint32(len(states)), Value: states})
	}
	for _, e := range p.Header.Entries() {
		if e.Tag == tagPrefixes {
			e.Tag = tagInstPrefixes
			extra = append(extra, e)
		}
	}
	slices.SortStableFunc(extra, func(a, b rpm.Entry) int { return cmp.Compare(a.Tag, b.Tag) })
	return assemble(p.Header.Region(), extra), nil
}

func int32Entry(tag uint32, v int64) rpm.Entry {
	return rpm.Entry{Tag: tag, Type: typeInt32, Count: 1, Value: binary.BigEndian.AppendUint32(nil, uint32(v))}
}

func signatureTags(h *rpm.Header) (out []rpm.Entry) {
	v6 := len(h.Ints(tagRPMFormat)) > 0 && h.Ints(tagRPMFormat)[0] >= 6
	for _, e := range h.SignatureEntries() {
		if to, ok := translated[e.Tag]; ok && !(v6 && e.Tag >= 1000) {
			e.Tag = to
			out = append(out, e)
		} else if kept[e.Tag] {
			out = append(out, e)
		}
	}
	return out
}

const (
	magicSize = 8
	introSize = 16
	entrySize = 16
)

// assemble puts entries behind a region. The blob lacks the magic of a header.
func assemble(region []byte, extra []rpm.Entry) []byte {
	be := binary.BigEndian
	il := int(be.Uint32(region[magicSize:]))
	index := slices.Clone(region[introSize : introSize+il*entrySize])
	data := slices.Clone(region[introSize+il*entrySize:])
	for _, e := range extra {
		align := map[uint32]int{typeInt32: 4, typeInt64: 8}[e.Type]
		for align > 0 && len(data)%align != 0 {
			data = append(data, 0)
		}
		for _, n := range []uint32{e.Tag, e.Type, uint32(len(data)), e.Count} {
			index = be.AppendUint32(index, n)
		}
		data = append(data, e.Value...)
	}
	out := be.AppendUint32(nil, uint32(il+len(extra)))
	out = be.AppendUint32(out, uint32(len(data)))
	return append(append(out, index...), data...)
}

// richNames lists the names in a rich dependency as rpm indexes them: those of a
// condition negated with "!", sorted by the bytes of mark and name, each once.
func richNames(s string) ([]string, error) {
	r, err := nevra.ParseRich(s)
	if err != nil {
		return nil, err
	}
	var marked []string
	collect(r, false, &marked)
	slices.Sort(marked)
	marked = slices.Compact(marked)
	out := make([]string, len(marked))
	for i, m := range marked {
		if out[i] = m; m[0] == ' ' {
			out[i] = m[1:]
		}
	}
	return out, nil
}

func collect(r *nevra.Rich, negated bool, out *[]string) {
	if r.Op == "" {
		if len(r.Leaf.Name) > 7 && r.Leaf.Name[:7] == "rpmlib(" {
			return
		}
		mark := " "
		if negated {
			mark = "!"
		}
		*out = append(*out, mark+r.Leaf.Name)
		return
	}
	conditional := r.Op == nevra.If || r.Op == nevra.Unless
	for i, o := range r.Operands {
		collect(o, negated != (conditional && i == 1), out)
	}
	if conditional && len(r.Operands) == 3 {
		collect(r.Operands[1], negated, out)
	}
}
