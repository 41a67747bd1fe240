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

// vectors are bytes that GLib's own writer made: objects of the ostree command, and
// the examples of the GVariant specification.
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
	{"padded pair", "a(iy)", []any{gvariant.Tuple{int32(96), byte(0x70)}, gvariant.Tuple{int32(648), byte(0xf7)}},
		"60000000 70000000 88020000 f7000000"},
}

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
		"dictionary key":         {"{vs}", "00"},
		"type that does not end": {"(s", "00"},
	} {
		if v, err := gvariant.Decode(tc.typ, unhex(t, tc.hex)); !errors.Is(err, gvariant.ErrMalformed) {
			t.Errorf("%s: Decode = %#v, %v, want ErrMalformed", name, v, err)
		}
	}
	if _, err := gvariant.Decode(strings.Repeat("a", 1000)+"y", nil); !errors.Is(err, gvariant.ErrMalformed) {
		t.Errorf("deep type: %v, want ErrMalformed", err)
	}
}

func TestEncodeMisfit(t *testing.T) {
	for name, tc := range map[string]struct {
		typ   string
		value any
	}{
		"number as string": {"s", uint32(1)}, "string with NUL": {"s", "a\x00b"}, "too few members": {"(ss)", gvariant.Tuple{"a"}},
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
