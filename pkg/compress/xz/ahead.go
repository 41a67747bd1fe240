package xz

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// ahead is a block that is decoded while others are read.
type ahead struct {
	d      *decoder
	memory int64
	done   chan error // gets one
}

// lookAhead reads blocks that tell their sizes and has them decoded, until all workers
// have one or memory is used up. Where one cannot be taken it stays for itself.
func (x *Reader) lookAhead() error {
	for {
		if err := x.header(); err != nil || x.next == nil {
			return err
		}
		b := x.next
		if x.o.Workers < 2 || len(x.queue) == x.o.Workers || b.compressed < 0 || b.open < 0 {
			return nil
		}
		// The window holds the whole block, and half as much again while it grows.
		memory := b.compressed + 2*b.open
		if b.compressed > allowed(x.o.Memory) || b.open > allowed(x.o.Memory) || x.used+memory > allowed(x.o.Memory) {
			return nil
		}
		x.next = nil
		if err := x.dispatch(b, memory); err != nil {
			return err
		}
	}
}

// dispatch reads a block and begins to decode it.
func (x *Reader) dispatch(b *block, memory int64) error {
	if err := x.record(b, b.compressed, b.open); err != nil {
		return err
	}
	sum, err := newCheck(b.check)
	if err != nil {
		return err
	}
	size := b.compressed + int64(padding(b.compressed))
	if sum != nil {
		size += int64(sum.Size())
	}
	var raw bytes.Buffer
	if _, err := io.CopyN(&raw, x.r, size); err != nil {
		return fmt.Errorf("block: %w", cut(err))
	}
	a := &ahead{d: &decoder{}, memory: memory, done: make(chan error, 1)}
	x.queue = append(x.queue, a)
	x.used += memory
	go func() { a.done <- a.d.whole(b, raw.Bytes()) }()
	return nil
}

// whole decodes a block that is in memory.
func (d *decoder) whole(b *block, raw []byte) error {
	if err := d.start(b); err != nil {
		return err
	}
	for r := bufio.NewReader(bytes.NewReader(raw)); !d.done; {
		if err := d.more(r); err != nil {
			return err
		}
	}
	return nil
}

// pop hands on the block that is first.
func (x *Reader) pop() error {
	a := x.queue[0]
	x.queue = x.queue[1:]
	x.used -= a.memory
	if err := <-a.done; err != nil {
		return err
	}
	x.data = a.d.buf[:a.d.end]
	return nil
}
