package delta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strings"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
)

// Target is the repository that objects of a delta are made in. What it is given is
// not verified: it compares each object with its name.
type Target interface {
	HasObject(o ObjectName) (bool, error)
	PutMetadata(o ObjectName, raw []byte) error
	PutFile(c ostree.Checksum, h *ostree.File, content io.Reader) error
	// OpenFile opens the content of a file object that is there.
	OpenFile(c ostree.Checksum) (io.ReadCloser, error)
}

// maxPayload is the largest part, in bytes and decompressed. It is in memory as a
// whole: its operations may refer to any of it.
const maxPayload = 1 << 30

// ApplyPart makes the objects of a part. file is the part's file, whose checksum the
// caller has compared; objects are those of its header. Objects that are there already
// are passed over.
//
// The error wraps [ErrMalformed] when the part cannot be what it says.
func ApplyPart(ctx context.Context, file []byte, objects []ObjectName, to Target) error {
	p, err := decodePart(file)
	if err != nil {
		return err
	}
	p.ctx, p.objects, p.to = ctx, objects, to
	return p.run()
}

// payload is a decoded part, and how far it is executed.
type payload struct {
	modes  []mode
	xattrs [][]filetree.Xattr
	blob   []byte
	ops    []byte

	ctx     context.Context
	to      Target
	objects []ObjectName // that are still to be made
	done    int          // operations

	out    *output          // between open and close
	source *ostree.Checksum // that writes read; nil: the blob
}

// mode is one of a part's modes.
type mode struct{ uid, gid, mode uint32 }

// decodePart decompresses and decodes a part's file.
func decodePart(file []byte) (*payload, error) {
	if len(file) == 0 {
		return nil, fmt.Errorf("part without a byte: %w", ErrMalformed)
	}
	raw := file[1:]
	switch file[0] {
	case 0:
	case 'x':
		z, err := compress.NewFormatReader(bytes.NewReader(raw), compress.XZ)
		if err != nil {
			return nil, fmt.Errorf("part: %v: %w", err, ErrMalformed)
		}
		defer z.Close()
		if raw, err = io.ReadAll(io.LimitReader(z, maxPayload+1)); err != nil {
			return nil, fmt.Errorf("part: %v: %w", err, ErrMalformed)
		}
		if len(raw) > maxPayload {
			return nil, fmt.Errorf("part of more than %d bytes: %w", maxPayload, ostree.ErrUnsupported)
		}
	default:
		return nil, fmt.Errorf("part: compression %q is not known: %w", file[0], ErrMalformed)
	}
	v, err := gvariant.Decode(payloadType, raw)
	if err != nil {
		return nil, fmt.Errorf("part: %v: %w", err, ErrMalformed)
	}
	t := v.(gvariant.Tuple)
	p := &payload{blob: t[2].([]byte), ops: t[3].([]byte)}
	for _, e := range t[0].([]any) {
		m := e.(gvariant.Tuple)
		swap := func(i int) uint32 { return bits.ReverseBytes32(m[i].(uint32)) }
		p.modes = append(p.modes, mode{swap(0), swap(1), swap(2)})
	}
	for _, e := range t[1].([]any) {
		list, err := partXattrs(e.([]any))
		if err != nil {
			return nil, err
		}
		p.xattrs = append(p.xattrs, list)
	}
	return p, nil
}

func partXattrs(list []any) (out []filetree.Xattr, err error) {
	for _, e := range list {
		t := e.(gvariant.Tuple)
		name, ok := strings.CutSuffix(string(t[0].([]byte)), "\x00")
		if !ok {
			return nil, fmt.Errorf("part: extended attribute %q: %w", name, ErrMalformed)
		}
		out = append(out, filetree.Xattr{Name: name, Value: t[1].([]byte)})
	}
	return out, nil
}

