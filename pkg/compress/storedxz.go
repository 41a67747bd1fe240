package compress

import (
	"encoding/binary"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
)

// storedChunk is the most that one LZMA2 chunk holds without compression.
const storedChunk = 1 << 16

var ecma = crc64.MakeTable(crc64.ECMA)

// storedXZ writes an xz stream whose one block is not compressed: for content that
// is compressed already, where an xz stream is what a format wants.
type storedXZ struct {
	w     io.Writer
	buf   []byte
	sum   hash.Hash64
	in    uint64 // bytes of content
	block uint64 // bytes of the block written so far, its header included
	begun bool
	err   error
}

// NewStoredXZWriter returns a writer of an xz stream with CRC64 that does not
// compress. Any xz decoder reads it.
func NewStoredXZWriter(w io.Writer) io.WriteCloser {
	return &storedXZ{w: w, sum: crc64.New(ecma)}
}

func (s *storedXZ) put(b []byte) {
	if s.err == nil {
		_, s.err = s.w.Write(b)
	}
}

// withCRC appends the CRC-32 of b.
func withCRC(b []byte) []byte { return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b)) }

const (
	checkCRC64 = 4
	lzma2      = 0x21
	dict64K    = 8 // smallest dictionary that a chunk of 64 KiB fits in
)

// begin writes the stream header and the block header.
func (s *storedXZ) begin() {
	if s.begun {
		return
	}
	s.begun = true
	flags := []byte{0, checkCRC64}
	s.put([]byte("\xfd7zXZ\x00"))
	s.put(withCRC(flags))
	head := withCRC([]byte{2, 0, lzma2, 1, dict64K, 0, 0, 0}) // 12 bytes: (2+1)*4
	s.put(head)
	s.block = uint64(len(head))
}

func (s *storedXZ) chunk(b []byte) {
	control := byte(2)
	if s.in == 0 {
		control = 1 // resets the dictionary
	}
	head := []byte{control, byte((len(b) - 1) >> 8), byte(len(b) - 1)}
	s.put(head)
	s.put(b)
	s.sum.Write(b)
	s.in += uint64(len(b))
	s.block += uint64(len(head) + len(b))
}

func (s *storedXZ) Write(b []byte) (int, error) {
	s.begin()
	s.buf = append(s.buf, b...)
	for len(s.buf) >= storedChunk {
		s.chunk(s.buf[:storedChunk])
		s.buf = s.buf[storedChunk:]
	}
	return len(b), s.err
}

// Close writes what is left, the index and the footer.
func (s *storedXZ) Close() error {
	s.begin()
	if len(s.buf) > 0 {
		s.chunk(s.buf)
	}
	s.put([]byte{0}) // end of the LZMA2 data
	s.block++
	unpadded := s.block + 8
	s.put(make([]byte, (4-s.block%4)%4))
	s.put(binary.LittleEndian.AppendUint64(nil, s.sum.Sum64()))
	index := []byte{0, 1}
	index = binary.AppendUvarint(index, unpadded)
	index = binary.AppendUvarint(index, s.in)
	index = append(index, make([]byte, (4-len(index)%4)%4)...)
	index = withCRC(index)
	s.put(index)
	back := binary.LittleEndian.AppendUint32(nil, uint32(len(index)/4-1))
	back = append(back, 0, checkCRC64)
	s.put(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(back)))
	s.put(back)
	s.put([]byte("YZ"))
	return s.err
}
