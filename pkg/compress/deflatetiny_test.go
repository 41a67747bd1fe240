package compress_test

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"io"
	"testing"

	"github.com/treewright/treewright/pkg/compress"
)

// The wanted bytes are zlib's: python3 -c 'import zlib; print(zlib.compress(b"moo\n", 6)[2:-4].hex())'
func TestDeflateTiny(t *testing.T) {
	for content, want := range map[string]string{
		"": "0300", "moo\n": "cbcdcfe70200", "hello\n": "cb48cdc9c9e70200", "\x8f\x90\xff": "eb9ff01f00",
	} {
		if got := hex.EncodeToString(compress.DeflateTiny([]byte(content))); got != want {
			t.Errorf("%q: %s, want %s", content, got, want)
		}
	}
}

func FuzzDeflateTiny(f *testing.F) {
	f.Add([]byte("hello\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.NewReader(compress.DeflateTiny(b))
		if back, err := io.ReadAll(flate.NewReader(in)); err != nil || !bytes.Equal(back, b) || in.Len() > 0 {
			t.Fatalf("%x is %x, %v, and %d bytes behind it", b, back, err, in.Len())
		}
	})
}
