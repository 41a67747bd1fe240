package xz

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Bits of a chunk's first byte.
const (
	chunkEnd      = 0
	chunkReset    = 1 // stored, dictionary forgotten
	chunkStored   = 2
	chunkLZMA     = 0x80
	resetState    = 1 << 5
	resetProps    = 2 << 5
	resetAll      = 3 << 5
	maxCompressed = 1 << 16
)

// lzma2 decodes LZMA2, chunk by chunk.
type lzma2 struct {
	lzma
	in        []byte // a chunk with maxSymbol bytes behind it
	needDict  bool
	needProps bool
	done      bool
	n         int64 // bytes of input
}

// begin begins with a dictionary of a size.
func (l *lzma2) begin(size int) {
	if l.in == nil {
		l.in = make([]byte, maxCompressed+maxSymbol)
	}
	l.size, l.needDict, l.needProps, l.done, l.n = size, true, true, false, 0
}

// cut says that the input ends too early.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// chunk decodes the next chunk into the window.
func (l *lzma2) chunk(r *bufio.Reader) error {
	control, err := r.ReadByte()
	if err != nil {
		return cut(err)
	}
	l.n++
	switch {
	case control == chunkEnd:
		l.done = true
		return nil
	case control >= chunkLZMA|resetAll, control == chunkReset:
		l.forget()
		l.needDict, l.needProps = false, true
	case l.needDict:
		return fmt.Errorf("LZMA2 begins with chunk %#x: %w", control, ErrMalformed)
	}
	if control < chunkLZMA {
		if control > chunkStored {
			return fmt.Errorf("LZMA2 chunk %#x: %w", control, ErrMalformed)
		}
		return l.stored(r)
	}
	return l.compressed(r, control)
}

// stored takes a chunk that is not compressed.
func (l *lzma2) stored(r *bufio.Reader) error {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return cut(err)
	}
	n := int(binary.BigEndian.Uint16(head[:])) + 1
	l.room(n)
	if _, err := io.ReadFull(r, l.buf[l.end:l.end+n]); err != nil {
		return cut(err)
	}
	l.end += n
	l.total += int64(n)
	l.n += int64(len(head) + n)
	return nil
}

// compressed decodes a chunk of LZMA.
func (l *lzma2) compressed(r *bufio.Reader, control byte) error {
	var head [5]byte
	n := 4
	if control >= chunkLZMA|resetProps {
		n = 5
	}
	if _, err := io.ReadFull(r, head[:n]); err != nil {
		return cut(err)
	}
	open := int(control&0x1f)<<16 + int(binary.BigEndian.Uint16(head[:])) + 1
	size := int(binary.BigEndian.Uint16(head[2:])) + 1
	switch {
	case control >= chunkLZMA|resetProps:
		if err := l.properties(head[4]); err != nil {
			return err
		}
		if l.lc+l.lp > 4 {
			return fmt.Errorf("LZMA2 with lc %d and lp %d: %w", l.lc, l.lp, ErrMalformed)
		}
		l.needProps = false
		l.resetState()
	case l.needProps:
		return fmt.Errorf("LZMA2 chunk %#x comes before properties: %w", control, ErrMalformed)
	case control >= chunkLZMA|resetState:
		l.resetState()
	}
	if size < 5 {
		return fmt.Errorf("LZMA2 chunk of %d bytes: %w", size, ErrMalformed)
	}
	in := l.in[:size+maxSymbol]
	if _, err := io.ReadFull(r, in[:size]); err != nil {
		return cut(err)
	}
	clear(in[size:])
	l.n += int64(n + size)
	return l.decode(in, size, open)
}

// decode decodes size bytes of in to open bytes.
func (l *lzma2) decode(in []byte, size, open int) error {
	if err := l.start(in); err != nil {
		return err
	}
	l.room(open)
	in, size = in[5:], size-5
	want := l.end + open
	used, ended, err := l.run(in, size, want)
	if err != nil {
		return err
	}
	if used <= size {
		used = l.finish(in, used)
	}
	if ended || l.end != want || used != size {
		return fmt.Errorf("LZMA2 chunk of %d bytes takes %d, and gives %d of %d: %w", size, used, l.end-want+open, open, ErrCorrupt)
	}
	return nil
}
