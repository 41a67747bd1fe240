package xz

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// Options bound a [Reader].
type Options struct {
	// Memory is the most that dictionaries and blocks decoded ahead may take, in bytes;
	// 0: 128 MiB. A dictionary may be larger only as far as content is.
	Memory int64
	// Workers is how many blocks are decoded at once; 0 and 1: one.
	Workers int
}

const defaultMemory = 128 << 20

func allowed(memory int64) int64 {
	if memory > 0 {
		return memory
	}
	return defaultMemory
}

var (
	headerMagic = []byte("\xfd7zXZ\x00")
	footerMagic = []byte("YZ")
)

// Reader is the content of an .xz file.
type Reader struct {
	r       *bufio.Reader
	o       Options
	check   byte
	flags   []byte // of the stream
	d       *decoder
	current bool      // d is inside of a block
	next    *block    // its header was read
	ended   bool      // the stream's blocks are over
	queue   []*ahead  // in order
	used    int64     // memory of the queue
	data    []byte    // of a block that was decoded ahead
	blocks  int64     // of the stream
	records hash.Hash // of the blocks' sizes
	err     error
}

// NewReader returns the content of r, which is read to its end. Errors wrap
// [ErrMalformed], [ErrCorrupt], [ErrMemory], [ErrUnsupported] or io.ErrUnexpectedEOF.
func NewReader(r io.Reader, o Options) (*Reader, error) {
	x := &Reader{r: bufio.NewReaderSize(r, 64<<10), o: o, d: &decoder{}}
	if err := x.stream(); err != nil {
		return nil, err
	}
	return x, nil
}

// stream reads a stream's header.
func (x *Reader) stream() error {
	var head [12]byte
	if _, err := io.ReadFull(x.r, head[:]); err != nil {
		return fmt.Errorf("stream header: %w", cut(err))
	}
	if !bytes.Equal(head[:6], headerMagic) {
		return fmt.Errorf("stream header: magic %x: %w", head[:6], ErrMalformed)
	}
	if crc32.ChecksumIEEE(head[6:8]) != binary.LittleEndian.Uint32(head[8:]) {
		return fmt.Errorf("stream header: wrong CRC: %w", ErrCorrupt)
	}
	if head[6] != 0 || head[7] > 15 {
		return fmt.Errorf("stream header: flags %x: %w", head[6:8], ErrUnsupported)
	}
	if _, err := newCheck(head[7]); err != nil {
		return err
	}
	x.flags, x.check = bytes.Clone(head[6:8]), head[7]
	x.ended, x.blocks, x.records = false, 0, sha256.New()
	return nil
}

func (x *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if len(x.data) > 0 {
			n := copy(p, x.data)
			x.data = x.data[n:]
			return n, nil
		}
		if n := x.d.take(p); n > 0 {
			return n, nil
		}
		if x.err != nil {
			return 0, x.err
		}
		x.err = x.more()
	}
}

// more decodes a chunk, or goes on to the next block.
func (x *Reader) more() error {
	if x.current {
		if err := x.d.more(x.r); err != nil {
			return err
		}
		if x.d.done {
			x.current = false
			return x.record(x.d.block, x.d.n, x.d.open)
		}
		return nil
	}
	if err := x.lookAhead(); err != nil {
		return err
	}
	switch {
	case len(x.queue) > 0:
		return x.pop()
	case x.next != nil:
		b := x.next
		x.next, x.current = nil, true
		return x.d.start(b)
	}
	return x.finish()
}

// header reads the next block's header, if there is one.
func (x *Reader) header() error {
	if x.next != nil || x.ended {
		return nil
	}
	first, err := x.r.ReadByte()
	if err != nil {
		return fmt.Errorf("block header: %w", cut(err))
	}
	if first == 0 {
		x.ended = true
		return nil
	}
	if x.next, err = readBlock(x.r, first, x.check); err != nil {
		return err
	}
	limit := allowed(x.o.Memory)
	if b := x.next; b.dict > limit && (b.open < 0 || b.open > limit) {
		return fmt.Errorf("a dictionary of %d bytes, %d are allowed: %w", b.dict, limit, ErrMemory)
	}
	return nil
}

// record notes a block's sizes, which the index has, too.
func (x *Reader) record(b *block, compressed, open int64) error {
	size, err := b.unpadded(compressed)
	x.blocks++
	x.records.Write(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(size)), uint64(open)))
	return err
}

// crcReader counts and sums the index.
type crcReader struct {
	r   *bufio.Reader
	sum hash.Hash32
	n   int64
}

func (c *crcReader) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.sum.Write([]byte{b})
		c.n++
	}
	return b, err
}

// finish reads index and footer, and goes on to the next stream; io.EOF is the end.
func (x *Reader) finish() error {
	c := &crcReader{r: x.r, sum: crc32.NewIEEE(), n: 1}
	c.sum.Write([]byte{0}) // which was read already
	n, err := number(c)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if n != x.blocks {
		return fmt.Errorf("index: %d blocks, there were %d: %w", n, x.blocks, ErrCorrupt)
	}
	records := sha256.New()
	for range 2 * n {
		v, err := number(c)
		if err != nil {
			return fmt.Errorf("index: %w", err)
		}
		records.Write(binary.AppendUvarint(nil, uint64(v)))
	}
	if !bytes.Equal(records.Sum(nil), x.records.Sum(nil)) {
		return fmt.Errorf("index: sizes are not those of the blocks: %w", ErrCorrupt)
	}
	for c.n%4 != 0 {
		if b, err := c.ReadByte(); err != nil || b != 0 {
			return fmt.Errorf("index: padding: %w", ErrMalformed)
		}
	}
	var tail [16]byte // CRC-32 of the index, footer
	if _, err := io.ReadFull(x.r, tail[:]); err != nil {
		return fmt.Errorf("index: %w", cut(err))
	}
	le := binary.LittleEndian
	switch foot := tail[4:]; {
	case le.Uint32(tail[:]) != c.sum.Sum32(), le.Uint32(foot) != crc32.ChecksumIEEE(foot[4:10]):
		return fmt.Errorf("index: wrong CRC: %w", ErrCorrupt)
	case !bytes.Equal(foot[10:], footerMagic), !bytes.Equal(foot[8:10], x.flags), (int64(le.Uint32(foot[4:]))+1)*4 != c.n+4:
		return fmt.Errorf("stream footer %x: %w", foot, ErrMalformed)
	}
	return x.further()
}

// further looks for another stream.
func (x *Reader) further() error {
	for {
		b, err := x.r.Peek(4)
		switch {
		case len(b) == 0 && err == io.EOF:
			return io.EOF
		case len(b) < 4 && err == io.EOF:
			return fmt.Errorf("behind the stream: %w", ErrMalformed)
		case len(b) < 4:
			return err
		case !bytes.Equal(b, []byte{0, 0, 0, 0}):
			return x.stream()
		}
		if _, err := x.r.Discard(4); err != nil {
			return err
		}
	}
}
