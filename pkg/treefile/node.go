package treefile

import (
	"math"
	"path"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// source is one file being read.
type source struct {
	path   string // in the fs.FS
	shown  string // in errors
	json   bool
	stored bool // the flattened form, see ParseStored
	loader *loader
}

func (s *source) dir() string { return path.Dir(s.path) }

// node is a value in a file, aliases resolved.
type node struct {
	place
	src    *source
	y      *yaml.Node
	inline bool // inside conditional-include
}

func newNode(s *source, y *yaml.Node, key string) node {
	n := node{place: place{s.shown, y.Line, key}, src: s, y: y}
	for n.y.Kind == yaml.AliasNode {
		n.y = n.y.Alias
	}
	return n
}

// child is y, which stands in n, as the value of key.
func (n node) child(y *yaml.Node, key string) node {
	c := newNode(n.src, y, key)
	c.inline = n.inline
	return c
}

// kind is what a value can be.
type kind int

const (
	aMapping kind = iota
	aList
	aString
	anInt
	aFloat
	aBool
	nothing
	tagged
)

// scalars are the kinds of a single value, by YAML tag. A date is text, as in YAML
// 1.2.
var scalars = map[string]kind{
	"!!str": aString, "!!timestamp": aString, "!!merge": aString,
	"!!int": anInt, "!!float": aFloat, "!!bool": aBool, "!!null": nothing,
}

func (n node) kind() kind {
	tag := n.y.ShortTag()
	switch {
	case n.y.Kind == yaml.MappingNode && tag == "!!map":
		return aMapping
	case n.y.Kind == yaml.SequenceNode && tag == "!!seq":
		return aList
	case n.y.Kind == yaml.ScalarNode:
		if k, ok := scalars[tag]; ok {
			return k
		}
	}
	return tagged
}

// have says for people what the value is.
func (n node) have() string {
	switch n.kind() {
	case aMapping:
		return "a mapping"
	case aList:
		return "a list"
	case aString:
		return "a string"
	case anInt, aFloat:
		return "a number"
	case aBool:
		return "true or false"
	case nothing:
		return "nothing"
	}
	return "a value with the tag " + n.y.Tag
}

// wrongType is the error for a value that is not what is wanted; when the remedy is
// known, the text has it.
func (n node) wrongType(want string) error {
	k, text := n.kind(), n.y.Value
	short := len(text) < 80
	switch {
	case short && want == "a string" && (k == anInt || k == aFloat || k == aBool):
		return n.errorf("want a string, have %s: write %q", n.have(), text)
	case want == "true or false" && k == aString && booleans[strings.ToLower(text)] != "":
		return n.errorf("want true or false, have the string %q: write %s", text, booleans[strings.ToLower(text)])
	case strings.HasSuffix(want, "a number or a string") && k == aFloat:
		return n.errorf("want a whole number or a string, have %s: write %q", clip(text), clip(text))
	}
	return n.errorf("want %s, have %s", want, n.have())
}

// booleans are what people write for true and false.
var booleans = map[string]string{
	"yes": "true", "on": "true", "y": "true", "true": "true", "no": "false", "off": "false", "n": "false", "false": "false",
}

// clip shortens text that is quoted in an error.
func clip(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// pair is a key of a mapping, and its value.
type pair struct {
	name  string
	line  int
	value node
}

// pairs reads a mapping. A key that stands there twice is an error.
func (n node) pairs(want string) ([]pair, error) {
	if n.kind() != aMapping {
		return nil, n.wrongType(want)
	}
	out := make([]pair, 0, len(n.y.Content)/2)
	first := make(map[string]int, len(n.y.Content)/2)
	for i := 0; i+1 < len(n.y.Content); i += 2 {
		k := n.child(n.y.Content[i], n.key)
		if k.kind() != aString {
			return nil, k.wrongKey()
		}
		name := k.y.Value
		if line, ok := first[name]; ok {
			k.key = ""
			return nil, k.errorf("duplicate key %q: first on line %d", joinKey(n.key, name), line)
		}
		first[name] = k.line
		out = append(out, pair{name, k.line, n.child(n.y.Content[i+1], joinKey(n.key, name))})
	}
	return out, nil
}

func (k node) wrongKey() error {
	if k.y.Kind == yaml.ScalarNode && len(k.y.Value) < 80 {
		return k.errorf("a key is a string: write %q", k.y.Value)
	}
	return k.errorf("a key is a string, have %s", k.have())
}

// items reads a list.
func (n node) items(want string) ([]node, error) {
	if n.kind() != aList {
		return nil, n.wrongType(want)
	}
	out := make([]node, len(n.y.Content))
	for i, y := range n.y.Content {
		out[i] = n.child(y, n.key+"["+strconv.Itoa(i)+"]")
	}
	return out, nil
}

func (n node) str() (string, error) {
	if n.kind() != aString {
		return "", n.wrongType("a string")
	}
	return n.y.Value, nil
}

// number reads a decimal number from least to most.
func (n node) number(least, most uint64) (uint64, error) {
	if n.kind() != anInt {
		return 0, n.wrongType("a number")
	}
	v, err := strconv.ParseUint(n.y.Value, 10, 64)
	switch {
	case err == nil && v >= least && v <= most:
		return v, nil
	case most == math.MaxUint64:
		return 0, n.errorf("%s: want a decimal number, not negative", clip(n.y.Value))
	}
	return 0, n.errorf("%s: want a number from %d to %d", clip(n.y.Value), least, most)
}

// plain reads any value to what encoding/json would make of it, but for whole
// numbers, which are int64.
func (n node) plain() (any, error) {
	switch n.kind() {
	case aMapping:
		pairs, err := n.pairs("")
		m := make(map[string]any, len(pairs))
		for _, p := range pairs {
			if m[p.name], err = p.value.plain(); err != nil {
				break
			}
		}
		return m, err
	case aList:
		items, err := n.items("")
		l := make([]any, len(items))
		for i, e := range items {
			if l[i], err = e.plain(); err != nil {
				break
			}
		}
		return l, err
	case aString:
		return n.y.Value, nil
	case aBool:
		return strings.EqualFold(n.y.Value, "true"), nil
	case nothing:
		return nil, nil
	case anInt:
		var v int64
		if n.y.Decode(&v) != nil {
			return nil, n.errorf("%s: does not fit 64 bits", clip(n.y.Value))
		}
		return v, nil
	case aFloat:
		var v float64
		if n.y.Decode(&v) != nil || math.IsInf(v, 0) || math.IsNaN(v) {
			return nil, n.errorf("%s: no number that JSON can hold", clip(n.y.Value))
		}
		return v + 0, nil // no negative zero, which would come back as 0
	}
	return nil, n.errorf("have %s, which has no meaning here", n.have())
}
