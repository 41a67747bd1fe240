package rpm

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"strconv"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/filetree"
)

// Payload walks the content of a package. Get one from [NewPayload], call Next until
// io.EOF, then Close.
type Payload struct {
	files   []File
	byPath  map[string]int
	outer   *bufio.Reader // the compressed payload
	sum     hash.Hash     // of the compressed payload
	want    string        // its digest; "" when the package has none
	z       io.ReadCloser
	r       *countReader
	content io.Reader // of the current entry
	left    int64     // bytes of the current entry's padding
	groups  map[[2]int64][]int
	seen    []bool
	ended   bool
}

// PayloadEntry is one file with its content.
type PayloadEntry struct {
	Index int   // in the list of [Header.Files]
	Links []int // other files that are hard links to this one
	File  *File
	// Content is the content of a regular file. At its end it was compared with the
	// size and the digest of the header; differences wrap [ErrCorrupt].
	Content io.Reader
}

type countReader struct {
	r *bufio.Reader
	n int64
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// NewPayload reads the payload from r, which is where [ReadHeader] left it. files is
// what [Header.Files] gave.
func NewPayload(h *Header, files []File, r io.Reader) (*Payload, error) {
	if f := h.text(tagPayloadFormat); f != "" && f != "cpio" {
		return nil, fmt.Errorf("payload format %q: %w", f, ErrUnsupported)
	}
	p := &Payload{files: files, byPath: map[string]int{}, sum: sha256.New(), groups: map[[2]int64][]int{}, seen: make([]bool, len(files))}
	if d := h.strings(tagPayloadDigest); len(d) > 0 {
		p.want = d[0]
	}
	for i, f := range files {
		p.byPath[f.Path] = i
	}
	p.outer = bufio.NewReaderSize(io.TeeReader(r, p.sum), 64<<10)
	head, err := p.outer.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	format := compress.Detect(head)
	if format == compress.None && h.text(tagPayloadCompressor) == "lzma" {
		format = compress.LZMA
	}
	if p.z, err = compress.NewFormatReader(p.outer, format); err != nil {
		return nil, fmt.Errorf("payload: %v: %w", err, ErrCorrupt)
	}
	p.r = &countReader{r: bufio.NewReaderSize(p.z, 64<<10)}
	return p, nil
}

// Close frees the decompressor.
func (p *Payload) Close() error { return p.z.Close() }

func (p *Payload) fail(err error, what string) error {
	if errors.Is(err, digest.ErrMismatch) || errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		return fmt.Errorf("payload at byte %d: %s: %v: %w", p.r.n, what, err, ErrCorrupt)
	}
	return fmt.Errorf("payload at byte %d: %s: %w: %w", p.r.n, what, err, ErrCorrupt)
}

// Next goes to the next file that is in the archive; io.EOF is the end, where the
// digest of the whole payload was right, too.
func (p *Payload) Next() (*PayloadEntry, error) {
	for {
		if err := p.skip(); err != nil {
			return nil, err
		}
		i, size, done, err := p.entry()
		if err != nil {
			return nil, err
		}
		if done {
			return nil, p.finish()
		}
		f := &p.files[i]
		if p.seen[i] {
			return nil, fmt.Errorf("payload at byte %d: %s comes twice: %w", p.r.n, f.Path, ErrMalformed)
		}
		p.seen[i] = true
		p.left = (4 - size%4) % 4
		p.content = io.LimitReader(p.r, size)
		e := &PayloadEntry{Index: i, File: f}
		if f.Kind != filetree.File {
			return e, p.drain(e, size)
		}
		if size == 0 && f.Size > 0 {
			p.groups[f.inode] = append(p.groups[f.inode], i) // content comes with a later link
			continue
		}
		e.Links = p.groups[f.inode]
		delete(p.groups, f.inode)
		p.content = contentReader{p, f.Path, digest.NewReader(io.LimitReader(p.r, size), f.Digest, f.Size)}
		e.Content = p.content
		return e, nil
	}
}

// contentReader gives differences in the content this package's sentinel.
type contentReader struct {
	p    *Payload
	path string
	r    io.Reader
}

func (c contentReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	if err != nil && err != io.EOF {
		err = c.p.fail(err, c.path)
	}
	return n, err
}

// drain reads the target of a link, which the header has too, or passes over what an
// entry without content has.
func (p *Payload) drain(e *PayloadEntry, size int64) error {
	if e.File.Kind != filetree.Symlink {
		return nil
	}
	const maxTarget = 4096
	if size > maxTarget {
		return fmt.Errorf("payload at byte %d: %s: link target of %d bytes: %w", p.r.n, e.File.Path, size, ErrMalformed)
	}
	target, err := io.ReadAll(p.content)
	if err != nil {
		return p.fail(err, e.File.Path)
	}
	if got := string(bytes.TrimRight(target, "\x00")); size > 0 && got != e.File.Target {
		return fmt.Errorf("payload at byte %d: %s: link target is %q, the header has %q: %w", p.r.n, e.File.Path, got, e.File.Target, ErrCorrupt)
	}
	return nil
}

