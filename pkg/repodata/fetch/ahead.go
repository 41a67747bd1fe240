package fetch

import "io"

// ahead reads in a goroutine of its own, so that decompressing goes beside parsing.
type ahead struct {
	full, free chan []byte
	done       chan struct{}
	cur        []byte
	rest       []byte
	err        error // valid when full is closed
}

const aheadSize = 256 << 10

func newAhead(r io.Reader) *ahead {
	a := &ahead{full: make(chan []byte, 3), free: make(chan []byte, 4), done: make(chan struct{})}
	for range 4 {
		a.free <- make([]byte, aheadSize)
	}
	go a.fill(r)
	return a
}

func (a *ahead) fill(r io.Reader) {
	defer close(a.full)
	for {
		var b []byte
		select {
		case b = <-a.free:
		case <-a.done:
			a.err = io.ErrClosedPipe
			return
		}
		n, err := io.ReadFull(r, b[:aheadSize])
		if n > 0 {
			a.full <- b[:n]
		}
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		if a.err = err; err != nil {
			return
		}
	}
}

func (a *ahead) Read(p []byte) (int, error) {
	if len(a.rest) == 0 {
		if a.cur != nil {
			a.free <- a.cur
			a.cur = nil
		}
		b, ok := <-a.full
		if !ok {
			return 0, a.err
		}
		a.cur, a.rest = b, b
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// Close waits for the goroutine to leave the reader alone.
func (a *ahead) Close() {
	close(a.done)
	for range a.full {
	}
}
