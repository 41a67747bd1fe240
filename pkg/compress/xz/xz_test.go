package xz_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/compress/xz"
	"github.com/treewright/treewright/pkg/fixture"
)

// content compresses well in one part, badly in another.
func content() []byte {
	var b bytes.Buffer
	r := rand.New(rand.NewPCG(1, 2))
	for b.Len() < 1<<20 {
		switch r.IntN(3) {
		case 0:
			b.WriteString(strings.Repeat("a line of text\n", r.IntN(200)))
		case 1:
			for range r.IntN(70000) {
				b.WriteByte(byte(r.Uint32()))
			}
		default:
			for range r.IntN(9000) {
				b.WriteByte(byte(r.IntN(7)) + 'a')
			}
		}
	}
	return b.Bytes()
}

func pack(t testing.TB, in []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(fixture.Tool(t, "xz"), append([]string{"-c"}, args...)...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func open(packed []byte, alone bool, workers int) ([]byte, error) {
	var r io.Reader
	var err error
	if alone {
		r, err = xz.NewLZMAReader(bytes.NewReader(packed), 0)
	} else {
		r, err = xz.NewReader(bytes.NewReader(packed), xz.Options{Workers: workers})
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// TestTool reads what the xz tool wrote, in many ways.
func TestTool(t *testing.T) {
	in := content()
	for _, args := range [][]string{
		{"-0"}, {"-6"}, {"-9e", "--check=sha256"}, {"-3", "--check=crc32"}, {"-1", "--check=none"}, {"-T2", "--block-size=300000"},
		{"--block-size=100000"}, {"--lzma2=preset=6,lc=0,lp=4,pb=0"}, {"--lzma2=preset=1,lc=1,lp=2,pb=4,dict=4096"},
		{"--format=lzma"}, {"--format=lzma", "--lzma1=lc=4,lp=0,pb=2,dict=65536"},
	} {
		for _, n := range []int{0, 1, 70000, len(in)} {
			packed := pack(t, in[:n], args...)
			alone := strings.Contains(args[0], "format")
			for _, workers := range []int{1, 3} {
				got, err := open(packed, alone, workers)
				if err != nil || !bytes.Equal(got, in[:n]) {
					t.Errorf("%q, %d bytes, %d workers: %d bytes, %v", args, n, workers, len(got), err)
				}
			}
		}
	}
	two := append(append(pack(t, in[:1000]), 0, 0, 0, 0), pack(t, in[1000:2000])...)
	if got, err := open(two, false, 1); err != nil || !bytes.Equal(got, in[:2000]) {
		t.Errorf("two streams: %d bytes, %v", len(got), err)
	}
}

// TestDamage flips a byte in many places; each is found.
func TestDamage(t *testing.T) {
	in := content()[:200000]
	good := pack(t, in, "-6", "--block-size=60000")
	for at := 0; at < len(good); at += 211 {
		bad := bytes.Clone(good)
		bad[at] ^= 4
		if got, err := open(bad, false, 2); err == nil {
			t.Errorf("damage at byte %d: %d bytes and no error", at, len(got))
		}
		if _, err := open(good[:at], false, 2); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at byte %d: %v", at, err)
		}
	}
	if _, err := xz.NewLZMAReader(strings.NewReader("\x5d\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00"), 0); !errors.Is(err, xz.ErrMemory) {
		t.Errorf("a dictionary of 4 GiB: %v", err)
	}
}

func FuzzReader(f *testing.F) {
	in := content()[:3000]
	f.Add(pack(f, in))
	f.Add(pack(f, in, "-T2", "--block-size=1000", "--check=sha256"))
	f.Add(pack(f, in, "--format=lzma"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, alone := range []bool{false, true} {
			var r io.Reader
			var err error
			if alone {
				r, err = xz.NewLZMAReader(bytes.NewReader(b), 1<<20)
			} else {
				r, err = xz.NewReader(bytes.NewReader(b), xz.Options{Memory: 1 << 20, Workers: 2})
			}
			if err == nil {
				io.Copy(io.Discard, io.LimitReader(r, 8<<20))
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	in := content()
	packed := pack(b, in)
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, err := open(packed, false, 1); err != nil {
			b.Fatal(err)
		}
	}
}
