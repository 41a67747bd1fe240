package gvariant_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/gvariant"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vectors are objects of the ostree command, the examples of the GVariant
// specification, and bytes worked out from its rules; the test of commit metadata in
// ostree/repo has GLib write such values too.
var vectors = []struct {
	name, typ string
	value     any
	hex       string
}{
	{"empty tuple", "()", gvariant.Tuple{}, "00"},
	{"dirmeta", "(uuua(ayay))", gvariant.Tuple{uint32(0), uint32(0), uint32(0xed410000), []any{}}, "00000000 00000000 000041ed"},
	{"empty dirtree", "(a(say)a(sayay))", gvariant.Tuple{[]any{}, []any{}}, "00"},
	{"xattrs", "a(ayay)", []any{gvariant.Tuple{[]byte("user.foo\x00"), []byte("bar")}}, "757365722e666f6f00 626172 09 0d"},
	{"entry with a variant", "{sv}", gvariant.Entry{Key: "ostree.endianness", Value: gvariant.Variant{Type: "y", Value: byte('l')}},
		"6f73747265652e656e6469616e6e65737300 000000000000 6c0079 12"},
	{"dictionary", "a{sv}", []any{gvariant.Entry{Key: "ostree.endianness", Value: gvariant.Variant{Type: "y", Value: byte('l')}}},
		"6f73747265652e656e6469616e6e65737300 000000000000 6c0079 12 1c"},
	{"maybe string", "ms", gvariant.Just{Value: "Hello World"}, "48656c6c6f20576f726c64 0000"},
	{"nothing", "ms", nil, ""},
	{"booleans", "ab", []any{true, false, false, true, true}, "0100000101"},
	{"strings", "as", []any{"i", "can", "has", "strings?"}, "6900 63616e00 68617300 737472696e67733f00 02060a13"},
	{"tuple", "(si)", gvariant.Tuple{"foo", int32(-1)}, "666f6f00 ffffffff 04"},
	// The commit and the delta's superblock that the format notes take apart: tuples
	// whose members 0, 1 and 2 are empty, and a framing of two bytes with padding
	// in front of an empty aligned array at the end.
	{"commit", "(a{sv}aya(say)sstayay)", gvariant.Tuple{
		[]any{}, []byte{}, []any{}, "hi", "", uint64(0x00f1536500000000), fill(32, 0x12), fill(32, 0x44)},
		"686900 00 00000000 000000006553f100" + strings.Repeat("12", 32) + strings.Repeat("44", 32) + "300403000000"},
	{"wide framing", "(ayayat)", gvariant.Tuple{fill(300, 1), []byte{}, []any{}},
		strings.Repeat("01", 300) + "00000000 2c01 2c01"},
	{"object path", "o", "/a/b_1", "2f612f625f3100"},
	{"signature", "g", "a{sv}u", "617b73767d7500"},
	{"variant in a variant", "v", gvariant.Variant{Type: "v", Value: gvariant.Variant{Type: "u", Value: uint32(7)}}, "07000000 0075 0076"},
	{"maybe of a fixed type", "(mum(yy)y)", gvariant.Tuple{nil, gvariant.Just{Value: gvariant.Tuple{byte(1), byte(2)}}, byte(3)}, "0102 03 02 00"},
	{"numbers", "(nqixtd)", gvariant.Tuple{int16(-2), uint16(2), int32(-3), int64(-4), uint64(5), 0.5},
		"feff 0200 fdffffff fcffffffffffffff 0500000000000000 000000000000e03f"},
	{"padded pair", "a(iy)", []any{gvariant.Tuple{int32(96), byte(0x70)}, gvariant.Tuple{int32(648), byte(0xf7)}},
		"60000000 70000000 88020000 f7000000"},
}

func fill(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			want := unhex(t, v.hex)
			got, err := gvariant.Encode(v.typ, v.value)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("Encode = %x, %v, want %x", got, err, want)
			}
			value, err := gvariant.Decode(v.typ, want)
			if err != nil || !reflect.DeepEqual(value, v.value) {
				t.Errorf("Decode = %#v, %v, want %#v", value, err, v.value)
			}
		})
	}
}

