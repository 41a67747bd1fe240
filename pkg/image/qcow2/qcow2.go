// Package qcow2 writes qcow2 images, version 3.
//
// # Format
//
// All numbers are big-endian; the unit is a cluster of 64 KiB. The header names two
// tables: L1, whose entries name L2 tables, whose entries name the clusters of the
// guest's disk, 0 for one that is all zero; and the refcount table, whose entries
// name blocks with a 16-bit count for every cluster of the file. A compressed
// cluster's entry has bit 62 set, the byte where it begins, and how many more
// sectors of 512 bytes it touches; a cluster of the file counts once for each
// compressed one that touches it.
//
// Not here: backing files, snapshots, encryption, reading.
//
// Source: docs/interop/qcow2.rst of QEMU; see docs/FORMATS.md.
package qcow2

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/segment"
)

const (
	clusterBits   = 16
	clusterSize   = 1 << clusterBits
	l2Entries     = clusterSize / 8
	blockEntries  = clusterSize / 2
	headerSize    = 112
	flagCopied    = 1 << 63
	flagPacked    = 1 << 62
	packedShift   = 62 - (clusterBits - 8)
	sectorSize    = 512
	refcountOrder = 4
)

// Options tells how an image is written.
type Options struct {
	Size     int64 // of the guest's disk, bytes; a multiple of 512
	Compress bool  // clusters with DEFLATE
	Level    int   // of DEFLATE; 0: 6
	Workers  int   // that compress at once; 0: one a core. The result does not depend on it.
}

// File is what the image is written to.
type File interface {
	io.Writer
	io.WriterAt
}

// Write writes the disk that the segments describe into w, which is empty.
func Write(ctx context.Context, w File, l segment.List, o Options) error {
	if o.Size <= 0 || o.Size%sectorSize != 0 {
		return fmt.Errorf("qcow2: size of %d bytes is no multiple of %d", o.Size, sectorSize)
	}
	if err := l.Check(o.Size); err != nil {
		return fmt.Errorf("qcow2: %w", err)
	}
	if o.Compress {
		return writeCompressed(ctx, w, l, o)
	}
	return writePlain(ctx, w, l, o.Size)
}

// header is cluster 0.
func header(size, l1At, refcountsAt int64, l1Size, refcountClusters int) []byte {
	h := make([]byte, clusterSize)
	be := binary.BigEndian
	copy(h, "QFI\xfb")
	be.PutUint32(h[4:], 3)
	be.PutUint32(h[20:], clusterBits)
	be.PutUint64(h[24:], uint64(size))
	be.PutUint32(h[36:], uint32(l1Size))
	be.PutUint64(h[40:], uint64(l1At))
	be.PutUint64(h[48:], uint64(refcountsAt))
	be.PutUint32(h[56:], uint32(refcountClusters))
	be.PutUint32(h[96:], refcountOrder)
	be.PutUint32(h[100:], headerSize)
	return h
}

func ceil(n, unit int64) int64 { return (n + unit - 1) / unit }

