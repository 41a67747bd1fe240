package xz

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
)

// Kinds of checks.
const (
	checkNone   = 0
	checkCRC32  = 1
	checkCRC64  = 4
	checkSHA256 = 10
)

var ecma = crc64.MakeTable(crc64.ECMA)

// newCheck returns the hash of a kind, nil for none.
func newCheck(kind byte) (hash.Hash, error) {
	switch kind {
	case checkNone:
		return nil, nil
	case checkCRC32:
		return crc32.NewIEEE(), nil
	case checkCRC64:
		return crc64.New(ecma), nil
	case checkSHA256:
		return sha256.New(), nil
	}
	return nil, fmt.Errorf("check of kind %d: %w", kind, ErrUnsupported)
}

// sameCheck compares a hash with what stands in the file, which has CRCs with the
// lowest byte first.
func sameCheck(h hash.Hash, want []byte) bool {
	got := h.Sum(nil)
	if h.Size() <= 8 {
		for i, j := 0, len(got)-1; i < j; i, j = i+1, j-1 {
			got[i], got[j] = got[j], got[i]
		}
	}
	return bytes.Equal(got, want)
}

// block is a block's header.
type block struct {
	header     int   // its bytes
	compressed int64 // bytes; negative: not told
	open       int64 // bytes without compression; negative: not told
	dict       int64 // bytes of the dictionary
	check      byte
}

// readBlock reads a block's header; first is its first byte.
func readBlock(r *bufio.Reader, first, check byte) (*block, error) {
	b := &block{header: (int(first) + 1) * 4, compressed: -1, open: -1, check: check}
	raw := make([]byte, b.header)
	raw[0] = first
	if _, err := io.ReadFull(r, raw[1:]); err != nil {
		return nil, fmt.Errorf("block header: %w", cut(err))
	}
	body, sum := raw[:b.header-4], raw[b.header-4:]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(sum) {
		return nil, fmt.Errorf("block header: wrong CRC: %w", ErrCorrupt)
	}
	bad := func(what string) error { return fmt.Errorf("block header: %s: %w", what, ErrMalformed) }
	const sizeCompressed, sizeOpen, filters, reserved = 0x40, 0x80, 3, 0x3c
	flags, rest := body[1], bytes.NewReader(body[2:])
	if flags&reserved != 0 {
		return nil, bad(fmt.Sprintf("flags %#x", flags))
	}
	for _, s := range []struct {
		bit byte
		to  *int64
	}{{sizeCompressed, &b.compressed}, {sizeOpen, &b.open}} {
		if flags&s.bit == 0 {
			continue
		}
		n, err := number(rest)
		if err != nil {
			return nil, bad("size")
		}
		*s.to = n
	}
	if b.compressed == 0 {
		return nil, bad("no data")
	}
	if flags&filters != 0 {
		return nil, fmt.Errorf("block header: %d filters: %w", flags&filters+1, ErrUnsupported)
	}
	return b, b.filter(rest)
}

// filter reads the one filter that there may be, LZMA2.
func (b *block) filter(r *bytes.Reader) error {
	const lzma2ID, maxBits = 0x21, 40
	id, err := number(r)
	if err != nil {
		return fmt.Errorf("block header: filter: %w", ErrMalformed)
	}
	if id != lzma2ID {
		return fmt.Errorf("block header: filter %#x: %w", id, ErrUnsupported)
	}
	n, err := number(r)
	bits, err2 := r.ReadByte()
	if err != nil || err2 != nil || n != 1 || bits > maxBits {
		return fmt.Errorf("block header: properties of LZMA2: %w", ErrMalformed)
	}
	b.dict = 1<<32 - 1
	if bits < maxBits {
		b.dict = (2 | int64(bits)&1) << (bits/2 + 11)
	}
	for r.Len() > 0 {
		if c, _ := r.ReadByte(); c != 0 {
			return fmt.Errorf("block header: padding: %w", ErrMalformed)
		}
	}
	return nil
}

// number reads a number of up to 63 bits, seven in each byte, the lowest first.
func number(r io.ByteReader) (int64, error) {
	var n uint64
	for shift := 0; shift < 63; shift += 7 {
		c, err := r.ReadByte()
		if err != nil {
			return 0, cut(err)
		}
		n |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			if c == 0 && shift > 0 {
				return 0, ErrMalformed
			}
			return int64(n), nil
		}
	}
	return 0, ErrMalformed
}

// decoder decodes one block after the other.
type decoder struct {
	lzma2
	block *block
	sum   hash.Hash
	open  int64 // bytes decoded of the block
}

func (d *decoder) start(b *block) (err error) {
	d.block, d.open = b, 0
	d.begin(int(b.dict))
	d.sum, err = newCheck(b.check)
	return err
}

// more decodes the next chunk, or ends the block.
func (d *decoder) more(r *bufio.Reader) error {
	from := d.end - d.read
	if err := d.chunk(r); err != nil {
		return err
	}
	fresh := d.buf[d.read+from : d.end]
	d.open += int64(len(fresh))
	if d.sum != nil {
		d.sum.Write(fresh)
	}
	b := d.block
	if b.open >= 0 && d.open > b.open || b.compressed >= 0 && d.n > b.compressed {
		return fmt.Errorf("block is longer than its header says: %w", ErrCorrupt)
	}
	if d.done {
		return d.finishBlock(r)
	}
	return nil
}

// finishBlock reads padding and check.
func (d *decoder) finishBlock(r *bufio.Reader) error {
	b := d.block
	if b.open >= 0 && d.open != b.open || b.compressed >= 0 && d.n != b.compressed {
		return fmt.Errorf("block is shorter than its header says: %w", ErrCorrupt)
	}
	size := 0
	if d.sum != nil {
		size = d.sum.Size()
	}
	tail := make([]byte, padding(d.n)+size)
	if _, err := io.ReadFull(r, tail); err != nil {
		return fmt.Errorf("block check: %w", cut(err))
	}
	pad, want := tail[:padding(d.n)], tail[padding(d.n):]
	if len(bytes.Trim(pad, "\x00")) > 0 {
		return fmt.Errorf("block padding: %w", ErrMalformed)
	}
	if d.sum != nil && !sameCheck(d.sum, want) {
		return fmt.Errorf("block check: content is not what was compressed: %w", ErrCorrupt)
	}
	return nil
}

// padding is the bytes from n to the next multiple of four.
func padding(n int64) int { return int(-n & 3) }

// unpadded is the size of the block in the index.
func (b *block) unpadded(compressed int64) (int64, error) {
	h, err := newCheck(b.check)
	size := int64(b.header) + compressed
	if h != nil {
		size += int64(h.Size())
	}
	return size, err
}
