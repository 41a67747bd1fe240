package gvariant

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// Text returns the text form of the value, as GLib's g_variant_print does. With types,
// the text says what can't be told from the value, so that [ParseText] gives the same
// value again; a variant inside always has them.
//
// The error is [ErrType] when the value does not fit its type.
func (v Variant) Text(types bool) (string, error) {
	t, err := parseType(v.Type)
	if err != nil {
		return "", err
	}
	var p printer
	if err := p.value(t, v.Value, types); err != nil {
		return "", err
	}
	return p.out.String(), nil
}

type printer struct {
	out   strings.Builder
	depth int
}

// keywords name the types whose values look like those of others.
var keywords = map[string]byte{
	"boolean": 'b', "byte": 'y', "int16": 'n', "uint16": 'q', "int32": 'i', "handle": 'h', "uint32": 'u',
	"int64": 'x', "uint64": 't', "double": 'd', "string": 's', "objectpath": 'o', "signature": 'g',
}

// shown are the keywords that are written; the other types can be told without.
var shown = map[byte]string{
	'y': "byte ", 'n': "int16 ", 'q': "uint16 ", 'h': "handle ", 'u': "uint32 ", 'x': "int64 ", 't': "uint64 ",
	'o': "objectpath ", 'g': "signature ",
}

func (p *printer) value(t *typ, v any, types bool) error {
	if p.depth > maxDepth {
		return fmt.Errorf("%q is nested too deep: %w", t.text, ErrType)
	}
	p.depth++
	defer func() { p.depth-- }()
	switch t.code {
	case 'v':
		x, ok := v.(Variant)
		if !ok {
			return misfit(t, v)
		}
		return p.variant(x)
	case 'm':
		return p.maybe(t, v, types)
	case 'a':
		return p.array(t, v, types)
	case '(':
		m, ok := v.(Tuple)
		if !ok || len(m) != len(t.children) {
			return misfit(t, v)
		}
		return p.tuple(t, m, types)
	case '{':
		m, ok := v.(Entry)
		if !ok {
			return misfit(t, v)
		}
		p.out.WriteByte('{')
		if err := p.entry(t, m, ", ", types); err != nil {
			return err
		}
		p.out.WriteByte('}')
		return nil
	}
	if !fits(t.code, v) {
		return misfit(t, v)
	}
	if types {
		p.out.WriteString(shown[t.code])
	}
	p.out.WriteString(basicText(t.code, v))
	return nil
}

// fits tells whether v is the Go type of a basic type.
func fits(code byte, v any) bool {
	switch v.(type) {
	case byte:
		return code == 'y'
	case bool:
		return code == 'b'
	case int16:
		return code == 'n'
	case uint16:
		return code == 'q'
	case int32:
		return code == 'i' || code == 'h'
	case uint32:
		return code == 'u'
	case int64:
		return code == 'x'
	case uint64:
		return code == 't'
	case float64:
		return code == 'd'
	case string:
		return code == 's' || code == 'o' || code == 'g'
	}
	return false
}

func basicText(code byte, v any) string {
	switch code {
	case 'y':
		return fmt.Sprintf("0x%02x", v)
	case 'd':
		return doubleText(v.(float64))
	case 's':
		return quote(v.(string))
	case 'o', 'g':
		return "'" + v.(string) + "'"
	}
	return fmt.Sprint(v)
}

// doubleText has 17 digits, and a point or an exponent to tell it from an integer.
func doubleText(x float64) string {
	if math.IsNaN(x) && math.Signbit(x) {
		return "-nan"
	}
	s := strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(x, 'g', 17, 64), "+"))
	if !strings.ContainsAny(s, ".en") {
		s += ".0"
	}
	return s
}

// quote puts a string in single quotes, or in double ones when it has single ones.
func quote(s string) string {
	var b strings.Builder
	q := '\''
	if strings.ContainsRune(s, q) {
		q = '"'
	}
	b.WriteRune(q)
	for _, r := range s {
		switch i := strings.IndexRune("\a\b\f\n\r\t\v", r); {
		case r == q || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case i >= 0:
			b.WriteByte('\\')
			b.WriteByte("abfnrtv"[i])
		case unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Co):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			fmt.Fprintf(&b, "\\U%08x", r)
		}
	}
	b.WriteRune(q)
	return b.String()
}

