// Package vdi writes VirtualBox disk images, version 1.1, dynamic.
//
// # Format
//
// All numbers are little-endian; the unit is a block of 1 MiB. A header of 512 bytes
// names the block map at 1 MiB, a 32-bit index for each block of the guest's disk,
// FFFFFFFF for one that is all zero; the blocks follow at the next whole MiB, in the
// order of the disk. VirtualBox wants two UUIDs that are not null, and 512 in both
// geometries' sector size.
//
// Source: VirtualBox' VDICore.h and QEMU's block/vdi.c; see docs/FORMATS.md.
package vdi

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/treewright/treewright/pkg/segment"
)

const (
	blockSize  = 1 << 20
	signature  = 0xbeda107f
	headerSize = 400
	notThere   = 0xffffffff
)

// Options tells how an image is written.
type Options struct {
	Size int64    // of the guest's disk, bytes; a multiple of 512
	UUID [16]byte // of the image
	Mod  [16]byte // of its last change
}

// Write streams the disk that the segments describe into w.
func Write(ctx context.Context, w io.Writer, l segment.List, o Options) error {
	if o.Size <= 0 || o.Size%512 != 0 || o.Size > 0xfffffff0*blockSize {
		return fmt.Errorf("vdi: size of %d bytes is not allowed", o.Size)
	}
	if o.UUID == [16]byte{} || o.Mod == [16]byte{} {
		return fmt.Errorf("vdi: a UUID is null")
	}
	if err := l.Check(o.Size); err != nil {
		return fmt.Errorf("vdi: %w", err)
	}
	used := l.Allocated(o.Size, blockSize)
	table := make([]byte, (int64(len(used))*4+blockSize-1)/blockSize*blockSize)
	n := uint32(0)
	for i, u := range used {
		index := uint32(notThere)
		if u {
			index = n
			n++
		}
		binary.LittleEndian.PutUint32(table[i*4:], index)
	}
	head := make([]byte, blockSize)
	header(head, o, len(used), int(n), blockSize+len(table))
	for _, b := range [][]byte{head, table} {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	whole := make([]byte, blockSize)
	return l.Chunks(ctx, o.Size, blockSize, func(_ int64, b []byte) error {
		if len(b) < blockSize {
			clear(whole)
			copy(whole, b)
			b = whole
		}
		_, err := w.Write(b)
		return err
	})
}

func header(h []byte, o Options, blocks, allocated, dataAt int) {
	le := binary.LittleEndian
	copy(h, "<<< Oracle VM VirtualBox Disk Image >>>\n")
	for at, v := range map[int]uint32{
		64: signature, 68: 0x00010001, 72: headerSize, 76: 1, 340: blockSize, 344: uint32(dataAt), 360: 512,
		376: blockSize, 384: uint32(blocks), 388: uint32(allocated), 468: 512,
	} {
		le.PutUint32(h[at:], v)
	}
	le.PutUint64(h[368:], uint64(o.Size))
	for at, u := range map[int][16]byte{392: o.UUID, 408: o.Mod} {
		// The first three parts are little-endian.
		copy(h[at:], []byte{u[3], u[2], u[1], u[0], u[5], u[4], u[7], u[6]})
		copy(h[at+8:], u[8:])
	}
}
