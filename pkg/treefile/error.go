package treefile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
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
	"modules":               "modules are gone; remove it",
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
	var begin []string
	best, least := "", min(2, len(plain)/3)+1
	for _, k := range slices.Sorted(slices.Values(known)) {
		if len(plain) > 3 && strings.HasPrefix(k, plain) {
			begin = append(begin, k)
		}
		if d := edits(plain, k); d < least {
			best, least = k, d
		}
	}
	if len(begin) == 1 && least > 1 {
		return begin[0]
	}
	return best
}

// edits counts the letters to insert, remove, replace or swap with the next one to
// make b of a.
func edits(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