// writePlain streams: header, refcounts, L1, L2 tables, then the clusters in the
// order of the guest's disk. Which there are is known beforehand.
func writePlain(ctx context.Context, w io.Writer, l segment.List, size int64) error {
	used := l.Allocated(size, clusterSize)
	nClusters := int64(len(used))
	nL2 := ceil(nClusters, l2Entries)
	l1Clusters := ceil(nL2*8, clusterSize)
	var data, tables int64
	tableUsed := make([]bool, nL2)
	for i, u := range used {
		if u {
			data++
			if !tableUsed[i/l2Entries] {
				tableUsed[i/l2Entries] = true
				tables++
			}
		}
	}
	blocks, refTable := int64(1), int64(1)
	var total int64
	for {
		total = 1 + refTable + blocks + l1Clusters + tables + data
		b, r := ceil(total, blockEntries), int64(0)
		r = ceil(b*8, clusterSize)
		if b == blocks && r == refTable {
			break
		}
		blocks, refTable = b, r
	}
	l1At := (1 + refTable + blocks) * clusterSize
	if _, err := w.Write(header(size, l1At, clusterSize, int(nL2), int(refTable))); err != nil {
		return err
	}
	be := binary.BigEndian
	table := make([]byte, refTable*clusterSize)
	for i := range blocks {
		be.PutUint64(table[i*8:], uint64((1+refTable+i)*clusterSize))
	}
	counts := make([]byte, blocks*clusterSize)
	for i := range total {
		be.PutUint16(counts[i*2:], 1)
	}
	l1 := make([]byte, l1Clusters*clusterSize)
	tableAt := l1At + l1Clusters*clusterSize
	for i, u := range tableUsed {
		if u {
			be.PutUint64(l1[i*8:], uint64(tableAt)|flagCopied)
			tableAt += clusterSize
		}
	}
	for _, b := range [][]byte{table, counts, l1} {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	dataAt := tableAt
	for i, u := range tableUsed {
		if !u {
			continue
		}
		l2 := make([]byte, clusterSize)
		for j := i * l2Entries; j < min((i+1)*l2Entries, len(used)); j++ {
			if used[j] {
				be.PutUint64(l2[(j-i*l2Entries)*8:], uint64(dataAt)|flagCopied)
				dataAt += clusterSize
			}
		}
		if _, err := w.Write(l2); err != nil {
			return err
		}
	}
	whole := make([]byte, clusterSize)
	return l.Chunks(ctx, size, clusterSize, func(_ int64, b []byte) error {
		if len(b) < clusterSize {
			clear(whole)
			copy(whole, b)
			b = whole
		}
		_, err := w.Write(b)
		return err
	})
}

// writeCompressed writes the clusters behind a cluster for the header as they come,
// then the tables, and the header last.
func writeCompressed(ctx context.Context, w File, l segment.List, o Options) error {
	p := &packer{w: w, o: o, l2: make([]uint64, ceil(o.Size, clusterSize)), at: clusterSize}
	if p.o.Level == 0 {
		p.o.Level = 6
	}
	if p.o.Workers <= 0 {
		p.o.Workers = runtime.GOMAXPROCS(0)
	}
	if _, err := w.Write(make([]byte, clusterSize)); err != nil {
		return err
	}
	if err := p.clusters(ctx, l); err != nil {
		return err
	}
	return p.tables()
}

type packer struct {
	w      File
	o      Options
	at     int64    // end of the file
	l2     []uint64 // entries of all L2 tables
	counts []uint16 // by cluster of the file
}

// job is a cluster to compress.
type job struct {
	index int64
	data  []byte
	done  chan []byte // gets the compressed bytes; nil when they are not fewer
}

// clusters compresses on all cores and writes in the order of the disk.
func (p *packer) clusters(ctx context.Context, l segment.List) error {
	group, ctx := errgroup.WithContext(ctx)
	work := make(chan *job)
	order := make(chan *job, 4*p.o.Workers)
	group.Go(func() error {
		defer close(order)
		defer close(work)
		return l.Chunks(ctx, p.o.Size, clusterSize, func(i int64, b []byte) error {
			if isZero(b) {
				return nil
			}
			j := &job{i, make([]byte, clusterSize), make(chan []byte, 1)}
			copy(j.data, b)
			for _, to := range []chan *job{order, work} {
				select {
				case to <- j:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			return nil
		})
	})
	for range p.o.Workers {
		group.Go(func() error { return deflate(work, p.o.Level) })
	}
	group.Go(func() error {
		for j := range order {
			select {
			case packed := <-j.done:
				if err := p.put(j, packed); err != nil {
					return err
				}
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	return group.Wait()
}

// deflate compresses jobs until there are no more.
func deflate(work <-chan *job, level int) error {
	var buf bytes.Buffer
	z, err := compress.NewDeflateWriter(&buf, level)
	if err != nil {
		return err
	}
	for j := range work {
		buf.Reset()
		z.Reset(&buf)
		if _, err := z.Write(j.data); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		if buf.Len() < clusterSize {
			j.done <- bytes.Clone(buf.Bytes())
		} else {
			j.done <- nil
		}
	}
	return nil
}

// put appends a cluster to the file.
func (p *packer) put(j *job, packed []byte) error {
	if packed == nil {
		if err := p.align(); err != nil {
			return err
		}
		p.l2[j.index] = uint64(p.at) | flagCopied
		p.count(p.at, clusterSize)
		return p.write(j.data)
	}
	last := p.at + int64(len(packed)) - 1
	more := last/sectorSize - p.at/sectorSize
	p.l2[j.index] = uint64(p.at) | uint64(more)<<packedShift | flagPacked
	p.count(p.at/sectorSize*sectorSize, (more+1)*sectorSize)
	return p.write(packed)
}

// count adds one user to the clusters of the file that a range touches.
func (p *packer) count(at, length int64) {
	for c := at >> clusterBits; c <= (at+length-1)>>clusterBits; c++ {
		for int64(len(p.counts)) <= c {
			p.counts = append(p.counts, 0)
		}
		p.counts[c]++
	}
}

func (p *packer) write(b []byte) error {
	_, err := p.w.Write(b)
	p.at += int64(len(b))
	return err
}

// align fills the file up to a whole cluster.
func (p *packer) align() error {
	if rest := p.at % clusterSize; rest != 0 {
		return p.write(make([]byte, clusterSize-rest))
	}
	return nil
}

// tables appends L2 tables, L1, refcount blocks and their table, and writes the
// header.
func (p *packer) tables() error {
	if err := p.align(); err != nil {
		return err
	}
	be := binary.BigEndian
	nL2 := ceil(int64(len(p.l2)), l2Entries)
	l1 := make([]byte, ceil(nL2*8, clusterSize)*clusterSize)
	for i := range nL2 {
		entries := p.l2[i*l2Entries : min((i+1)*l2Entries, int64(len(p.l2)))]
		table := make([]byte, clusterSize)
		used := false
		for j, e := range entries {
			be.PutUint64(table[j*8:], e)
			used = used || e != 0
		}
		if used {
			be.PutUint64(l1[i*8:], uint64(p.at)|flagCopied)
			p.count(p.at, clusterSize)
			if err := p.write(table); err != nil {
				return err
			}
		}
	}
	l1At := p.at
	p.count(0, clusterSize)
	p.count(l1At, int64(len(l1)))
	if err := p.write(l1); err != nil {
		return err
	}
	blocks, refTable := int64(0), int64(0)
	for {
		total := p.at/clusterSize + blocks + refTable
		b := ceil(total, blockEntries)
		r := ceil(b*8, clusterSize)
		if b == blocks && r == refTable {
			break
		}
		blocks, refTable = b, r
	}
	first := p.at
	p.count(first, (blocks+refTable)*clusterSize)
	counts := make([]byte, blocks*clusterSize)
	for i, c := range p.counts {
		be.PutUint16(counts[i*2:], c)
	}
	table := make([]byte, refTable*clusterSize)
	for i := range blocks {
		be.PutUint64(table[i*8:], uint64(first+i*clusterSize))
	}
	if err := errors.Join(p.write(counts), p.write(table)); err != nil {
		return err
	}
	_, err := p.w.WriteAt(header(p.o.Size, l1At, first+blocks*clusterSize, int(nL2), int(refTable)), 0)
	return err
}

func isZero(b []byte) bool {
	for len(b) >= 8 {
		if binary.NativeEndian.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	return len(bytes.Trim(b, "\x00")) == 0
}