// run executes the operations.
func (p *payload) run() error {
	for ; len(p.ops) > 0; p.done++ {
		if p.ctx.Err() != nil {
			return context.Cause(p.ctx)
		}
		code := p.ops[0]
		p.ops = p.ops[1:]
		op, ok := operations[code]
		if !ok {
			return p.bad(fmt.Sprintf("code %d is not known", code))
		}
		args := make([]uint64, op.operands)
		for i := range args {
			var err error
			if args[i], err = p.varint(); err != nil {
				return err
			}
		}
		if err := op.run(p, args); err != nil {
			return fmt.Errorf("operation %d: %w", p.done, err)
		}
	}
	if p.out != nil {
		return p.bad("the object that is open is not closed")
	}
	return nil
}

func (p *payload) bad(why string) error {
	return fmt.Errorf("operation %d: %s: %w", p.done, why, ErrMalformed)
}

// operations are all there are.
var operations = map[byte]struct {
	operands int
	run      func(p *payload, a []uint64) error
}{
	'o': {3, (*payload).open},
	'w': {2, (*payload).write},
	'r': {1, (*payload).setSource},
	'R': {0, func(p *payload, _ []uint64) error { p.source = nil; return nil }},
	'c': {0, func(p *payload, _ []uint64) error { return p.close() }},
	'B': {2, (*payload).patch},
}

func init() {
	// Its number of operands depends on the object, so it reads them itself.
	operations['S'] = struct {
		operands int
		run      func(p *payload, a []uint64) error
	}{0, (*payload).spliceObject}
}

// varint reads a number.
func (p *payload) varint() (uint64, error) {
	var v uint64
	for i, b := range p.ops {
		if i == 10 || i == 9 && b > 1 {
			break
		}
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			p.ops = p.ops[i+1:]
			return v, nil
		}
	}
	return 0, p.bad("number is cut or too large")
}

// slice is a part of the blob.
func (p *payload) slice(length, offset uint64) ([]byte, error) {
	n := uint64(len(p.blob))
	if offset > n || length > n-offset {
		return nil, fmt.Errorf("%d bytes at %d: data has %d: %w", length, offset, n, ErrMalformed)
	}
	return p.blob[offset : offset+length], nil
}

// next is the object that is to be made.
func (p *payload) next() (ObjectName, error) {
	if len(p.objects) == 0 {
		return ObjectName{}, fmt.Errorf("an object that the header does not list: %w", ErrMalformed)
	}
	return p.objects[0], nil
}

// spliceObject makes a whole object of bytes of the blob.
func (p *payload) spliceObject(_ []uint64) error {
	o, err := p.next()
	if err != nil {
		return err
	}
	if p.out != nil {
		return fmt.Errorf("an object is open: %w", ErrMalformed)
	}
	n := 2
	if o.Type == ostree.TypeFile {
		n = 4
	}
	args := make([]uint64, n)
	for i := range args {
		if args[i], err = p.varint(); err != nil {
			return err
		}
	}
	b, err := p.slice(args[n-2], args[n-1])
	if err != nil {
		return err
	}
	p.objects = p.objects[1:]
	if there, err := p.to.HasObject(o); err != nil || there {
		return err
	}
	switch o.Type {
	case ostree.TypeFile:
		h, err := p.header(args[0], args[1])
		if err != nil {
			return err
		}
		if h.IsLink() {
			h.Target = string(b)
			return p.to.PutFile(o.Checksum, h, bytes.NewReader(nil))
		}
		h.Size = int64(len(b))
		return p.to.PutFile(o.Checksum, h, bytes.NewReader(b))
	case ostree.TypeDirTree, ostree.TypeDirMeta:
		return p.to.PutMetadata(o, b)
	}
	return fmt.Errorf("an object of type %d: %w", o.Type, ErrMalformed)
}

// header is what the indexes of a mode and of attributes say of a file.
func (p *payload) header(m, x uint64) (*ostree.File, error) {
	if m >= uint64(len(p.modes)) || x >= uint64(len(p.xattrs)) {
		return nil, fmt.Errorf("mode %d of %d, attributes %d of %d: %w", m, len(p.modes), x, len(p.xattrs), ErrMalformed)
	}
	a := p.modes[m]
	return &ostree.File{UID: a.uid, GID: a.gid, Mode: a.mode, Xattrs: p.xattrs[x]}, nil
}

var errNotOpen = errors.New("no object is open")
