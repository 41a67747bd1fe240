package xz

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	aloneHeader = 13
	minDict     = 4096
	step        = 64 << 10 // bytes decoded before they are handed on
)

// aloneReader decodes an .lzma file.
type aloneReader struct {
	lzma
	r        io.Reader
	in       []byte
	pos, n   int // of in: used, filled
	eof      bool
	left     int64 // bytes of content; negative: up to the end marker
	finished bool
	err      error
}

// NewLZMAReader returns the content of an .lzma file. memory is the largest dictionary
// that is allowed, in bytes; 0: 128 MiB.
func NewLZMAReader(r io.Reader, memory int64) (io.Reader, error) {
	var head [aloneHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf(".lzma header: %w: %w", cut(err), ErrMalformed)
	}
	a := &aloneReader{r: r, in: make([]byte, step+maxSymbol), left: int64(binary.LittleEndian.Uint64(head[5:]))}
	if a.left < -1 {
		return nil, fmt.Errorf(".lzma header: length %#x: %w", uint64(a.left), ErrMalformed)
	}
	dict := int64(binary.LittleEndian.Uint32(head[1:]))
	if limit := allowed(memory); dict > limit && a.left > limit || dict > limit && a.left < 0 {
		return nil, fmt.Errorf(".lzma header: a dictionary of %d bytes, %d are allowed: %w", dict, limit, ErrMemory)
	}
	a.size = int(max(dict, minDict))
	if err := a.properties(head[0]); err != nil {
		return nil, err
	}
	a.resetState()
	if err := a.fill(); err != nil {
		return nil, err
	}
	if a.n < 5 {
		return nil, fmt.Errorf(".lzma data: %w", io.ErrUnexpectedEOF)
	}
	a.pos = 5
	return a, a.start(a.in)
}

// fill reads more input behind what was not used.
func (a *aloneReader) fill() error {
	a.n = copy(a.in, a.in[a.pos:a.n])
	a.pos = 0
	for a.n < step && !a.eof {
		n, err := a.r.Read(a.in[a.n:step])
		a.n += n
		if err == io.EOF {
			a.eof = true
			clear(a.in[a.n:min(a.n+maxSymbol, len(a.in))])
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (a *aloneReader) Read(p []byte) (int, error) {
	for a.read == a.end {
		if a.err != nil {
			return 0, a.err
		}
		if a.finished {
			return 0, io.EOF
		}
		a.err = a.more()
	}
	return a.take(p), nil
}

// more decodes a step.
func (a *aloneReader) more() error {
	if a.n-a.pos < 2*maxSymbol && !a.eof {
		if err := a.fill(); err != nil {
			return err
		}
	}
	inEnd := a.n
	if !a.eof {
		inEnd -= maxSymbol
	}
	want := int64(step)
	if a.left >= 0 {
		want = min(want, a.left)
	}
	a.room(int(want))
	before := a.end
	used, ended, err := a.run(a.in[a.pos:], inEnd-a.pos, a.end+int(want))
	if err != nil {
		return err
	}
	a.pos += used
	got := int64(a.end - before)
	if a.left >= 0 {
		if a.left -= got; a.left < 0 || ended && a.left > 0 {
			return fmt.Errorf(".lzma data does not have the length of its header: %w", ErrCorrupt)
		}
	}
	switch {
	case a.pos > a.n || !ended && a.left != 0 && a.eof && got < want:
		return fmt.Errorf(".lzma data: %w", io.ErrUnexpectedEOF)
	case ended, a.left == 0:
		a.finished = true
	}
	return nil
}
