// Package compress opens compressed streams by name or by magic and writes the
// few kinds that treewright makes. It is the only importer of the codec
// libraries: klauspost/compress, and ulikunitz/xz for writing xz and lzma, which are
// read by package xz below.
package compress

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	xzdec "github.com/treewright/treewright/pkg/compress/xz"
)

// Format is a compression format, by the name that RPM headers use for it.
type Format string

// The formats that can be read.
const (
	None  Format = "none"
	Gzip  Format = "gzip"
	Bzip2 Format = "bzip2"
	XZ    Format = "xz"
	LZMA  Format = "lzma" // the old .lzma file
	Zstd  Format = "zstd"
)

// MaxWindow is the largest dictionary, in bytes, that a reader allocates
// for. rpmbuild's zstd level 19 with long matching asks for 128 MiB.
const MaxWindow = 128 << 20

var magics = []struct {
	format Format
	magic  []byte
}{
	{Gzip, []byte{0x1f, 0x8b}},
	{Bzip2, []byte("BZh")},
	{XZ, []byte("\xfd7zXZ\x00")},
	{Zstd, []byte{0x28, 0xb5, 0x2f, 0xfd}},
	{LZMA, []byte{0x5d, 0, 0}},
}

// Detect tells the format by the first bytes of a stream; None when no magic fits.
// Six bytes are enough.
func Detect(head []byte) Format {
	for _, m := range magics {
		if bytes.HasPrefix(head, m.magic) {
			return m.format
		}
	}
	return None
}

// NewReader returns the decompressed content of r, in the format that its first
// bytes tell. Closing it frees the decoder and leaves r open. It reads ahead.
func NewReader(r io.Reader) (io.ReadCloser, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return NewFormatReader(br, Detect(head))
}

// NewFormatReader is [NewReader] for a format that is known.
func NewFormatReader(r io.Reader, f Format) (io.ReadCloser, error) {
	switch f {
	case None, "":
		return io.NopCloser(r), nil
	case Gzip:
		return gzip.NewReader(r)
	case Bzip2:
		return io.NopCloser(bzip2.NewReader(r)), nil
	case XZ:
		x, err := xzdec.NewReader(r, xzdec.Options{Memory: MaxWindow})
		if err != nil {
			return nil, err
		}
		return io.NopCloser(x), nil
	case LZMA:
		x, err := xzdec.NewLZMAReader(r, MaxWindow)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(x), nil
	case Zstd:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(MaxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return nil, fmt.Errorf("compression %q is not supported", string(f))
}

// NewDeflateReader returns the content of a raw DEFLATE stream (RFC 1951).
func NewDeflateReader(r io.Reader) io.ReadCloser { return flate.NewReader(r) }

// DeflateWriter writes a raw DEFLATE stream. It can be used again after Reset, which
// is much cheaper than a new one.
type DeflateWriter = flate.Writer

// NewDeflateWriter returns a DeflateWriter of level 1 to 9.
func NewDeflateWriter(w io.Writer, level int) (*DeflateWriter, error) {
	return flate.NewWriter(w, level)
}

// NewGzipWriter returns a writer of a gzip stream without a name or a time.
func NewGzipWriter(w io.Writer, level int) (io.WriteCloser, error) {
	return gzip.NewWriterLevel(w, level)
}

// NewZstdWriter returns a writer of one zstd frame. Its output is the same
// whatever the number of cores.
func NewZstdWriter(w io.Writer) (io.WriteCloser, error) {
	return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
}

// NewXZWriter returns a writer of one xz stream with CRC64 and a dictionary of
// dictSize bytes (at least 4 KiB).
func NewXZWriter(w io.Writer, dictSize int) (io.WriteCloser, error) {
	return xz.WriterConfig{DictCap: dictSize, CheckSum: xz.CRC64}.NewWriter(w)
}

// NewLZMAWriter returns a writer of a classic .lzma stream: a 13-byte header that
// tells the properties and the size, then raw LZMA1 without an end marker. size is
// the number of bytes that will be written.
func NewLZMAWriter(w io.Writer, lc, lp, pb, dictSize int, size int64) (io.WriteCloser, error) {
	return lzma.WriterConfig{
		Properties: &lzma.Properties{LC: lc, LP: lp, PB: pb}, DictCap: dictSize,
		SizeInHeader: true, Size: size,
	}.NewWriter(w)
}
