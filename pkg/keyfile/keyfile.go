// Package keyfile reads, edits and writes key files: the configuration of OSTree
// repositories, of remotes, and the origins of deployments.
//
// # Format
//
// A group is a line [NAME]; below it are lines KEY=VALUE. Blank lines and those that
// begin with '#' are comments. Blanks around a key and before its value do not count.
// In values "\s", "\t", "\n", "\r" and "\\" stand for a blank, a tab, a line's end, a
// carriage return and a backslash. A list has ';' behind each element. Of a key that
// comes twice in a group the last one counts, and a group that comes twice is one.
//
// What an edit does not touch keeps its bytes, comments and order.
//
// Not here: the choice between values by language; KEY[LANG] is a key as any other.
//
// Source: the Desktop Entry Specification and GLib 2.74 as observed; see docs/FORMATS.md.
package keyfile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrMalformed is wrapped by every error of this package.
var ErrMalformed = errors.New("key file is malformed")

// A LineError tells which line of a file is none that it can have.
type LineError struct {
	Line int    // the first is 1
	Text string // of the line
	// Early is set when the line would do but for the group that is missing before it.
	Early bool
}

func (e *LineError) Error() string {
	what := "is no group, key with a value, or comment"
	if e.Early {
		what = "stands before the first group"
	}
	return fmt.Sprintf("line %d: %.80q %s: %v", e.Line, e.Text, what, ErrMalformed)
}

func (e *LineError) Unwrap() error { return ErrMalformed }

// File is a key file. The zero File is empty.
type File struct{ lines []line }

// line is one line, and what it says.
type line struct {
	text  string // with its end
	group string // that it belongs to
	key   string // "" in heads and comments
	value string // as it is written
	head  bool
}

// Parse reads a file.
//
// Every error is a [*LineError].
func Parse(b []byte) (*File, error) {
	f := &File{}
	group, open := "", false
	for text := range strings.Lines(string(b)) {
		s := strings.TrimLeft(strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r"), " \t\v\f\r")
		if name, ok := head(s); ok {
			group, open = name, true
			f.lines = append(f.lines, line{text: text, group: group, head: true})
			continue
		}
		l := line{text: text, group: group}
		if s != "" && s[0] != '#' {
			k, v, ok := strings.Cut(s, "=")
			l.key, l.value = strings.TrimRight(k, " \t"), strings.TrimLeft(v, " \t")
			if !ok || !isKey(l.key) || !open {
				return nil, &LineError{Line: len(f.lines) + 1, Text: s, Early: ok && isKey(l.key)}
			}
		}
		f.lines = append(f.lines, l)
	}
	return f, nil
}

// head is the name in the line that begins a group.
func head(s string) (string, bool) {
	s = strings.TrimRight(s, " \t")
	if !strings.HasPrefix(s, "[") || strings.IndexByte(s, ']') != len(s)-1 {
		return "", false
	}
	return s[1 : len(s)-1], isGroup(s[1 : len(s)-1])
}

func isGroup(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r == '[' || r == ']' || r < ' ' || r == 0x7f })
}

// isKey tells whether s can be a key, KEY or KEY[LANG].
func isKey(s string) bool {
	if base, lang, ok := strings.Cut(s, "["); ok && base != "" && strings.HasSuffix(lang, "]") {
		s = base + strings.TrimSuffix(lang, "]")
	}
	return s != "" && !strings.ContainsAny(s, "=[]\n\r") && strings.Trim(s, " \t\v\f") == s && s[0] != '#'
}

// Bytes returns the file's bytes.
func (f *File) Bytes() []byte {
	var b bytes.Buffer
	for _, l := range f.lines {
		b.WriteString(l.text)
	}
	return b.Bytes()
}

// Groups returns the names of groups in the order of the file.
func (f *File) Groups() []string {
	var out []string
	for _, l := range f.lines {
		if l.head && !slices.Contains(out, l.group) {
			out = append(out, l.group)
		}
	}
	return out
}

// Keys returns the keys of a group in the order of the file.
func (f *File) Keys(group string) []string {
	var out []string
	for _, l := range f.lines {
		if l.key != "" && l.group == group && !slices.Contains(out, l.key) {
			out = append(out, l.key)
		}
	}
	return out
}

// HasGroup tells whether there is a group of that name.
func (f *File) HasGroup(group string) bool {
	return slices.ContainsFunc(f.lines, func(l line) bool { return l.head && l.group == group })
}

// Get returns a value, and whether there is one. An escape that is not known stays as
// it stands there.
func (f *File) Get(group, key string) (string, bool) {
	i := f.find(group, key)
	if i < 0 {
		return "", false
	}
	return unescape(f.lines[i].value), true
}

