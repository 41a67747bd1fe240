package delta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/treewright/treewright/pkg/ostree"
)

// output is a file object that several operations make: what it is put together of.
type output struct {
	object ObjectName
	head   *ostree.File
	skip   bool // it is there already
	pieces []piece
	left   uint64 // bytes that are still to come
}

// piece is bytes of the output, or of a file object.
type piece struct {
	data           []byte
	source         *ostree.Checksum
	offset, length uint64
}

// open begins a file: mode, attributes, size.
func (p *payload) open(a []uint64) error {
	o, err := p.next()
	switch {
	case err != nil:
		return err
	case o.Type != ostree.TypeFile || p.out != nil || a[2] > math.MaxInt64:
		return fmt.Errorf("a file of %d bytes in the place of a %s: %w", a[2], o.Type, ErrMalformed)
	}
	h, err := p.header(a[0], a[1])
	if err != nil {
		return err
	}
	if h.IsLink() {
		return fmt.Errorf("a link is opened: %w", ErrMalformed)
	}
	h.Size = int64(a[2])
	there, err := p.to.HasObject(o)
	p.out = &output{object: o, head: h, skip: there, left: a[2]}
	return err
}

// add puts a piece behind the others.
func (o *output) add(x piece) error {
	if x.length > o.left {
		return fmt.Errorf("object %s.file has more than the promised %d bytes: %w", o.object.Checksum, o.head.Size, ErrMalformed)
	}
	o.left -= x.length
	o.pieces = append(o.pieces, x)
	return nil
}

// write appends bytes of the source, else of the blob: length, offset.
func (p *payload) write(a []uint64) error {
	if p.out == nil {
		return fmt.Errorf("%w: %w", errNotOpen, ErrMalformed)
	}
	if p.source != nil {
		if a[1] > math.MaxInt64-a[0] {
			return fmt.Errorf("%d bytes at %d: %w", a[0], a[1], ErrMalformed)
		}
		return p.out.add(piece{source: p.source, offset: a[1], length: a[0]})
	}
	b, err := p.slice(a[0], a[1])
	if err != nil {
		return err
	}
	return p.out.add(piece{data: b, length: a[0]})
}

// setSource makes writes read a file object.
func (p *payload) setSource(a []uint64) error {
	b, err := p.slice(uint64(len(ostree.Checksum{})), a[0])
	if err != nil {
		return err
	}
	c := ostree.Checksum(b)
	p.source = &c
	return nil
}

// close makes the file.
func (p *payload) close() error {
	o := p.out
	if o == nil {
		return fmt.Errorf("%w: %w", errNotOpen, ErrMalformed)
	}
	p.out, p.source, p.objects = nil, nil, p.objects[1:]
	switch {
	case o.skip:
		return nil
	case o.left > 0:
		return fmt.Errorf("object %s.file ends %d bytes early: %w", o.object.Checksum, o.left, ErrMalformed)
	}
	r := &assembly{to: p.to, pieces: o.pieces}
	err := p.to.PutFile(o.object.Checksum, o.head, r)
	return errors.Join(err, r.drop())
}

// assembly reads the pieces of a file one behind the other.
type assembly struct {
	to     Target
	pieces []piece

	open *ostree.Checksum // what src is the content of
	src  io.ReadCloser
	at   uint64
}

func (r *assembly) Read(b []byte) (int, error) {
	for len(r.pieces) > 0 && r.pieces[0].length == 0 {
		r.pieces = r.pieces[1:]
	}
	if len(r.pieces) == 0 {
		return 0, io.EOF
	}
	x := &r.pieces[0]
	b = b[:min(uint64(len(b)), x.length)]
	if x.source == nil {
		n := copy(b, x.data)
		x.data, x.length = x.data[n:], x.length-uint64(n)
		return n, nil
	}
	if err := r.seek(*x.source, x.offset); err != nil {
		return 0, err
	}
	n, err := r.src.Read(b)
	r.at, x.offset, x.length = r.at+uint64(n), x.offset+uint64(n), x.length-uint64(n)
	if err == io.EOF {
		if err = nil; n == 0 {
			err = fmt.Errorf("object %s.file ends at %d, where a delta reads on: %w", x.source, r.at, ErrMalformed)
		}
	}
	return n, err
}

