package delta

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"math/bits"
	"strings"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
)

const payloadType = "(a(uuu)aa(ayay)ayay)"

// dictSize is the xz dictionary. Clients since ostree 2026.3 decode with a memory
// limit of 100 MiB; preset 8 of xz, which stock writes, has 32 MiB.
const dictSize = 32 << 20

// part is one part under construction.
type part struct {
	objects []ObjectName
	usize   uint64
	blob    []byte
	ops     []byte
	modes   indexed
	xattrs  indexed
	stored  bool // content that is compressed already: it is not tried again
}

// indexed is a list without duplicates.
type indexed struct {
	index map[string]uint64
	list  []any
}

// of returns the index of the value that key stands for.
func (x *indexed) of(key string, value func() any) uint64 {
	if i, ok := x.index[key]; ok {
		return i
	}
	if x.index == nil {
		x.index = map[string]uint64{}
	}
	i := uint64(len(x.list))
	x.index[key] = i
	x.list = append(x.list, value())
	return i
}

// splice appends data to the blob and returns its offset.
func (p *part) splice(data []byte) uint64 {
	at := uint64(len(p.blob))
	p.blob = append(p.blob, data...)
	return at
}

func (p *part) op(code byte, operands ...uint64) {
	p.ops = append(p.ops, code)
	for _, o := range operands {
		p.ops = binary.AppendUvarint(p.ops, o)
	}
}

// addMetadata makes the part produce a metadata object.
func (p *part) addMetadata(o ObjectName, raw []byte) {
	p.objects = append(p.objects, o)
	p.usize += uint64(len(raw))
	p.op('S', uint64(len(raw)), p.splice(raw))
}

// addFile makes the part produce a file object. r is its content.
func (p *part) addFile(o ObjectName, f *ostree.File, r io.Reader) error {
	mode := p.modes.of(fmt.Sprint(f.UID, f.GID, f.Mode), func() any {
		return gvariant.Tuple{bits.ReverseBytes32(f.UID), bits.ReverseBytes32(f.GID), bits.ReverseBytes32(f.Mode)}
	})
	xattrs := p.xattrs.of(xattrKey(f.Xattrs), func() any { return xattrValue(f.Xattrs) })
	at := uint64(len(p.blob))
	if f.Target != "" {
		p.splice([]byte(f.Target))
	} else {
		buf := make([]byte, f.Size)
		if _, err := io.ReadFull(r, buf); err != nil {
			return fmt.Errorf("object %s.file: content of %d bytes: %w", o.Checksum, f.Size, err)
		}
		p.splice(buf)
		p.usize += uint64(f.Size)
	}
	p.objects = append(p.objects, o)
	p.op('S', mode, xattrs, uint64(len(p.blob))-at, at)
	return nil
}

func xattrKey(list []filetree.Xattr) string {
	var b strings.Builder
	for _, x := range list {
		fmt.Fprintf(&b, "%d:%s%d:%s", len(x.Name), x.Name, len(x.Value), x.Value)
	}
	return b.String()
}

func xattrValue(list []filetree.Xattr) []any {
	out := make([]any, len(list))
	for i, x := range list {
		out[i] = gvariant.Tuple{append([]byte(x.Name), 0), x.Value}
	}
	return out
}

// write compresses the part into w and returns its header.
func (p *part) write(w io.Writer) (PartHeader, error) {
	h := PartHeader{USize: p.usize, Objects: p.objects}
	payload, err := gvariant.Encode(payloadType, gvariant.Tuple{p.modes.list, p.xattrs.list, p.blob, p.ops})
	if err != nil {
		return h, err
	}
	p.blob = nil // may be large
	sum := &counter{w: w, h: sha256.New()}
	if _, err := sum.Write([]byte{'x'}); err != nil {
		return h, err
	}
	xz := compress.NewStoredXZWriter(sum)
	if !p.stored {
		if xz, err = compress.NewXZWriter(sum, min(dictSize, max(4096, len(payload)))); err != nil {
			return h, err
		}
	}
	if _, err := xz.Write(payload); err != nil {
		return h, err
	}
	if err := xz.Close(); err != nil {
		return h, err
	}
	h.Size = sum.n
	sum.h.Sum(h.Checksum[:0])
	return h, nil
}

// counter hashes and counts what it passes on.
type counter struct {
	w io.Writer
	h hash.Hash
	n uint64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.h.Write(b[:n])
	c.n += uint64(n)
	return n, err
}
