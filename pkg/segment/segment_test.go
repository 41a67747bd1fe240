package segment_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/segment"
)

func list(pieces map[int64]string, offsets ...int64) (l segment.List) {
	for _, at := range offsets {
		l = append(l, segment.Segment{Offset: at, Length: int64(len(pieces[at])), From: segment.Bytes(pieces[at])})
	}
	return l
}

func TestChunks(t *testing.T) {
	pieces := map[int64]string{0: "start", 7: "x", 14: strings.Repeat("y", 20), 95: "end"}
	l := list(pieces, 0, 7, 14, 95)
	want := make([]byte, 98)
	for at, s := range pieces {
		copy(want[at:], s)
	}
	for _, chunk := range []int64{1, 5, 8, 16, 64, 98, 1000} {
		got := make([]byte, len(want))
		last := int64(-1)
		err := l.Chunks(t.Context(), int64(len(want)), chunk, func(i int64, data []byte) error {
			if i <= last {
				t.Errorf("chunk %d behind %d", i, last)
			}
			last = i
			copy(got[i*chunk:], data)
			return nil
		})
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("chunks of %d: %q, %v, want %q", chunk, got, err, want)
		}
		n := 0
		for _, used := range l.Allocated(int64(len(want)), chunk) {
			if used {
				n++
			}
		}
		if n == 0 {
			t.Errorf("chunks of %d: none is allocated", chunk)
		}
	}
}

func TestShortSource(t *testing.T) {
	l := list(map[int64]string{0: "abc"}, 0)
	l[0].Length = 10
	err := l.Chunks(t.Context(), 10, 4, func(int64, []byte) error { return nil })
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "content of 10 bytes at offset 0") {
		t.Errorf("a source that ends early: %v", err)
	}
}

func TestCheck(t *testing.T) {
	pieces := map[int64]string{0: "abc", 2: "x", 5: "y"}
	if err := list(pieces, 0, 5).Check(6); err != nil {
		t.Error(err)
	}
	for name, l := range map[string]segment.List{"overlap": list(pieces, 0, 2), "order": list(pieces, 5, 0), "empty": {{Offset: 1, Length: 1}}} {
		if l.Check(100) == nil {
			t.Errorf("%s was not found", name)
		}
	}
	if list(pieces, 5).Check(5) == nil {
		t.Error("a segment behind the end was not found")
	}
	if s := list(pieces, 0, 5).Shift(10); s[1].Offset != 15 || s[1].End() != 16 {
		t.Errorf("Shift = %+v", s)
	}
}