// seek moves to a place in the content of a file object. Content that can only be read
// forwards is opened again when it must.
func (r *assembly) seek(c ostree.Checksum, offset uint64) (err error) {
	if r.open != nil && *r.open == c && r.at == offset {
		return nil
	}
	if r.open == nil || *r.open != c || r.at > offset {
		if err := r.drop(); err != nil {
			return err
		}
		if r.src, err = r.to.OpenFile(c); err != nil {
			return err
		}
		r.open, r.at = &c, 0
	}
	if s, ok := r.src.(io.Seeker); ok {
		_, err = s.Seek(int64(offset), io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, r.src, int64(offset-r.at))
	}
	r.at = offset
	if err == io.EOF {
		err = nil // reading there tells
	}
	return err
}

func (r *assembly) drop() error {
	if r.open == nil {
		return nil
	}
	r.open = nil
	return r.src.Close()
}

// maxPatch is the largest file, in bytes, that is patched: old and new are in memory.
const maxPatch = 1 << 30

// patch makes all of the open file of the source: offset, length of the patch.
func (p *payload) patch(a []uint64) error {
	if p.out == nil || p.source == nil {
		return fmt.Errorf("a patch without a file and a source: %w", ErrMalformed)
	}
	stream, err := p.slice(a[1], a[0])
	if err != nil || p.out.skip {
		return err
	}
	if p.out.head.Size > maxPatch {
		return fmt.Errorf("a patch of %d bytes: %w", p.out.head.Size, ostree.ErrUnsupported)
	}
	src, err := p.to.OpenFile(*p.source)
	if err != nil {
		return err
	}
	old, err := io.ReadAll(io.LimitReader(src, maxPatch+1))
	if err = errors.Join(err, src.Close()); err != nil {
		return err
	}
	if len(old) > maxPatch {
		return fmt.Errorf("a patch of a file of more than %d bytes: %w", maxPatch, ostree.ErrUnsupported)
	}
	b, err := bspatch(old, stream, p.out.head.Size)
	if err != nil {
		return err
	}
	return p.out.add(piece{data: b, length: uint64(len(b))})
}

// bspatch makes size bytes of old and a stream of patches: the lengths of a difference
// and of new bytes, how far to go on in old behind the difference, and both.
func bspatch(old, stream []byte, size int64) ([]byte, error) {
	bad := func(why string) error { return fmt.Errorf("patch: %s: %w", why, ErrMalformed) }
	var out bytes.Buffer
	at := int64(0)
	for int64(out.Len()) < size {
		if len(stream) < 24 {
			return nil, bad("it is cut")
		}
		diff, extra, seek := offtin(stream), offtin(stream[8:]), offtin(stream[16:])
		stream = stream[24:]
		left, n := size-int64(out.Len()), int64(len(stream))
		if diff < 0 || extra < 0 || diff > left || extra > left-diff || diff > n || extra > n-diff {
			return nil, bad(fmt.Sprintf("lengths %d and %d", diff, extra))
		}
		for _, b := range stream[:diff] {
			if at >= 0 && at < int64(len(old)) {
				b += old[at]
			}
			out.WriteByte(b)
			at++
		}
		out.Write(stream[diff : diff+extra])
		stream = stream[diff+extra:]
		if at > math.MaxInt64/2 || at < math.MinInt64/2 || seek > math.MaxInt64/2 || seek < math.MinInt64/2 {
			return nil, bad("it goes too far")
		}
		at += seek
	}
	return out.Bytes(), nil
}

// offtin reads a number whose highest bit is its sign.
func offtin(b []byte) int64 {
	v := binary.LittleEndian.Uint64(b)
	n := int64(v &^ (1 << 63))
	if v>>63 != 0 {
		return -n
	}
	return n
}