// find is the place of the line that counts, or -1.
func (f *File) find(group, key string) int {
	for i, l := range slices.Backward(f.lines) {
		if l.group == group && l.key == key && key != "" {
			return i
		}
	}
	return -1
}

// List returns a value that is a list, and whether there is one.
func (f *File) List(group, key string) ([]string, bool) {
	i := f.find(group, key)
	if i < 0 {
		return nil, false
	}
	return splitList(f.lines[i].value), true
}

func splitList(value string) []string {
	var out []string
	var element strings.Builder
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\' && i+1 < len(value):
			if i++; value[i] != ';' {
				element.WriteByte('\\')
			}
			element.WriteByte(value[i])
		case c == ';':
			out = append(out, unescape(element.String()))
			element.Reset()
		default:
			element.WriteByte(c)
		}
	}
	if element.Len() > 0 {
		out = append(out, unescape(element.String()))
	}
	return out
}

// Set gives a key of a group a value. A key that is new comes behind the last one of
// its group, a new group to the end.
//
// The error tells of a group or a key that cannot be one.
func (f *File) Set(group, key, value string) error { return f.set(group, key, escape(value)) }

// SetList is [File.Set] of a list.
func (f *File) SetList(group, key string, list []string) error {
	var b strings.Builder
	for _, s := range list {
		b.WriteString(strings.ReplaceAll(escape(s), ";", `\;`) + ";")
	}
	return f.set(group, key, b.String())
}

func (f *File) set(group, key, written string) error {
	if !isGroup(group) {
		return fmt.Errorf("group %q: %w", group, ErrMalformed)
	}
	if !isKey(key) {
		return fmt.Errorf("key %q: %w", key, ErrMalformed)
	}
	l := line{text: key + "=" + written + "\n", group: group, key: key, value: written}
	if i := f.find(group, key); i >= 0 {
		f.lines[i] = l
		return nil
	}
	at := -1
	for i, l := range f.lines {
		if l.group == group && (l.head || l.key != "") {
			at = i
		}
	}
	f.endLine()
	if at < 0 {
		f.addGroup(group)
		at = len(f.lines) - 1
	}
	f.lines = slices.Insert(f.lines, at+1, l)
	return nil
}

// endLine makes sure that the last line ends.
func (f *File) endLine() {
	if n := len(f.lines); n > 0 && !strings.HasSuffix(f.lines[n-1].text, "\n") {
		f.lines[n-1].text += "\n"
	}
}

// addGroup puts a group, with a blank line before it, to the end.
func (f *File) addGroup(group string) {
	if n := len(f.lines); n > 0 && strings.TrimSpace(f.lines[n-1].text) != "" {
		f.lines = append(f.lines, line{text: "\n", group: f.lines[n-1].group})
	}
	f.lines = append(f.lines, line{text: "[" + group + "]\n", group: group, head: true})
}

// Unset removes a key, and tells whether it was there. Its group stays.
func (f *File) Unset(group, key string) bool {
	n := len(f.lines)
	f.lines = slices.DeleteFunc(f.lines, func(l line) bool { return l.group == group && l.key == key && key != "" })
	return len(f.lines) < n
}

// RemoveGroup removes a group with all that stands in it but the comments right above
// the next group, and tells whether it was there.
func (f *File) RemoveGroup(group string) bool {
	var out []line
	for start := 0; start < len(f.lines); {
		end := start + 1
		for end < len(f.lines) && !f.lines[end].head {
			end++
		}
		if first := f.lines[start]; !first.head || first.group != group {
			out = append(out, f.lines[start:end]...)
		} else if end < len(f.lines) {
			keep := end
			for keep > start && strings.HasPrefix(strings.TrimLeft(f.lines[keep-1].text, " \t"), "#") {
				keep--
			}
			out = append(out, f.lines[keep:end]...)
		}
		start = end
	}
	removed := len(out) < len(f.lines)
	for removed && len(out) > 0 && strings.TrimSpace(out[len(out)-1].text) == "" {
		out = out[:len(out)-1]
	}
	f.lines = out
	return removed
}

// escape writes a value so that it stays on its line and keeps its first blank.
func escape(s string) string {
	trimmed := strings.TrimLeft(s, " \t")
	lead := strings.NewReplacer(" ", `\s`, "\t", `\t`).Replace(s[:len(s)-len(trimmed)])
	return lead + strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(trimmed)
}

var unescape = strings.NewReplacer(`\\`, `\`, `\s`, " ", `\t`, "\t", `\n`, "\n", `\r`, "\r").Replace
