package repodata

import (
	"bytes"
	"fmt"
	"io"
)

// Limits of the XML that is read.
const (
	maxToken = 4 << 20 // bytes of one tag, or of the text between two
	maxDepth = 64      // elements inside each other
)

// scanner reads XML as metadata has it: elements, attributes, text, CDATA, references
// to characters and to XML's own five entities, all in UTF-8. Prefixes of names are cut
// off. Document types, and with them entities, are refused. It keeps no more than one
// tag and the text in front of it.
type scanner struct {
	r       io.Reader
	buf     []byte
	pos     int   // of the next byte in buf
	dropped int64 // bytes that were in front of buf
	ended   error // what r's end was

	name   []byte // of the tag, without prefix
	closes bool   // the tag is an end tag
	empty  bool   // the tag is start and end in one; next tells the end, too
	attrs  []attribute
	chars  []byte // character data in front of the tag, as it stands
	plain  bool   // no references in chars
	joined []byte // chars in several pieces, when there are comments or CDATA in between

	open   []byte // names of the open elements
	starts []int  // where each begins in open
	closed bool   // the root has ended
}

type attribute struct{ name, value []byte }

func newScanner(r io.Reader) *scanner { return &scanner{r: r, buf: make([]byte, 0, 128<<10)} }

// offset is where in the document the scanner is.
func (s *scanner) offset() int64 { return s.dropped + int64(s.pos) }

// next goes to the next tag. At the end of a whole document it returns io.EOF; other
// errors wrap ErrMalformed, but r's own.
func (s *scanner) next() error {
	if s.empty {
		s.empty, s.closes, s.chars = false, true, nil
		s.attrs = s.attrs[:0]
		return s.pop()
	}
	s.chars, s.plain, s.joined = nil, true, s.joined[:0]
	for {
		tag, err := s.markup()
		if err != nil {
			return err
		}
		if tag {
			break
		}
	}
	if s.closes {
		return s.pop()
	}
	return s.push()
}

// markup reads character data and what follows it: a tag, or something to pass over.
func (s *scanner) markup() (tag bool, err error) {
	end, err := s.find(0, "<")
	if err != nil {
		if err == io.EOF {
			return false, s.atEnd()
		}
		return false, err
	}
	if err := s.need(end + 4); err != nil && err != io.EOF { // enough to tell the kinds apart
		return false, err
	}
	text, rest := s.buf[s.pos:s.pos+end], s.buf[s.pos+end:]
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		return false, s.skip(text, end, "-->")
	case bytes.HasPrefix(rest, []byte("<?")):
		return false, s.instruction(text, end)
	case bytes.HasPrefix(rest, []byte("<![")):
		return false, s.cdata(text, end)
	case bytes.HasPrefix(rest, []byte("<!")):
		return false, fmt.Errorf("a document type stands there: %w", ErrMalformed)
	}
	n, err := s.whole(end)
	if err != nil {
		return false, err
	}
	s.characters(s.buf[s.pos:s.pos+end], false)
	if err := s.tag(s.buf[s.pos+end+1 : s.pos+n-1]); err != nil {
		return false, err
	}
	s.pos += n
	return true, nil
}

// need has n bytes from pos on in the buffer; io.EOF when there are fewer.
func (s *scanner) need(n int) error {
	for len(s.buf)-s.pos < n {
		if s.ended != nil {
			return s.ended
		}
		if n > maxToken {
			return fmt.Errorf("a tag or text of more than %d bytes: %w", maxToken, ErrMalformed)
		}
		s.fill()
	}
	return nil
}

// fill reads more, behind what is kept.
func (s *scanner) fill() {
	if s.pos > 0 {
		n := copy(s.buf, s.buf[s.pos:])
		s.dropped += int64(s.pos)
		s.buf, s.pos = s.buf[:n], 0
	}
	if len(s.buf) == cap(s.buf) {
		s.buf = append(make([]byte, 0, 2*cap(s.buf)), s.buf...)
	}
	for range 100 {
		n, err := s.r.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		if s.ended = err; n > 0 || err != nil {
			return
		}
	}
	s.ended = io.ErrNoProgress
}

// find returns where the next what begins, counted from pos, not before from.
func (s *scanner) find(from int, what string) (int, error) {
	for at := from; ; {
		if b := s.buf[s.pos:]; at < len(b) {
			if i := bytes.Index(b[at:], []byte(what)); i >= 0 {
				return at + i, nil
			}
			at = max(from, len(b)-len(what)+1)
		}
		if err := s.need(len(s.buf) - s.pos + 1); err != nil {
			return 0, err
		}
	}
}

