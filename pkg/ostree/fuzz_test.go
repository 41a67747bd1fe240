package ostree_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/treewright/treewright/pkg/ostree"
)

type encoder interface{ Encode() ([]byte, error) }

// exact checks that what was parsed from in is written as in, or that the error is
// of malformed input.
func exact(t *testing.T, in []byte, o encoder, err error) {
	t.Helper()
	if err != nil {
		if !reflect.ValueOf(o).IsNil() || !errors.Is(err, ostree.ErrMalformed) {
			t.Fatalf("parsed %+v, %v", o, err)
		}
		return
	}
	if out, err := o.Encode(); err != nil || !bytes.Equal(out, in) {
		t.Fatalf("decode and encode changed the bytes: %v\n in %x\nout %x", err, in, out)
	}
}

func FuzzParseCommit(f *testing.F) {
	for _, raw := range seeds(f, "commit") {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := ostree.ParseCommit(in)
		exact(t, in, c, err)
	})
}

func FuzzParseDir(f *testing.F) {
	for _, kind := range []string{"dirtree", "dirmeta"} {
		for _, raw := range seeds(f, kind) {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := ostree.ParseDirTree(in)
		exact(t, in, d, err)
		m, err := ostree.ParseDirMeta(in)
		exact(t, in, m, err)
	})
}

func FuzzReadHeader(f *testing.F) {
	for _, kind := range []string{"filez", "ostreemeta"} {
		for _, raw := range seeds(f, kind) {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		check := func(h *ostree.File, err error, encode func() ([]byte, error)) {
			if err != nil {
				if h != nil || !errors.Is(err, ostree.ErrMalformed) {
					t.Fatalf("parsed %+v, %v", h, err)
				}
				return
			}
			if out, err := encode(); err != nil || !bytes.HasPrefix(in, out) {
				t.Fatalf("decode and encode changed the bytes: %v\n in %x\nout %x", err, in, out)
			}
		}
		h, err := ostree.ReadArchiveHeader(bytes.NewReader(in))
		check(h, err, h.ArchiveHeader)
		h, err = ostree.ReadHeader(bytes.NewReader(in))
		check(h, err, h.Header)
		h, err = ostree.ParseBareMeta(in)
		check(h, err, h.BareMeta)
	})
}

func FuzzParseSummary(f *testing.F) {
	for _, kind := range []string{"summary", "index"} {
		for _, raw := range seeds(f, kind) {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if deltas, err := ostree.ParseDeltaIndex(in); err != nil && (deltas != nil || !errors.Is(err, ostree.ErrMalformed)) {
			t.Fatalf("ParseDeltaIndex = %v, %v", deltas, err)
		}
		s, err := ostree.ParseSummary(in)
		if err != nil {
			if s != nil || !errors.Is(err, ostree.ErrMalformed) {
				t.Fatalf("ParseSummary = %+v, %v", s, err)
			}
			return
		}
		// The order of keys is free, so it is the values that come back.
		out, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ostree.ParseSummary(out)
		if err != nil {
			t.Fatal(err)
		}
		if out2, err := again.Encode(); err != nil || !bytes.Equal(out, out2) {
			t.Fatalf("decode and encode changed the bytes: %v\n in %x\nout %x", err, out, out2)
		}
	})
}
