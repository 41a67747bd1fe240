package gvariant

import (
	"fmt"
	"strings"
)

// TextError tells what is wrong with a text, and where: from byte Start up to End.
type TextError struct {
	Start, End int
	Reason     string
}

func (e *TextError) Error() string {
	if e.Start == e.End {
		return fmt.Sprintf("%d:%s", e.Start, e.Reason)
	}
	return fmt.Sprintf("%d-%d:%s", e.Start, e.End, e.Reason)
}

// Unwrap makes a TextError an [ErrMalformed].
func (e *TextError) Unwrap() error { return ErrMalformed }

// ParseText reads the text form of one value, as GLib's g_variant_parse does without a
// type from outside. Every error is a [*TextError].
func ParseText(text string) (Variant, error) {
	if i := strings.IndexByte(text, 0); i >= 0 {
		return Variant{}, &TextError{i, i + 1, "NUL in the text"}
	}
	p := textParser{scanner{text: text}}
	n, err := p.value(0)
	if err != nil {
		return Variant{}, err
	}
	if p.token() != "" {
		return Variant{}, p.wrong("expected end of input")
	}
	return n.resolve()
}

// node is a value in text, before its type is known.
type node struct {
	kind       byte // one of the kinds below
	start, end int
	text       string  // of a number, a string (without quotes and escapes) or a boolean
	typ        *typ    // kindTyped: what is said
	kids       []*node // of a container; keys and values take turns in kindDict and kindEntry
}

const (
	kindArray   = '['
	kindTuple   = '('
	kindVariant = '<'
	kindDict    = '{'
	kindEntry   = '}' // {key, value}
	kindMaybe   = 'm'
	kindNumber  = '0'
	kindString  = '\''
	kindBytes   = 'y'
	kindBool    = 'b'
	kindTyped   = '@'
)

func (n *node) wrong(format string, a ...any) error {
	return &TextError{n.start, n.end, fmt.Sprintf(format, a...)}
}

type textParser struct{ scanner }

// wrong is an error about the token at hand.
func (p *textParser) wrong(format string, a ...any) error {
	p.token()
	return &TextError{p.at, p.end, fmt.Sprintf(format, a...)}
}

// need drops the token want, or tells what it should have been there for.
func (p *textParser) need(want, purpose string) error {
	if !p.take(want) {
		return p.wrong("expected '%s' %s", want, purpose)
	}
	return nil
}

func (p *textParser) value(depth int) (*node, error) {
	if depth >= maxDepth {
		return nil, p.wrong("nested too deep")
	}
	tok := p.token()
	n := &node{start: p.at, text: tok}
	if err := p.fill(n, tok, depth); err != nil {
		return nil, err
	}
	n.end = p.at
	return n, nil
}

// fill reads what tok begins.
func (p *textParser) fill(n *node, tok string, depth int) error {
	has := func(prefix string) bool { return strings.HasPrefix(tok, prefix) }
	switch {
	case tok == "":
		return p.wrong("expected value")
	case tok == "[":
		return p.array(n, depth)
	case tok == "(":
		return p.tuple(n, depth)
	case tok == "<":
		n.kind = kindVariant
		p.next()
		if err := p.kid(n, depth); err != nil {
			return err
		}
		return p.need(">", "to follow the value in a variant")
	case tok == "{":
		return p.dict(n, depth)
	case tok == "true" || tok == "false":
		n.kind = kindBool
	case strings.IndexByte("-+.0123456789", tok[0]) >= 0 || tok == "inf" || tok == "nan":
		n.kind = kindNumber
	case tok[0] == 'n' || tok[0] == 'j':
		return p.maybe(n, tok, depth)
	case tok[0] == '\'' || tok[0] == '"':
		return p.string(n, tok)
	case has("b'") || has(`b"`):
		return p.bytes(n, tok)
	case tok[0] == '@' || len(tok) > 1 && alnum(tok[0]):
		return p.typed(n, tok, depth)
	default:
		return p.wrong("expected value")
	}
	p.next()
	return nil
}

// kid reads a value into n.
func (p *textParser) kid(n *node, depth int) error {
	k, err := p.value(depth + 1)
	n.kids = append(n.kids, k)
	return err
}

func (p *textParser) array(n *node, depth int) error {
	n.kind = kindArray
	p.next()
	for !p.take("]") {
		if len(n.kids) > 0 {
			if err := p.need(",", "or ']' to follow an array's element"); err != nil {
				return err
			}
		}
		if err := p.kid(n, depth); err != nil {
			return err
		}
	}
	return nil
}

func (p *textParser) tuple(n *node, depth int) error {
	n.kind = kindTuple
	p.next()
	for !p.take(")") {
		if len(n.kids) > 1 {
			if err := p.need(",", "or ')' to follow a tuple's member"); err != nil {
				return err
			}
		}
		if err := p.kid(n, depth); err != nil {
			return err
		}
		if len(n.kids) == 1 {
			if err := p.need(",", "to follow the first member of a tuple"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *textParser) dict(n *node, depth int) error {
	n.kind = kindDict
	p.next()
	for !p.take("}") {
		if len(n.kids) > 0 {
			if err := p.need(",", "or '}' to follow a dictionary's entry"); err != nil {
				return err
			}
		}
		if err := p.kid(n, depth); err != nil {
			return err
		}
		if len(n.kids) == 1 && p.take(",") {
			n.kind = kindEntry
		} else if err := p.need(":", "to follow a dictionary's key"); err != nil {
			return err
		}
		if err := p.kid(n, depth); err != nil {
			return err
		}
		if n.kind == kindEntry {
			return p.need("}", "at the end of a dictionary's entry")
		}
	}
	return nil
}

func (p *textParser) maybe(n *node, tok string, depth int) error {
	n.kind = kindMaybe
	switch tok {
	case "nothing":
		p.next()
		return nil
	case "just":
		p.next()
		return p.kid(n, depth)
	}
	return p.wrong("unknown keyword")
}

// typed reads a type and the value behind it.
func (p *textParser) typed(n *node, tok string, depth int) error {
	n.kind = kindTyped
	if tok[0] == '@' {
		t, err := parseType(tok[1:])
		if err != nil {
			return p.wrong("invalid type declaration")
		}
		n.typ = t
	} else if n.typ = basic[keywords[tok]]; n.typ == nil {
		return p.wrong("unknown keyword")
	}
	p.next()
	return p.kid(n, depth)
}
