package ext4

import (
	"errors"
	"fmt"
	"io"

	"github.com/treewright/treewright/pkg/segment"
)

// source returns a function that gives the parts of a file's content. A file in one
// piece is its own source. Parts of one file come in ascending order, so one reader
// serves them all.
func source(s segment.Source) func(offset, length int64, whole bool) segment.Source {
	shared := &sequence{from: s}
	return func(offset, length int64, whole bool) segment.Source {
		if whole {
			return s
		}
		return part{shared, offset, length}
	}
}

// sequence is a reader that is passed on from one part to the next.
type sequence struct {
	from segment.Source
	rc   io.ReadCloser
	at   int64
}

type part struct {
	s              *sequence
	offset, length int64
}

// Open opens the part. Parts may be opened in any order; in ascending order the
// content is read once.
func (p part) Open() (io.ReadCloser, error) {
	s := p.s
	if s.rc == nil || s.at != p.offset {
		if err := s.close(); err != nil {
			return nil, err
		}
		rc, err := s.from.Open()
		if err != nil {
			return nil, err
		}
		s.rc, s.at = rc, 0
		if _, err := io.CopyN(io.Discard, rc, p.offset); err != nil {
			return nil, errors.Join(fmt.Errorf("content at %d: %w", p.offset, err), s.close())
		}
		s.at = p.offset
	}
	return &partReader{s, p.length}, nil
}

func (s *sequence) close() (err error) {
	if s.rc != nil {
		err = s.rc.Close()
	}
	s.rc, s.at = nil, 0
	return err
}

type partReader struct {
	s    *sequence
	left int64
}

func (r *partReader) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.s.rc.Read(b[:min(int64(len(b)), r.left)])
	r.s.at += int64(n)
	r.left -= int64(n)
	if err == io.EOF {
		err = errors.Join(r.s.close())
		if err == nil && r.left > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// Close leaves the reader to the next part, when this one was read to its end.
func (r *partReader) Close() error {
	if r.left > 0 {
		return r.s.close()
	}
	return nil
}
