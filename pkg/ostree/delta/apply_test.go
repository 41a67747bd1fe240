package delta_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/delta"
)

// memory is a target that keeps what it is given, and has one file to read.
type memory struct {
	old   string
	files []string
	meta  []string
}

func (m *memory) HasObject(delta.ObjectName) (bool, error) { return false, nil }

func (m *memory) PutMetadata(_ delta.ObjectName, raw []byte) error {
	m.meta = append(m.meta, string(raw))
	return nil
}

func (m *memory) PutFile(_ ostree.Checksum, h *ostree.File, r io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(r, 1<<20))
	m.files = append(m.files, h.Target+string(b))
	return err
}

func (m *memory) OpenFile(ostree.Checksum) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(m.old)), nil
}

// part is a part's file that is stored, with one mode of a file and one of a link.
func part(t testing.TB, blob string, ops ...any) []byte {
	t.Helper()
	var code []byte
	for _, o := range ops {
		switch o := o.(type) {
		case rune:
			code = append(code, byte(o))
		case int:
			code = binary.AppendUvarint(code, uint64(o))
		}
	}
	mode := func(m uint32) gvariant.Tuple {
		return gvariant.Tuple{uint32(0), uint32(0), m>>24 | m>>8&0xff00 | m<<8&0xff0000 | m<<24}
	}
	b, err := gvariant.Encode("(a(uuu)aa(ayay)ayay)", gvariant.Tuple{
		[]any{mode(0o100644), mode(0o120777)}, []any{[]any{}}, []byte(blob), code,
	})
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{0}, b...)
}

// patch is a stream of bspatch.
func patch(diff, extra string, seek int64) string {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(diff)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(extra)))
	sign := uint64(0)
	if seek < 0 {
		sign, seek = 1<<63, -seek
	}
	return string(binary.LittleEndian.AppendUint64(b, uint64(seek)|sign)) + diff + extra
}

// The operations do what the table of their codes says.
func TestApplyPart(t *testing.T) {
	id := strings.Repeat("i", 32)
	stream := patch("\x00\x01\x00", "NEW", -2) + patch("\x00\x00", "", 0)
	for name, tc := range map[string]struct {
		file []byte
		want string // of files, or the error
	}{
		"content":         {part(t, "xhello", 'S', 0, 0, 5, 1), "hello"},
		"link":            {part(t, "xhello", 'S', 1, 0, 5, 1), "hello"},
		"from the blob":   {part(t, "hello", 'o', 0, 0, 7, 'w', 5, 0, 'w', 2, 3, 'c'), "hellolo"},
		"nothing":         {part(t, "", 'o', 0, 0, 0, 'c'), ""},
		"from a file":     {part(t, id+"--", 'r', 0, 'o', 0, 0, 7, 'w', 3, 4, 'w', 2, 0, 'R', 'w', 2, 32, 'c'), "efgab--"},
		"patch":           {part(t, id+stream, 'r', 0, 'o', 0, 0, 8, 'B', 32, len(stream), 'c', 'R'), "accNEWbc"},
		"beyond the blob": {part(t, "hello", 'S', 0, 0, 5, 1), "malformed"},
		"overflow":        {part(t, "hello", 'S', 0, 0, 1<<62, 1<<62), "malformed"},
		"no such mode":    {part(t, "hello", 'S', 2, 0, 5, 0), "malformed"},
		"too short":       {part(t, "hello", 'o', 0, 0, 7, 'w', 5, 0, 'c'), "malformed"},
		"too long":        {part(t, "hello", 'o', 0, 0, 3, 'w', 5, 0, 'c'), "malformed"},
		"never closed":    {part(t, "hello", 'o', 0, 0, 5, 'w', 5, 0), "malformed"},
		"beyond a file":   {part(t, id, 'r', 0, 'o', 0, 0, 7, 'w', 7, 4, 'c'), "malformed"},
		"two files":       {part(t, "hello", 'S', 0, 0, 5, 0, 'S', 0, 0, 5, 0), "malformed"},
		"cut patch":       {part(t, id+stream, 'r', 0, 'o', 0, 0, 9, 'B', 32, len(stream), 'c'), "malformed"},
		"no such code":    {part(t, "", 'X'), "malformed"},
		"cut number":      {part(t, "", 'o', 0, 0), "malformed"},
		"compression":     {[]byte("zz"), "malformed"},
	} {
		m := &memory{old: "abcdefg"}
		err := delta.ApplyPart(t.Context(), tc.file, []delta.ObjectName{{Type: ostree.TypeFile}}, m)
		switch {
		case tc.want == "malformed":
			if !errors.Is(err, delta.ErrMalformed) {
				t.Errorf("%s: %q, %v", name, m.files, err)
			}
		case err != nil || !slices.Equal(m.files, []string{tc.want}):
			t.Errorf("%s: %q, %v, want %q", name, m.files, err, tc.want)
		}
	}
}

func FuzzApplyPart(f *testing.F) {
	id := strings.Repeat("i", 32)
	f.Add(part(f, "xhello", 'S', 0, 0, 5, 1))
	f.Add(part(f, id+"--", 'r', 0, 'o', 0, 0, 7, 'w', 3, 4, 'R', 'w', 2, 32, 'c'))
	f.Add(part(f, id+patch("\x00", "NEW", -1), 'r', 0, 'o', 0, 0, 4, 'B', 32, 28, 'c'))
	f.Add([]byte("x\xfd7zXZ\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 0 && b[0] == 'x' && len(b) > 1<<10 {
			return // bombs are bounded, but slow
		}
		m := &memory{old: "abcdefg"}
		objects := []delta.ObjectName{{Type: ostree.TypeFile}, {Type: ostree.TypeDirTree}, {Type: ostree.TypeFile}}
		err := delta.ApplyPart(context.Background(), bytes.Clone(b), objects, m)
		if err != nil && !errors.Is(err, delta.ErrMalformed) && !errors.Is(err, ostree.ErrUnsupported) {
			t.Fatal(err)
		}
	})
}
