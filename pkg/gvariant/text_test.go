package gvariant_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/gvariant"
)

// texts are asked of GLib in TestGLibText.
var texts = []string{
	`uint32 5`, `'a'`, `<'a'>`, `@as []`, `{'a': <1>}`, `[byte 0x01, 2]`, `b'bytes'`, `b"it's \001\377 \x"`, `true`, `[true, false]`,
	`5`, `-5`, `+5`, `-0`, `010`, `0x1F`, `-0x10`, `uint64 18446744073709551615`, `int64 -9223372036854775808`, `int64 -9223372036854775809`,
	`byte 256`, `byte -1`, `-2147483648`, `2147483648`, `int16 -32769`, `uint16 65535`, `handle -3`, `99999999999999999999`, `0x`, `08`, `5x`, `1_000`, `--5`,
	`0.5`, `.5`, `1e3`, `1E3`, `double 7`, `double 0x10`, `-inf`, `inf`, `infinity`, `nan`, `-nan`, `1e999`, `0x1.8p1`, `1_0.0`, `[1, 2.5]`, `[1, 1e3]`,
	`"it's"`, `'say "x"'`, `'\u00e9\U0001f600\n\t\q\\'`, `'\u00'`, `'\u0000'`, `'open`, `'a\`, "'a\\\nb'", `'é€'`, `'\v\a'`,
	`()`, `(1,)`, `(1)`, `(1, 2)`, `(1, 2,)`, `(,)`, `[]`, `[[]]`, `[[], [1]]`, `[1,]`, `[1, 'a']`, `[[], [[]], [[1]]]`, `[@ai [], [byte 1]]`,
	`{}`, `@a{sv} {}`, `{1: 2, 3: 4}`, `{1, 2}`, `{'a', <2>}`, `[{'a', 1}, {'b', 2}]`, `{[1]: 2}`, `{@v <1>: 2}`, `{1: 2, 3: 'x'}`, `[{}, {'a': 1}]`,
	`nothing`, `just 5`, `just nothing`, `@mi nothing`, `@mi 5`, `@mmi 5`, `@mmi just nothing`, `@mmi nothing`, `[nothing, 5]`, `[just nothing, 5]`, `[5, nothing, just nothing]`,
	`[just 1, @mi 2, 3]`, `[just 1, @i 2]`, `[nothing, 'a', objectpath '/x']`, `@a{smi} {'a': nothing, 'b': 3}`, `just just just 'a'`, `[just (1, nothing), (2, just 'a')]`,
	`objectpath '/a/b'`, `objectpath 'x'`, `signature 'a{sv}'`, `signature 'm'`, `['a', signature 'u']`, `['a', objectpath 'b']`,
	`<<1>>`, `<>`, `<1`, `[<1>, <'a'>]`, `@u uint32 5`, `@u int32 5`, `@i uint32 5`, `boolean true`, `boolean 1`, `string 5`, `string 'a'`,
	`@(si) ('a', 1)`, `@(si) ('a',)`, `@{sv} {'a', <1>}`, `@a{sv} {'a': 1}`, `@ay b'x'`, `@ay [1, 2]`, `@as b'x'`, `@r 1`, `@ 1`, `@i`, `@() ()`, `@av [<1>, <@as []>]`,
	``, ` `, ` 5 `, `5 6`, `x`, `b`, `bo`, `uint33 5`, `%i`, `tru`, `True`, `[1 2]`, `nothin`, `justx 1`, `{1: 2`, `{1 2}`, `{1, 2, 3}`, `[nothing]`, `(nothing, 1)`,
	`@mas nothing`, `@mas []`, `[@mas [], ['x']]`, `[b'a', [byte 1]]`, `[b'a', []]`, `[[byte 0, 0], b'']`, `@aay [b'', []]`, `[0x61, byte 2]`, `@m(ii) (1, 2)`, `@a(imi) [(1, 2), (3, nothing)]`,
	`@mv <1>`, `@mb true`, `@may b'x'`, `@md 1`, `[int64 1, 2, 3]`, `[1, int64 2, int32 3]`, `@a{s(ib)} {'k': (1, true)}`, `(uint32 1, [int16 2], {byte 3: <"4">})`,
}

// glib runs lines of JSON through GLib: {"text"} or {"type", "hex"}; it answers with
// the type, the bytes, and the text without and with types, or nothing.
func glib(t *testing.T, in []map[string]string) []map[string]string {
	t.Helper()
	const program = `
import json, sys
from gi.repository import GLib
for line in sys.stdin:
    q, a = json.loads(line), {}
    try:
        if "text" in q:
            v = GLib.Variant.parse(None, q["text"], None, None)
        else:
            v = GLib.Variant.new_from_bytes(GLib.VariantType(q["type"]), GLib.Bytes(bytes.fromhex(q["hex"])), False)
            if not v.is_normal_form(): v = None
        if v is not None:
            a = dict(type=v.get_type_string(), hex=bytes(v.get_data_as_bytes().get_data() or b"").hex(), plain=v.print_(False), typed=v.print_(True), swapped=v.byteswap().print_(True))
    except GLib.Error as e:
        pass
    print(json.dumps(a))
`
	if exec.Command(fixture.Tool(t, "/usr/bin/python3"), "-c", "from gi.repository import GLib").Run() != nil {
		fixture.Tool(t, "python3-gi") // it is a library: what is missing is told as for a program
	}
	var lines bytes.Buffer
	for _, q := range in {
		if err := json.NewEncoder(&lines).Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/usr/bin/python3", "-c", program)
	cmd.Stdin = &lines
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	answers := make([]map[string]string, len(in))
	for i, line := range bytes.Split(bytes.TrimSpace(out), []byte("\n")) {
		if err := json.Unmarshal(line, &answers[i]); err != nil {
			t.Fatal(err)
		}
	}
	return answers
}

// check compares a value with GLib's answer.
func check(t *testing.T, what string, v gvariant.Variant, want map[string]string) {
	t.Helper()
	raw, err := gvariant.Encode(v.Type, v.Value)
	if err != nil || v.Type != want["type"] || hex.EncodeToString(raw) != want["hex"] {
		t.Errorf("%s: %s %x, %v, want %s %s", what, v.Type, raw, err, want["type"], want["hex"])
		return
	}
	plain, err1 := v.Text(false)
	typed, err2 := v.Text(true)
	swapped, err3 := v.Swap().Text(true)
	if plain != want["plain"] || typed != want["typed"] || swapped != want["swapped"] {
		t.Errorf("%s: %s, %v; %s, %v; %s, %v\nwant %s; %s; %s",
			what, plain, err1, typed, err2, swapped, err3, want["plain"], want["typed"], want["swapped"])
	}
}

func TestGLibText(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	all := append([]string{}, texts...)
	for range 20000 { // texts with parts of others in them
		a, b := texts[rnd.IntN(len(texts))], texts[rnd.IntN(len(texts))]
		cut := func(s string) int { return rnd.IntN(len(s) + 1) }
		i, j := cut(a), cut(b)
		all = append(all, strings.ToValidUTF8(a[:i]+b[j:], ""), strings.ToValidUTF8(a[:i]+b+a[i:], ""))
	}
	// The C library knows a second sign: we don't.
	all = slices.DeleteFunc(all, func(s string) bool { return strings.Contains(s, "--") || strings.Contains(s, "-+") })
	var in []map[string]string
	for _, s := range all {
		in = append(in, map[string]string{"text": s})
	}
	for i, want := range glib(t, in) {
		v, err := gvariant.ParseText(all[i])
		if err != nil {
			var place *gvariant.TextError
			if want["type"] != "" || !errors.As(err, &place) || !errors.Is(err, gvariant.ErrMalformed) {
				t.Errorf("ParseText(%q) = %v, want %v", all[i], err, want)
			}
			continue
		}
		if want["type"] == "" {
			t.Errorf("ParseText(%q) = %v, want an error", all[i], v)
			continue
		}
		check(t, all[i], v, want)
	}
}

// random makes a type and a value of it.
func random(r *rand.Rand, depth int) (string, any) {
	switch k := r.IntN(18); {
	case k < 13 || depth == 0:
		return randomBasic(r, "ybnqixtdsoguh"[min(k, 12)])
	case k == 13:
		t, v := random(r, depth-1)
		if r.IntN(3) == 0 {
			return "m" + t, nil
		}
		return "m" + t, gvariant.Just{Value: v}
	case k == 14:
		t, v := random(r, depth-1)
		return "v", gvariant.Variant{Type: t, Value: v}
	case k == 15:
		kt, kv := randomBasic(r, "ybnqixtdsogu"[r.IntN(12)])
		t, v := random(r, depth-1)
		list := []any{gvariant.Entry{Key: kv, Value: v}}
		return "a{" + kt + t + "}", list[:r.IntN(2)]
	case k == 16:
		return randomArray(r, depth)
	}
	t, m := "(", gvariant.Tuple{}
	for range r.IntN(5) {
		mt, v := random(r, depth-1)
		t, m = t+mt, append(m, v)
	}
	return t + ")", m
}

func randomArray(r *rand.Rand, depth int) (string, any) {
	t, v := random(r, depth-1)
	if t == "y" {
		b := make([]byte, r.IntN(300))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return "ay", b
	}
	list := []any{}
	n := 4
	if depth == 5 {
		n = 100
	}
	for range r.IntN(n) {
		list = append(list, v)
	}
	return "a" + t, list
}

func randomBasic(r *rand.Rand, code byte) (string, any) {
	texts := []string{"", "a", "it's \"\\", "é\u00ad\u0000"[:4], "\x7f\u2028\U0010fffd\U0001f600\ufffe\a\v\r", strings.Repeat("long ", r.IntN(60))}
	n := uint64(1)<<r.IntN(64) - r.Uint64N(3)
	values := map[byte]any{
		'y': byte(n), 'b': n&1 == 0, 'n': int16(n), 'q': uint16(n), 'i': int32(n), 'h': int32(n), 'x': int64(n), 't': n, 'u': uint32(n),
		'd': []float64{0, 1, -0.1, 1e6, 1e16, 1e17, 123456789012345678, 1e-5, 1e300, math.Inf(-1), 5e-324, math.Float64frombits(n), 0.0001}[r.IntN(13)],
		's': texts[r.IntN(len(texts))], 'o': []string{"/", "/a/b_1"}[r.IntN(2)], 'g': []string{"", "a{sv}u"}[r.IntN(2)],
	}
	return string(code), values[code]
}

// What we write of random values GLib reads as it is and prints the same; what it says
// of bytes that were changed, we say too.
func TestGLibBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var in []map[string]string
	var values []gvariant.Variant
	for range 10000 {
		typ, v := random(r, 5)
		raw, err := gvariant.Encode(typ, v)
		if err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		values = append(values, gvariant.Variant{Type: typ, Value: v})
		in = append(in, map[string]string{"type": typ, "hex": hex.EncodeToString(raw)})
		if len(raw) > 0 {
			raw[r.IntN(len(raw))] = byte(r.IntN(256))
			raw = raw[r.IntN(8)/7:]
		}
		values = append(values, gvariant.Variant{})
		in = append(in, map[string]string{"type": typ, "hex": hex.EncodeToString(raw)})
	}
	for i, want := range glib(t, in) {
		raw, _ := hex.DecodeString(in[i]["hex"])
		v, err := gvariant.Decode(in[i]["type"], raw)
		if (err == nil) != (want["type"] != "") || err != nil && !errors.Is(err, gvariant.ErrNotNormal) {
			t.Errorf("%s: %v, want %v", in[i], err, want)
		}
		if err == nil {
			check(t, in[i]["hex"], gvariant.Variant{Type: in[i]["type"], Value: v}, want)
		}
		if values[i].Type != "" && want["type"] != "" {
			check(t, in[i]["hex"], values[i], want)
		}
	}
}

func TestTextRefused(t *testing.T) {
	for _, s := range []string{"5\x00", "'\\ud800'", "'\xff'", "--5", "'\\u+041'", "@" + strings.Repeat("a", 200) + "y []", strings.Repeat("[", 1<<20), strings.Repeat("<", 1<<20)} {
		var place *gvariant.TextError
		if v, err := gvariant.ParseText(s); !errors.As(err, &place) || !errors.Is(err, gvariant.ErrMalformed) {
			t.Errorf("ParseText(%.20q) = %v, %v", s, v, err)
		}
	}
	for v, want := range map[*gvariant.Variant]error{
		{Type: "s", Value: 5}: gvariant.ErrType, {Type: "av", Value: []any{"x"}}: gvariant.ErrType, {Type: "(ii)", Value: gvariant.Tuple{int32(1)}}: gvariant.ErrType,
		{Type: "zz", Value: 1}: gvariant.ErrMalformed, {Type: "mi", Value: int32(1)}: gvariant.ErrType, {Type: "a{sv}", Value: []any{1}}: gvariant.ErrType,
		{Type: "v", Value: nest(200)}: gvariant.ErrType,
	} {
		if s, err := v.Text(true); !errors.Is(err, want) {
			t.Errorf("%v: %q, %v, want %v", v, s, err, want)
		}
	}
}

func FuzzParseText(f *testing.F) {
	if len(texts) == 0 {
		f.Fatal("no texts")
	}
	for _, s := range texts {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		v, err := gvariant.ParseText(in)
		if err != nil {
			if !errors.Is(err, gvariant.ErrMalformed) {
				t.Fatalf("ParseText(%q) = %v", in, err)
			}
			return
		}
		raw, err := gvariant.Encode(v.Type, v.Value)
		if err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		text, err := v.Text(true)
		if err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		again, err := gvariant.ParseText(text)
		if err != nil || again.Type != v.Type {
			t.Fatalf("%q: text %q: %v, %v", in, text, again, err)
		}
		if b, err := gvariant.Encode(again.Type, again.Value); err != nil || !bytes.Equal(raw, b) {
			t.Fatalf("%q: text %q: %x, want %x, %v", in, text, b, raw, err)
		}
	})
}
