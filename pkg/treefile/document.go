package treefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Limits of one file. A treefile of a big distribution has 100 KiB and 5,000 values.
const (
	maxFile    = 16 << 20 // bytes
	maxAliased = 100_000  // values that come by aliases
	maxNesting = 100      // lists and mappings inside one another
)

// document parses the text of a file to its top-level mapping. JSON is checked as
// JSON, then parsed as the YAML that it is, for the sake of the line numbers.
func (s *source) document(data []byte) (node, error) {
	if line := notUTF8(data); line > 0 {
		return node{}, place{file: s.shown, line: line}.errorf("not UTF-8 text")
	}
	if s.json {
		if err := checkJSON(data); err != nil {
			return node{}, err.in(s.shown)
		}
		data = yamlText(data)
	}
	root, err := decode(data)
	if err != nil {
		return node{}, describe(data, err).in(s.shown)
	}
	if root == nil || root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return node{}, place{file: s.shown, line: 1}.errorf("no keys; an empty treefile is written {}")
	}
	w := walker{file: s.shown}
	if err := w.walk(root, 0, 0); err != nil {
		return node{}, err
	}
	n := newNode(s, root, "")
	if n.kind() != aMapping {
		return node{}, n.errorf("want a mapping with the treefile's keys, have %s", n.have())
	}
	return n, nil
}

// notUTF8 is the first line that is not UTF-8, or 0. (The YAML parser takes UTF-16,
// too.)
func notUTF8(data []byte) int {
	if utf8.Valid(data) {
		return 0
	}
	good := 0
	for {
		r, size := utf8.DecodeRune(data[good:])
		if r == utf8.RuneError && size == 1 {
			return 1 + bytes.Count(data[:good], []byte("\n"))
		}
		good += size
	}
}

var errDocuments = errors.New("a second document begins; a treefile is one")

// decode returns the one value in a YAML text, nil when there is none.
func decode(data []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err == io.EOF {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := dec.Decode(&more); err == nil {
		return nil, errDocuments
	} else if err != io.EOF {
		return nil, err
	}
	return doc.Content[0], nil
}

// syntaxError is a line that does not parse.
type syntaxError struct {
	line int
	text string
}

func (e *syntaxError) in(file string) error {
	return place{file: file, line: e.line}.errorf("%s", e.text)
}

func checkJSON(data []byte) *syntaxError {
	var at *json.SyntaxError
	if err := json.Unmarshal(data, new(json.RawMessage)); errors.As(err, &at) {
		before := data[:min(int(at.Offset), len(data))]
		return &syntaxError{1 + bytes.Count(before, []byte("\n")), "not JSON: " + at.Error()}
	}
	return nil
}

// yamlText makes of valid JSON the YAML that means the same: tabs are blanks, and in
// strings an escaped slash, characters written as two surrogates, and those that YAML
// takes for line breaks or refuses are written otherwise. Lines stay.
func yamlText(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for i := 0; i < len(data); {
		text, n := yamlPiece(data[i:])
		out = append(out, text...)
		i += n
	}
	return out
}

// yamlPiece translates the first n bytes of b.
func yamlPiece(b []byte) (text string, n int) {
	r, size := utf8.DecodeRune(b)
	switch hi := hexEscape(b); {
	case r == '\t':
		return " ", 1
	case hi >= 0xd800 && hi < 0xe000:
		if r := utf16.DecodeRune(hi, hexEscape(b[6:])); r != utf8.RuneError {
			return string(r), 12
		}
		return `\uFFFD`, 6 // as encoding/json takes a lone one
	case r == '\\' && b[1] == '/':
		return "/", 2
	case r == '\\':
		return string(b[:2]), 2
	case r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029, r == 0xfeff, r == 0xfffe, r == 0xffff:
		return fmt.Sprintf(`\u%04X`, r), size
	}
	return string(b[:size]), size
}

// hexEscape is the number in \uXXXX at the start of b, or -1.
func hexEscape(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	v, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(v)
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// describe makes the YAML parser's error one for people. That names the line where
// the surrounding mapping begins, and often the one above; the line meant is where
// the shortest text ends that has the same error.
func describe(data []byte, err error) *syntaxError {
	const slow = 1 << 20
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	e := &syntaxError{line: 1, text: yamlLine.ReplaceAllString(text, "")}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		e.line, _ = strconv.Atoi(m[1])
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	if len(data) <= slow {
		e.line = 1 + sort.Search(len(lines)-1, func(i int) bool {
			_, part := decode(bytes.Join(lines[:i+1], nil))
			return part != nil && part.Error() == err.Error()
		})
	}
	if err == errDocuments {
		return e
	}
	if line := lines[min(e.line, len(lines))-1]; bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte("\t")) {
		e.text = "indented with a tab; YAML wants blanks"
		return e
	}
	e.text = "not YAML: " + e.text
	for _, h := range hints {
		if strings.Contains(e.text, h.part) {
			e.text += "; " + h.hint
			break
		}
	}
	return e
}

// hints say what usually is behind an error of the YAML parser.
var hints = []struct{ part, hint string }{
	{"did not find expected key", "is this line indented as those around it?"},
	{"did not find expected '-' indicator", "is this line indented as those around it?"},
	{"mapping values are not allowed", `text with ": " in it is put in quotes`},
	{"found character that cannot start any", "text that begins with @ or ` or % is put in quotes"},
	{"did not find expected ',' or ']'", "a bracket is not closed, or a comma is missing"},
	{"did not find expected ',' or '}'", "a brace is not closed, or a comma is missing"},
	{"found unexpected end of stream", "a quote is not closed"},
	{"found unknown escape character", `in single quotes \ is no escape`},
	{"did not find expected alphabetic or nu", "text that begins with * or & is put in quotes"},
	{"could not find expected ':'", "a key is followed by a colon and a blank"},
}

// walker checks, before any value is used, that aliases and nesting stay bounded.
type walker struct {
	file    string
	aliased int
}

// walk visits n as if every alias were written out. alias is the line of the
// outermost alias that n comes by, or 0.
func (w *walker) walk(n *yaml.Node, depth, alias int) error {
	at := place{file: w.file, line: n.Line}
	if alias > 0 {
		at.line = alias
		w.aliased++
	}
	switch {
	case w.aliased > maxAliased:
		return at.errorf("aliases stand for more than %d values", maxAliased)
	case depth > maxNesting && alias > 0:
		return at.errorf("nested deeper than %d: does the alias hold itself?", maxNesting)
	case depth > maxNesting:
		return at.errorf("nested deeper than %d", maxNesting)
	}
	if n.Kind == yaml.AliasNode {
		return w.walk(n.Alias, depth+1, at.line)
	}
	for _, c := range n.Content {
		if err := w.walk(c, depth+1, alias); err != nil {
			return err
		}
	}
	return nil
}