// quoteBytes is the text of bytes that end in their only NUL, here without it.
func quoteBytes(s []byte) string {
	var b strings.Builder
	q := byte('\'')
	if strings.IndexByte(string(s), q) >= 0 {
		q = '"'
	}
	b.WriteByte('b')
	b.WriteByte(q)
	for _, c := range s {
		switch i := strings.IndexByte("\b\f\n\r\t\v\\\"", c); {
		case i >= 0:
			b.WriteByte('\\')
			b.WriteByte("bfnrtv\\\""[i])
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, "\\%03o", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(q)
	return b.String()
}

func (p *printer) variant(x Variant) error {
	inner, err := parseType(x.Type)
	if err != nil {
		return err
	}
	p.out.WriteByte('<')
	if err := p.value(inner, x.Value, true); err != nil {
		return err
	}
	p.out.WriteByte('>')
	return nil
}

// maybe writes a value as it is; "just" only stands where what is inside is nothing.
func (p *printer) maybe(t *typ, v any, types bool) error {
	if types {
		p.out.WriteString("@" + t.text + " ")
	}
	for t.code == 'm' && v != nil {
		j, ok := v.(Just)
		if !ok {
			return misfit(t, v)
		}
		if endsInNothing(t, v) {
			p.out.WriteString("just ")
		}
		t, v = t.children[0], j.Value
	}
	if t.code == 'm' {
		p.out.WriteString("nothing")
		return nil
	}
	return p.value(t, v, false)
}

// endsInNothing tells whether there is nothing in the innermost of maybes in maybes.
func endsInNothing(t *typ, v any) bool {
	for t.code == 'm' {
		j, ok := v.(Just)
		if !ok {
			return v == nil
		}
		t, v = t.children[0], j.Value
	}
	return false
}

func (p *printer) array(t *typ, v any, types bool) error {
	c := t.children[0]
	if b, ok := v.([]byte); ok && c.code == 'y' {
		p.bytes(b, types)
		return nil
	}
	list, ok := v.([]any)
	if !ok && v != nil || c.code == 'y' && len(list) > 0 {
		return misfit(t, v)
	}
	brackets := "[]"
	if c.code == '{' {
		brackets = "{}"
	}
	if types && len(list) == 0 {
		p.out.WriteString("@" + t.text + " ")
	}
	p.out.WriteByte(brackets[0])
	for i, x := range list {
		if i > 0 {
			p.out.WriteString(", ")
		}
		if err := p.element(c, x, types && i == 0); err != nil {
			return err
		}
	}
	p.out.WriteByte(brackets[1])
	return nil
}

func (p *printer) element(c *typ, x any, types bool) error {
	if c.code != '{' {
		return p.value(c, x, types)
	}
	m, ok := x.(Entry)
	if !ok {
		return misfit(c, x)
	}
	return p.entry(c, m, ": ", types)
}

func (p *printer) entry(t *typ, m Entry, between string, types bool) error {
	if err := p.value(t.children[0], m.Key, types); err != nil {
		return err
	}
	p.out.WriteString(between)
	return p.value(t.children[1], m.Value, types)
}

func (p *printer) bytes(b []byte, types bool) {
	if n := strings.IndexByte(string(b), 0); n >= 0 && n == len(b)-1 {
		p.out.WriteString(quoteBytes(b[:n]))
		return
	}
	if types && len(b) == 0 {
		p.out.WriteString("@ay ")
	}
	p.out.WriteByte('[')
	for i, c := range b {
		switch {
		case i > 0:
			p.out.WriteString(", ")
		case types:
			p.out.WriteString(shown['y'])
		}
		fmt.Fprintf(&p.out, "0x%02x", c)
	}
	p.out.WriteByte(']')
}

func (p *printer) tuple(t *typ, m Tuple, types bool) error {
	p.out.WriteByte('(')
	for i, c := range t.children {
		if i > 0 {
			p.out.WriteString(", ")
		}
		if err := p.value(c, m[i], types); err != nil {
			return err
		}
	}
	if len(m) == 1 {
		p.out.WriteByte(',')
	}
	p.out.WriteByte(')')
	return nil
}
