package compress_test

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/fixture"
)

var text = []byte(strings.Repeat("a line of text that compresses\n", 9000))

// TestReadOthers reads what the command-line tools wrote.
func TestReadOthers(t *testing.T) {
	for _, tool := range []string{"gzip", "xz", "zstd", "bzip2"} {
		cmd := exec.Command(fixture.Tool(t, tool), "-c")
		cmd.Stdin = bytes.NewReader(text)
		packed, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if string(compress.Detect(packed)) != tool {
			t.Errorf("%s was taken for %s", tool, compress.Detect(packed))
		}
		r, err := compress.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %d bytes, %v", tool, len(got), err)
		}
	}
}

// TestOthersRead has the xz tool read what we wrote, of many lengths.
func TestOthersRead(t *testing.T) {
	xz := fixture.Tool(t, "xz")
	for name, open := range map[string]func(io.Writer) (io.WriteCloser, error){
		"xz":     func(w io.Writer) (io.WriteCloser, error) { return compress.NewXZWriter(w, 1<<20) },
		"stored": func(w io.Writer) (io.WriteCloser, error) { return compress.NewStoredXZWriter(w), nil },
	} {
		for _, n := range []int{0, 1, 2, 3, 65535, 65536, 65537, 200000} {
			t.Run(fmt.Sprint(name, n), func(t *testing.T) {
				var packed bytes.Buffer
				w, err := open(&packed)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write(text[:n]); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command(xz, "-dc")
				cmd.Stdin = bytes.NewReader(packed.Bytes())
				got, err := cmd.Output()
				if err != nil || !bytes.Equal(got, text[:n]) {
					t.Errorf("xz -d: %d bytes, %v, want %d", len(got), err, n)
				}
			})
		}
	}
}

func TestUnknown(t *testing.T) {
	if _, err := compress.NewFormatReader(strings.NewReader(""), "lz4"); err == nil {
		t.Error("an unknown format was opened")
	}
	r, err := compress.NewReader(strings.NewReader("plain"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); string(b) != "plain" || err != nil {
		t.Errorf("plain text: %q, %v", b, err)
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{"\x1f\x8b\x08", "\xfd7zXZ\x00", "\x28\xb5\x2f\xfd", "BZh9", "\x5d\x00\x00", "plain"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := compress.NewReader(bytes.NewReader(in))
		if err != nil {
			return
		}
		io.Copy(io.Discard, io.LimitReader(r, 1<<20))
		r.Close()
	})
}