// skip reads what is left of the current entry.
func (p *Payload) skip() error {
	if p.content == nil {
		return nil
	}
	if _, err := io.Copy(io.Discard, p.content); err != nil {
		return err
	}
	p.content = nil
	if _, err := io.CopyN(io.Discard, p.r, p.left); err != nil {
		return p.fail(err, "padding")
	}
	return nil
}

const (
	newcSize     = 110
	strippedSize = 14
	trailer      = "TRAILER!!!"
	maxName      = 4096
)

// entry reads an archive header and finds its file.
func (p *Payload) entry() (index int, size int64, done bool, err error) {
	var b [newcSize]byte
	if _, err := io.ReadFull(p.r, b[:strippedSize]); err != nil {
		return 0, 0, false, p.fail(err, "entry")
	}
	switch string(b[:6]) {
	case "07070X":
		return p.strippedEntry(b[6:strippedSize])
	case "070701", "070702":
	default:
		return 0, 0, false, fmt.Errorf("payload at byte %d: magic %q: %w", p.r.n, b[:6], ErrMalformed)
	}
	if _, err := io.ReadFull(p.r, b[strippedSize:]); err != nil {
		return 0, 0, false, p.fail(err, "entry")
	}
	usize, err := p.hex(b[54:62])
	if err != nil {
		return 0, 0, false, err
	}
	nameLen, err := p.hex(b[94:102])
	if err != nil {
		return 0, 0, false, err
	}
	if nameLen == 0 || nameLen > maxName {
		return 0, 0, false, fmt.Errorf("payload at byte %d: name of %d bytes: %w", p.r.n, nameLen, ErrMalformed)
	}
	name := make([]byte, nameLen+(4-(newcSize+nameLen)%4)%4)
	if _, err := io.ReadFull(p.r, name); err != nil {
		return 0, 0, false, p.fail(err, "name")
	}
	text := string(name[:nameLen-1])
	if text == trailer {
		return 0, 0, true, nil
	}
	i, ok := p.byPath[path.Clean("/"+text)]
	if !ok {
		return 0, 0, false, fmt.Errorf("payload at byte %d: %q is not in the header's file list: %w", p.r.n, text, ErrMalformed)
	}
	return i, usize, false, nil
}

// strippedEntry reads an entry that names a file by its index.
func (p *Payload) strippedEntry(digits []byte) (int, int64, bool, error) {
	i, err := p.hex(digits)
	if err != nil {
		return 0, 0, false, err
	}
	if i >= int64(len(p.files)) {
		return 0, 0, false, fmt.Errorf("payload at byte %d: file index %d: %w", p.r.n, i, ErrMalformed)
	}
	if _, err := io.CopyN(io.Discard, p.r, 2); err != nil {
		return 0, 0, false, p.fail(err, "entry")
	}
	f := p.files[i]
	size := f.Size
	switch {
	case f.Kind == filetree.Symlink:
		size = int64(len(f.Target))
	case f.Kind != filetree.File, p.laterLink(int(i)):
		size = 0
	}
	return int(i), size, false, nil
}

// laterLink tells whether a hard link of a file comes behind it, which then has the
// content.
func (p *Payload) laterLink(i int) bool {
	for j := i + 1; j < len(p.files); j++ {
		if f := p.files[j]; f.inode == p.files[i].inode && f.Kind == filetree.File && f.Flags&FlagGhost == 0 && f.Digest == p.files[i].Digest {
			return true
		}
	}
	return false
}

func (p *Payload) hex(b []byte) (int64, error) {
	n, err := strconv.ParseUint(string(b), 16, 32)
	if err != nil {
		return 0, fmt.Errorf("payload at byte %d: number %q: %w", p.r.n, b, ErrMalformed)
	}
	return int64(n), nil
}

// maxBehind bounds what may follow the archive's end, in bytes.
const maxBehind = 1 << 20

// finish checks what is only known at the end.
func (p *Payload) finish() error {
	if p.ended {
		return io.EOF
	}
	p.ended = true
	if len(p.groups) > 0 {
		return fmt.Errorf("payload: hard links without content: %w", ErrCorrupt)
	}
	for i, f := range p.files {
		if !p.seen[i] && f.Kind == filetree.File && f.Flags&FlagGhost == 0 {
			return fmt.Errorf("payload: %s is missing: %w", f.Path, ErrCorrupt)
		}
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(p.r, maxBehind)); err != nil || n == maxBehind {
		return p.fail(errors.Join(err), "behind the archive's end")
	}
	if _, err := io.Copy(io.Discard, p.outer); err != nil {
		return p.fail(err, "end")
	}
	if got := hex.EncodeToString(p.sum.Sum(nil)); p.want != "" && got != p.want {
		return fmt.Errorf("payload: sha256 is %s, promised was %s: %w", got, p.want, ErrCorrupt)
	}
	return io.EOF
}
