package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/treewright/treewright/pkg/ostree/delta"
)

func deltaShowCommand() *command {
	c := newCommand("show", "DELTA", "Dump information on a delta")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		from, to, err := e.deltaName()
		if len(e.args) == 0 {
			return err
		}
		file := e.args[0]
		if err == nil {
			at := path.Join(delta.Dir(from, to), "superblock")
			file = filepath.Join(r.Path(), filepath.FromSlash(at))
			if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("openat(%s): No such file or directory", at)
			}
		} else if st, no := os.Stat(file); no != nil || !st.Mode().IsRegular() {
			return err
		}
		d, err := delta.OpenFile(file)
		if err != nil {
			return err
		}
		return e.showDelta(e.args[0], d)
	}
	return c
}

// showDelta prints what is in a delta. It reads the parts.
func (e *env) showDelta(name string, d *delta.File) error {
	signed, from, order := "no", " <scratch>", "little"
	if d.Signed != nil {
		signed = "yes"
	}
	if d.From != nil {
		from = ": " + d.From.String()
	}
	if d.Order == 'B' {
		order = "big"
	}
	if d.Guessed {
		order += " (heuristic)"
	}
	e.printf("Delta: %s\nSigned: %s\nFrom%s\nTo: %s\nEndianness: %s\nTimestamp: %d\nNumber of parents: 0\n", name, signed, from, d.To, order, uint64(d.Timestamp))
	e.printf("Number of fallback entries: %d\n", len(d.Fallbacks))
	var size, usize, partSize, partUSize uint64
	for _, f := range d.Fallbacks {
		e.printf("  %s\n", f.Checksum)
		size, usize = size+f.Size, usize+f.USize
	}
	e.printTotal("Total Fallback Size", size)
	e.printTotal("Total Fallback Uncompressed Size", usize)
	e.printf("Number of parts: %d\n", len(d.Parts))
	for i, p := range d.Parts {
		if err := e.showPart(d, i); err != nil {
			return err
		}
		partSize, partUSize = partSize+p.Size, partUSize+p.USize
	}
	e.printTotal("Total Part Size", partSize)
	e.printTotal("Total Part Uncompressed Size", partUSize)
	e.printTotal("Total Size", size+partSize)
	e.printTotal("Total Uncompressed Size", usize+partUSize)
	return nil
}

func (e *env) printTotal(what string, n uint64) { e.printf("%s: %d (%s)\n", what, n, formatSize(n)) }

func (e *env) showPart(d *delta.File, i int) error {
	h := d.Parts[i]
	e.printf("PartMeta%d: nobjects=%d size=%d usize=%d\n", i, len(h.Objects), h.Size, h.USize)
	file, err := d.Part(i)
	if err != nil {
		return err
	}
	p, err := delta.StatPart(file, h.Objects)
	if err != nil {
		return fmt.Errorf("part %d: %w", i, err)
	}
	n := p.Count
	e.printf("PartPayload%d: nmodes=%d nxattrs=%d blobsize=%d opsize=%d\n", i, p.Modes, p.Xattrs, p.Blob, p.Ops)
	e.printf("PartPayloadOps%d: openspliceclose=%d open=%d write=%d setread=%d unsetread=%d close=%d bspatch=%d\n", i,
		n['S'], n['o'], n['w'], n['r'], n['R'], n['c'], n['B'])
	return nil
}