func TestNotNormal(t *testing.T) {
	for name, tc := range map[string]struct{ typ, hex string }{
		"boolean 2":              {"b", "02"},
		"string without NUL":     {"s", "6162"},
		"string with two NULs":   {"s", "610000"},
		"not UTF-8":              {"s", "ff00"},
		"padding":                {"(yu)", "01 010000 00000000"},
		"short fixed":            {"u", "0000"},
		"offset past the end":    {"as", "6100 05"},
		"offsets out of order":   {"as", "6100 6200 0402"},
		"wide offsets":           {"(ss)", "6100 6200 0200"},
		"type of variant":        {"v", "6c00"},
		"left over":              {"(ays)", "61 6200 7a7a 01"},
		"object path":            {"o", "612f6200"},
		"object path, empty":     {"o", "2f2f6200"},
		"signature":              {"g", "617a00"},
		"array of halves":        {"aq", "010203"},
		"maybe without its zero": {"ms", "610001"},
		"length of 63 bits":      {"as", strings.Repeat("00", 300) + "ffff"},
		"type of variant, deep":  {"v", "0000" + strings.Repeat("61", 200) + "79"},
		"maybe in a signature":   {"g", "6d7900"},
	} {
		if v, err := gvariant.Decode(tc.typ, unhex(t, tc.hex)); !errors.Is(err, gvariant.ErrNotNormal) {
			t.Errorf("%s: Decode = %#v, %v, want ErrNotNormal", name, v, err)
		}
	}
	long := strings.Repeat("(y)", gvariant.MaxType)
	if _, err := gvariant.Decode("v", []byte("\x00("+long+")")); !errors.Is(err, gvariant.ErrNotNormal) {
		t.Errorf("long type: %v, want ErrNotNormal", err)
	}
}

// What is refused though its bytes may be in normal form: types that are none, and
// values that would cost too much.
func TestRefused(t *testing.T) {
	flat := "a" + strings.Repeat("(", 100) + strings.Repeat(")", 100)
	for name, tc := range map[string]struct {
		typ string
		in  []byte
	}{
		"type that does not end":     {"(s", nil},
		"dictionary key":             {"{vs}", make([]byte, 1)},
		"dictionary key, tuple":      {"{()y}", make([]byte, 2)},
		"deep type":                  {strings.Repeat("a", 1000) + "y", nil},
		"variants in variants":       {"v", bytes.Repeat([]byte("\x00v"), 1000)},
		"nested tuples, in bytes":    {flat, make([]byte, 1000)},
		"nested tuples, empty":       {"a" + strings.Repeat("(", 100) + "as" + strings.Repeat(")", 100), bytes.Repeat([]byte{0}, 200)},
		"more values than MaxValues": {"ab", make([]byte, gvariant.MaxValues+1)},
	} {
		v, err := gvariant.Decode(tc.typ, tc.in)
		if v != nil || !errors.Is(err, gvariant.ErrMalformed) || errors.Is(err, gvariant.ErrNotNormal) {
			t.Errorf("%s: Decode = %T, %v, want ErrMalformed alone", name, v, err)
		}
	}
	if _, err := gvariant.Decode(flat, make([]byte, 5)); err != nil {
		t.Errorf("five nested tuples: %v", err)
	}
}

func nest(n int) gvariant.Variant {
	v := gvariant.Variant{Type: "y", Value: byte(1)}
	for range n {
		v = gvariant.Variant{Type: "v", Value: v}
	}
	return v
}

func TestEncodeMisfit(t *testing.T) {
	for name, tc := range map[string]struct {
		typ   string
		value any
	}{
		"number as string": {"s", uint32(1)}, "string with NUL": {"s", "a\x00b"}, "too few members": {"(ss)", gvariant.Tuple{"a"}},
		"path that is none": {"o", "a"}, "nil as a number": {"u", nil}, "deep variant": {"v", nest(200)},
	} {
		if _, err := gvariant.Encode(tc.typ, tc.value); !errors.Is(err, gvariant.ErrType) {
			t.Errorf("%s: %v, want ErrType", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	if len(vectors) == 0 {
		f.Fatal("no vectors")
	}
	for _, v := range vectors {
		f.Add(v.typ, unhex(f, v.hex))
	}
	f.Add("(a{sv}tayay(a{sv}aya(say)sstayay)aya(uayttay)a(yaytt))", []byte{0})
	f.Fuzz(func(t *testing.T, typ string, in []byte) {
		v, err := gvariant.Decode(typ, in)
		if err != nil {
			if !errors.Is(err, gvariant.ErrMalformed) {
				t.Fatalf("Decode(%q) = %v", typ, err)
			}
			return
		}
		out, err := gvariant.Encode(typ, v)
		if err != nil || !bytes.Equal(out, in) {
			t.Fatalf("decode and encode changed the bytes of %q: %v\n in %x\nout %x", typ, err, in, out)
		}
	})
}

func BenchmarkDecodeDirTree(b *testing.B) {
	var files []any
	for i := range 1000 {
		files = append(files, gvariant.Tuple{"file-" + strings.Repeat("x", i%30), fill(32, byte(i))})
	}
	raw, err := gvariant.Encode("(a(say)a(sayay))", gvariant.Tuple{files, []any{}})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := gvariant.Decode("(a(say)a(sayay))", raw); err != nil {
			b.Fatal(err)
		}
	}
}
