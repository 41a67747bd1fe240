package segment

import (
	"context"
	"fmt"
	"io"
)

// Allocated tells, for each chunk of chunk bytes of a disk of size bytes, whether a
// segment touches it.
func (l List) Allocated(size, chunk int64) []bool {
	out := make([]bool, (size+chunk-1)/chunk)
	for _, s := range l {
		for i := s.Offset / chunk; i <= (s.End()-1)/chunk; i++ {
			out[i] = true
		}
	}
	return out
}

// Chunks calls fn, in ascending order, with each chunk that a segment touches: its
// index and its bytes, zeros where no segment is. The last chunk of a disk may be
// shorter. data is used again for the next call. Each source is opened once.
//
// A source that has less than its segment's length is an error.
func (l List) Chunks(ctx context.Context, size, chunk int64, fn func(index int64, data []byte) error) error {
	buf := make([]byte, chunk)
	current := int64(-1)
	flush := func() error {
		if current < 0 {
			return nil
		}
		return fn(current, buf[:min(chunk, size-current*chunk)])
	}
	for _, s := range l {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rc, err := s.From.Open()
		if err != nil {
			return err
		}
		for at := s.Offset; at < s.End(); {
			if i := at / chunk; i != current {
				if err := flush(); err != nil {
					rc.Close()
					return err
				}
				clear(buf)
				current = i
			}
			end := min(s.End(), (current+1)*chunk)
			if _, err := io.ReadFull(rc, buf[at-current*chunk:end-current*chunk]); err != nil {
				rc.Close()
				return fmt.Errorf("content of %d bytes at offset %d of the disk: %w", s.Length, s.Offset, noEOF(err))
			}
			at = end
		}
		if err := rc.Close(); err != nil {
			return err
		}
	}
	return flush()
}

// noEOF makes the end of a source, which comes too early, an error of its own.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// WriteSparse writes the segments into w, which is zeros, and nothing else.
func (l List) WriteSparse(ctx context.Context, w io.WriterAt, size int64) error {
	const chunk = 1 << 20
	return l.Chunks(ctx, size, chunk, func(i int64, data []byte) error {
		_, err := w.WriteAt(data, i*chunk)
		return err
	})
}
