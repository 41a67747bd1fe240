package rpm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// Limits of rpm itself.
const (
	maxEntries    = 65535
	maxData       = 256<<20 - 1
	maxSigEntries = 32
	maxSigData    = 64 << 20
)

const (
	introSize = 16
	entrySize = 16
)

var headerMagic = []byte{0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0}

// Types of tag values.
const (
	typeChar    = 1
	typeInt8    = 2
	typeInt16   = 3
	typeInt32   = 4
	typeInt64   = 5
	typeString  = 6
	typeBin     = 7
	typeStrings = 8
	typeI18N    = 9
)

// Entry is one tag of a header with its bytes as they lie in the data.
type Entry struct {
	Tag, Type, Count uint32
	Value            []byte
	offset           uint32
}

// rawHeader is a header whose structure was checked.
type rawHeader struct {
	bytes   []byte // intro, index and data
	entries []Entry
	region  []byte // what digests and signatures cover, the intro included; nil: no region
}

// readRaw reads a header from r and checks its structure. regionTag is 62 or 63.
func readRaw(r io.Reader, regionTag uint32) (*rawHeader, error) {
	var intro [introSize]byte
	if _, err := io.ReadFull(r, intro[:]); err != nil {
		return nil, fmt.Errorf("header: %v: %w", err, ErrMalformed)
	}
	if !bytes.Equal(intro[:8], headerMagic) {
		return nil, fmt.Errorf("header: magic is %x: %w", intro[:8], ErrMalformed)
	}
	il, dl := binary.BigEndian.Uint32(intro[8:]), binary.BigEndian.Uint32(intro[12:])
	maxIL, maxDL := uint32(maxEntries), uint32(maxData)
	if regionTag == tagHeaderSignatures {
		maxIL, maxDL = maxSigEntries, maxSigData
	}
	if il == 0 || il > maxIL || dl > maxDL {
		return nil, fmt.Errorf("header: %d entries and %d bytes, at most %d and %d are allowed: %w", il, dl, maxIL, maxDL, ErrMalformed)
	}
	size := int64(il)*entrySize + int64(dl)
	buf := bytes.NewBuffer(intro[:])
	if n, err := io.CopyN(buf, r, size); err != nil {
		return nil, fmt.Errorf("header: %d bytes of %d: %w", n, size, ErrMalformed)
	}
	h := &rawHeader{bytes: buf.Bytes()}
	if err := h.parse(int(il)); err != nil {
		return nil, err
	}
	return h, h.findRegion(regionTag, int(il))
}

// parse splits the index and checks each value's place.
func (h *rawHeader) parse(il int) error {
	data := h.bytes[introSize+il*entrySize:]
	for i := range il {
		e := h.bytes[introSize+i*entrySize:]
		be := binary.BigEndian
		entry := Entry{Tag: be.Uint32(e), Type: be.Uint32(e[4:]), offset: be.Uint32(e[8:]), Count: be.Uint32(e[12:])}
		n, err := entry.size(data)
		if err != nil {
			return err
		}
		entry.Value = data[entry.offset : int(entry.offset)+n : int(entry.offset)+n]
		h.entries = append(h.entries, entry)
	}
	return nil
}

var typeSizes = map[uint32]int{typeChar: 1, typeInt8: 1, typeInt16: 2, typeInt32: 4, typeInt64: 8, typeBin: 1}

// size checks offset, alignment and count of an entry and returns its bytes' number.
func (e *Entry) size(data []byte) (int, error) {
	bad := func(why string) error {
		return fmt.Errorf("header: tag %d: type %d, %d values at %d: %s: %w", e.Tag, e.Type, e.Count, e.offset, why, ErrMalformed)
	}
	if e.Count == 0 || uint64(e.offset) > uint64(len(data)) {
		return 0, bad("out of range")
	}
	if unit, ok := typeSizes[e.Type]; ok {
		n := uint64(unit) * uint64(e.Count)
		switch {
		case uint64(e.offset)+n > uint64(len(data)):
			return 0, bad("ends behind the data")
		case int(e.offset)%unit != 0 && e.Type != typeBin:
			return 0, bad("not aligned")
		}
		return int(n), nil
	}
	if e.Type != typeString && e.Type != typeStrings && e.Type != typeI18N {
		return 0, bad("type is not known")
	}
	if e.Type == typeString && e.Count != 1 {
		return 0, bad("a string comes once")
	}
	rest := data[e.offset:]
	n := 0
	for range e.Count {
		i := bytes.IndexByte(rest[n:], 0)
		if i < 0 {
			return 0, bad("a string does not end")
		}
		n += i + 1
	}
	return n, nil
}

// findRegion checks the region entry and rebuilds what it covers. Very old packages
// have none.
func (h *rawHeader) findRegion(tag uint32, il int) error {
	e := h.entries[0]
	if e.Tag != tag {
		return nil
	}
	if e.Type != typeBin || e.Count != entrySize {
		return fmt.Errorf("header: region has type %d and %d bytes: %w", e.Type, e.Count, ErrMalformed)
	}
	t := e.Value
	be := binary.BigEndian
	ril := int64(-int32(be.Uint32(t[8:]))) / entrySize
	if be.Uint32(t) != tag || be.Uint32(t[4:]) != typeBin || be.Uint32(t[12:]) != entrySize ||
		int32(be.Uint32(t[8:]))%entrySize != 0 || ril < 1 || ril > int64(il) {
		return fmt.Errorf("header: region trailer %x: %w", t, ErrMalformed)
	}
	rdl := int(e.offset) + entrySize
	out := make([]byte, introSize, introSize+int(ril)*entrySize+rdl)
	copy(out, headerMagic)
	be.PutUint32(out[8:], uint32(ril))
	be.PutUint32(out[12:], uint32(rdl))
	out = append(out, h.bytes[introSize:introSize+int(ril)*entrySize]...)
	data := h.bytes[introSize+il*entrySize:]
	h.region = append(out, data[:rdl]...)
	return nil
}

// lookup returns an entry.
func (h *rawHeader) lookup(tag uint32) (Entry, bool) {
	for _, e := range h.entries {
		if e.Tag == tag {
			return e, true
		}
	}
	return Entry{}, false
}
