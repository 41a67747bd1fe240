package compress_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/treewright/treewright/pkg/compress"
)

func deflate(t testing.TB, level int, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// samples are data of several kinds: none, text, a program, noise, runs.
func samples(t testing.TB) [][]byte {
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	return [][]byte{nil, []byte("a"), bytes.Repeat([]byte("to be or not to be "), 5000), program[:2<<20], noise,
		make([]byte, 1<<20), append(bytes.Repeat([]byte{1, 2, 3}, 70_000), noise[:1000]...)}
}

// TestInflate inflates what Go's own package deflates.
func TestInflate(t *testing.T) {
	var z compress.Inflater
	for i, want := range samples(t) {
		for _, level := range []int{flate.HuffmanOnly, 0, 1, 6, 9} {
			src := deflate(t, level, want)
			got := make([]byte, len(want))
			n, err := z.Inflate(got, append(src, "behind"...))
			if err != nil || n != len(src) || !bytes.Equal(got, want) {
				t.Errorf("sample %d, level %d: %d of %d bytes, %v", i, level, n, len(src), err)
			}
			for _, size := range []int{len(want) - 1, len(want) + 1} {
				if size < 0 {
					continue
				}
				if _, err := z.Inflate(make([]byte, size), src); !errors.Is(err, compress.ErrDeflate) {
					t.Errorf("sample %d, level %d, another size: %v", i, level, err)
				}
			}
			if _, err := z.Inflate(got, src[:len(src)-1]); !errors.Is(err, compress.ErrDeflate) {
				t.Errorf("sample %d, level %d, cut: %v", i, level, err)
			}
		}
	}
}

// FuzzInflate compares with Go's own package: the same content, or an error of both.
func FuzzInflate(f *testing.F) {
	for _, b := range samples(f) {
		for _, level := range []int{flate.HuffmanOnly, 1, 9} {
			f.Add(deflate(f, level, b[:min(len(b), 5000)]))
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		in := bytes.NewReader(src)
		want, err := io.ReadAll(io.LimitReader(flate.NewReader(in), 1<<20))
		if len(want) == 1<<20 {
			return
		}
		var z compress.Inflater
		got := make([]byte, len(want))
		n, ours := z.Inflate(got, src)
		if (err == nil) != (ours == nil) {
			t.Fatalf("we say %v, compress/flate %v", ours, err)
		}
		if err == nil && (n != len(src)-in.Len() || !bytes.Equal(got, want)) {
			t.Fatalf("%d of %d bytes, %q, want %q", n, len(src)-in.Len(), got, want)
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	program := samples(b)[3]
	src := deflate(b, 6, program)
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(program)))
		var z compress.Inflater
		dst := make([]byte, len(program))
		for b.Loop() {
			if _, err := z.Inflate(dst, src); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("stream", func(b *testing.B) {
		b.SetBytes(int64(len(program)))
		for b.Loop() {
			r := compress.NewDeflateReader(bytes.NewReader(src))
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