// whole returns where the tag that begins at from ends: behind the first ">" that is
// not in an attribute's value.
func (s *scanner) whole(from int) (int, error) {
	quote := byte(0)
	for i := from + 1; ; {
		b := s.buf[s.pos:]
		for i < len(b) {
			if quote != 0 {
				n := bytes.IndexByte(b[i:], quote)
				if n < 0 {
					i = len(b)
					break
				}
				i, quote = i+n+1, 0
				continue
			}
			switch b[i] {
			case '>':
				return i + 1, nil
			case '"', '\'':
				quote = b[i]
			case '<':
				return 0, fmt.Errorf("a tag does not end: %w", ErrMalformed)
			}
			i++
		}
		if err := s.need(len(b) + 1); err != nil {
			return 0, cut(err)
		}
	}
}

// cut makes the end of the document an error.
func cut(err error) error {
	if err == io.EOF {
		return fmt.Errorf("it ends in the middle: %w", ErrMalformed)
	}
	return err
}

func (s *scanner) atEnd() error {
	if !s.closed || len(s.starts) > 0 {
		return cut(io.EOF)
	}
	if len(bytes.TrimSpace(s.buf[s.pos:])) > 0 {
		return fmt.Errorf("text behind the end: %w", ErrMalformed)
	}
	return io.EOF
}

// skip passes over something that ends in end.
func (s *scanner) skip(text []byte, from int, end string) error {
	s.characters(text, true)
	n, err := s.find(from+2, end)
	if err != nil {
		return cut(err)
	}
	s.pos += n + len(end)
	return nil
}

// instruction passes over a processing instruction; the first may tell the encoding.
func (s *scanner) instruction(text []byte, from int) error {
	s.characters(text, true)
	n, err := s.find(from+2, "?>")
	if err != nil {
		return cut(err)
	}
	body := s.buf[s.pos+from+2 : s.pos+n]
	s.pos += n + 2
	if !bytes.HasPrefix(body, []byte("xml ")) {
		return nil
	}
	_, enc, ok := bytes.Cut(body, []byte("encoding="))
	if ok && len(enc) > 2 {
		enc, _, _ = bytes.Cut(enc[1:], enc[:1])
		if !bytes.EqualFold(enc, []byte("utf-8")) {
			return fmt.Errorf("encoding %q, want UTF-8: %w", enc, ErrMalformed)
		}
	}
	return nil
}

// cdata takes a CDATA section as text.
func (s *scanner) cdata(text []byte, from int) error {
	s.characters(text, true)
	if err := s.need(from + 9); err != nil {
		return cut(err)
	}
	if !bytes.HasPrefix(s.buf[s.pos+from:], []byte("<![CDATA[")) {
		return fmt.Errorf("a marked section that is no CDATA: %w", ErrMalformed)
	}
	n, err := s.find(from+9, "]]>")
	if err != nil {
		return cut(err)
	}
	raw := s.buf[s.pos+from+9 : s.pos+n]
	s.pos += n + 3
	for len(raw) > 0 { // text() would take an ampersand for a reference
		i := bytes.IndexByte(raw, '&')
		if i < 0 {
			s.characters(raw, true)
			return nil
		}
		s.characters(raw[:i], true)
		s.characters([]byte("&amp;"), true)
		raw = raw[i+1:]
	}
	return nil
}

// characters notes character data; more tells that more may follow.
func (s *scanner) characters(b []byte, more bool) {
	if bytes.IndexByte(b, '&') >= 0 {
		s.plain = false
	}
	if !more && len(s.joined) == 0 {
		s.chars = b
		return
	}
	if len(s.joined)+len(b) <= maxToken {
		s.joined = append(s.joined, b...)
	}
	s.chars = s.joined
}

func (s *scanner) push() error {
	if s.closed {
		return fmt.Errorf("element %s behind the end: %w", s.name, ErrMalformed)
	}
	if len(s.starts) == maxDepth {
		return fmt.Errorf("element %s: more than %d elements in each other: %w", s.name, maxDepth, ErrMalformed)
	}
	s.starts = append(s.starts, len(s.open))
	s.open = append(s.open, s.name...)
	return nil
}

func (s *scanner) pop() error {
	n := len(s.starts) - 1
	if n < 0 {
		return fmt.Errorf("element %s ends and has not begun: %w", s.name, ErrMalformed)
	}
	if was := s.open[s.starts[n]:]; !bytes.Equal(was, s.name) {
		return fmt.Errorf("element %s ends where %s is open: %w", s.name, was, ErrMalformed)
	}
	s.open, s.starts = s.open[:s.starts[n]], s.starts[:n]
	s.closed = n == 0
	return nil
}
