package treefile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/spelling"
)

// Error is what is wrong with a treefile, and where. Its text is
// "FILE:LINE: KEY: what"; a part that is not known is left out.
type Error struct {
	File string // as Options.ShowPath gives it
	Line int    // from 1; 0: the file as a whole
	Key  string // path of the value, as "packages[4]" or "disk.size"; empty: Msg has it
	Msg  string // what is wrong
	Err  error  // what Msg ends in, for errors.Is; nil: nothing
}

func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s += ":" + strconv.Itoa(e.Line)
	}
	if e.Key != "" {
		s += ": " + e.Key
	}
	return s + ": " + e.Msg
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// place is where a value stands.
type place struct {
	file string
	line int
	key  string
}

func (p place) errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{p.file, p.line, p.key, err.Error(), errors.Unwrap(err)}
}

// retired says what became of keys that old treefiles have.
var retired = map[string]string{
	"opt-usrlocal-overlays": `now it is "opt-usrlocal": state-overlay`,
	"jigdo":                 `now it is "rojig"`,
	"ex-jigdo-spec":         `now it is "rojig"`,
	"comment":               "a comment in YAML starts with #",
	"<<":                    "merge keys are not supported; use include",
}

// unknownKey is the error for the key name below the mapping at p, which knows the
// keys known.
func (p place) unknownKey(line int, name string, known []string) error {
	full := joinKey(p.key, name)
	at := place{file: p.file, line: line}
	if why, ok := retired[name]; ok && p.key == "" {
		return at.errorf("unknown key %q: %s", full, why)
	}
	if near := nearest(name, known); near != "" {
		return at.errorf("unknown key %q: did you mean %q?", full, near)
	}
	if p.key == "" {
		return at.errorf("unknown key %q", full)
	}
	return at.errorf("unknown key %q: want %s", full, anyOf(slices.Sorted(slices.Values(known))))
}

func joinKey(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// anyOf lists words for people: "a, b or c".
func anyOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// didYouMean is the end of an error about name, of which the nearest known word is
// told, or all of them.
func didYouMean(name string, known map[string]any) string {
	words := slices.Sorted(maps.Keys(known))
	if near := nearest(name, words); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "defined are " + strings.Join(words, ", ")
}

// nearest is the known word that name probably stands for: the only one that begins
// with it, or the one with the fewest wrong letters; empty when none is near.
func nearest(name string, known []string) string {
	plain := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	if len(plain) > 64 {
		return ""
	}
	if near := spelling.Nearest(plain, slices.Values(known), 2); near != "" && len(plain) > 2 {
		return near
	}
	begin := slices.DeleteFunc(slices.Clone(known), func(k string) bool { return !strings.HasPrefix(k, plain) })
	if len(begin) == 1 && len(plain) > 3 {
		return begin[0]
	}
	return spelling.Nearest(plain, slices.Values(known), min(2, len(plain)/3)+1)
}
