package treefile

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// A reader makes a Go value of a node, or says what is wrong with it.
type reader func(n node) (any, error)

// item is one element of a list or mapping that merges element by element. name is
// what [Treefile.Place] looks for.
type item struct {
	value any
	name  string
	at    place
}

func readBool(n node) (any, error) {
	if n.kind() != aBool {
		return nil, n.wrongType("true or false")
	}
	return strings.EqualFold(n.y.Value, "true"), nil
}

func readText(n node) (any, error) { return n.str() }

func readPlain(n node) (any, error) { return n.plain() }

func readPlainMap(n node) (any, error) { return readMap(n, "a mapping", nil, readPlain) }

// check makes a reader of strings out of a function that says what is wrong with one.
func check(wrong func(s string) string) reader {
	return func(n node) (any, error) {
		s, err := n.str()
		if err != nil {
			return nil, err
		}
		if w := wrong(s); w != "" {
			return nil, n.errorf("%q %s", clip(s), w)
		}
		return s, nil
	}
}

// oneOf reads a string that is one of words.
func oneOf(words ...string) reader {
	return func(n node) (any, error) {
		s := n.y.Value
		if k := n.kind(); k != aString {
			if k == anInt && slices.Contains(words, s) {
				return nil, n.wrongType("a string")
			}
			return nil, n.wrongType(anyOf(words))
		}
		if !slices.Contains(words, s) {
			return nil, n.errorf("%q: want %s", clip(s), anyOf(words))
		}
		return s, nil
	}
}

// listOf reads a list to []item.
func listOf(want string, read reader) reader {
	return func(n node) (any, error) {
		nodes, err := n.items(want)
		if err != nil {
			return nil, err
		}
		out := make([]item, 0, len(nodes))
		for _, e := range nodes {
			v, err := read(e)
			if err != nil {
				return nil, err
			}
			out = append(out, item{v, itemName(v), e.place})
		}
		return out, nil
	}
}

func stringList(read reader) reader { return listOf("a list of strings", read) }

// itemName is the word by which a list's element is known.
func itemName(v any) string {
	switch v := v.(type) {
	case RepoPackages:
		return v.Repo
	case AddFile:
		return v.Name
	case PackageFiles:
		return v.Package
	}
	return fmt.Sprint(v)
}

// words gives a list that is no list of items.
func words(read reader) reader {
	return func(n node) (any, error) {
		v, err := stringList(read)(n)
		if err != nil {
			return nil, err
		}
		return plainList[string](v.([]item)), nil
	}
}

func plainList[T any](items []item) []T {
	out := make([]T, len(items))
	for i, it := range items {
		out[i] = it.value.(T)
	}
	return out
}

// readMap reads a mapping to map[string]item; nothing as a value means that the entry
// is not there, unless the reader takes it.
func readMap(n node, want string, checkName func(node, string) error, read reader) (any, error) {
	pairs, err := n.pairs(want)
	if err != nil {
		return nil, err
	}
	out := make(map[string]item, len(pairs))
	for _, p := range pairs {
		if checkName != nil {
			if err := checkName(p.value, p.name); err != nil {
				return nil, err
			}
		}
		v, err := read(p.value)
		if err != nil {
			return nil, err
		}
		out[p.name] = item{v, p.name, p.value.place}
	}
	return out, nil
}

// fields reads a mapping whose keys are known to map[string]item.
func fields(known map[string]reader) reader {
	return func(n node) (any, error) {
		var names []string
		for name := range known {
			names = append(names, name)
		}
		slices.Sort(names)
		pairs, err := n.pairs("a mapping with " + anyOf(names))
		if err != nil {
			return nil, err
		}
		out := make(map[string]item, len(pairs))
		for _, p := range pairs {
			read, ok := known[p.name]
			if !ok {
				return nil, n.unknownKey(p.line, p.name, names)
			}
			if p.value.kind() == nothing {
				continue
			}
			v, err := read(p.value)
			if err != nil {
				return nil, err
			}
			out[p.name] = item{v, p.name, p.value.place}
		}
		return out, nil
	}
}

// field is the value of a field, or T's zero value.
func field[T any](m map[string]item, name string) (v T) {
	if it, ok := m[name]; ok {
		v = it.value.(T)
	}
	return v
}

// margins says what is wrong with text that people typed, which may hold spaces.
func margins(s string) string {
	switch {
	case s == "":
		return "is empty"
	case strings.TrimLeftFunc(s, unicode.IsSpace) != s:
		return "begins with a space"
	case strings.TrimRightFunc(s, unicode.IsSpace) != s:
		return "ends in a space"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "holds a control character"
	}
	return ""
}

// blanks says what is wrong with a word that people typed.
func blanks(s string) string {
	if bad := margins(s); bad != "" {
		return bad
	}
	if strings.ContainsFunc(s, unicode.IsSpace) {
		return "holds a space: write one an entry"
	}
	return ""
}

func wrongRepo(s string) string {
	if strings.Contains(s, "://") {
		return `is a URL: write the repository's id, and put the URL into a .repo file beside the treefile`
	}
	return blanks(s)
}

func wrongExclude(s string) string {
	if strings.ContainsAny(s, "*?[") {
		return "is a pattern: packages are excluded by their exact names"
	}
	return blanks(s)
}

var unitTypes = []string{".service", ".socket", ".target", ".timer", ".path", ".mount", ".automount", ".swap", ".slice", ".scope", ".device"}

func wrongUnit(s string) string {
	bad := blanks(s)
	switch {
	case bad != "":
		return bad
	case strings.Contains(s, "/"):
		return "is a path: write the unit's file name alone"
	case !slices.Contains(unitTypes, path.Ext(s)):
		return "is no unit's file name: want " + s + ".service, or .socket, .timer, ..."
	}
	return ""
}

// wrongPath complains of a path that is not below the root.
func wrongPath(s string) string {
	bad := margins(s)
	switch {
	case bad != "":
		return bad
	case strings.HasPrefix(s, "/"):
		return fmt.Sprintf("begins with a slash: write it relative to the root, %q", strings.TrimLeft(s, "/"))
	case slices.Contains(strings.Split(s, "/"), ".."):
		return `holds ".."`
	case path.Clean(s) == ".":
		return "is the whole tree"
	case strings.Contains(s, "*"):
		return "is a pattern: paths are taken as they are"
	}
	return ""
}

// readScript reads a postprocess script.
func readScript(n node) (any, error) {
	s, err := n.str()
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(s, "#!") {
		line, _, _ := strings.Cut(s, "\n")
		return nil, n.errorf("%q begins the script: the first line names the interpreter, as #!/usr/bin/bash", clip(line))
	}
	return s, nil
}

var suffix = regexp.MustCompile(`^[!-~]$`)

func wrongSuffix(s string) string {
	if !suffix.MatchString(s) || s >= "0" && s <= "9" {
		return "is not one ASCII character that can stand between numbers"
	}
	return ""
}

// readReleasever reads a release, to a uint64 or a string.
func readReleasever(n node) (any, error) {
	switch n.kind() {
	case anInt:
		return n.number(0, math.MaxUint64)
	case aString:
		return check(func(s string) string {
			if strings.ContainsAny(s, "/${}") {
				return "holds one of / $ { }"
			}
			return blanks(s)
		})(n)
	}
	return nil, n.wrongType("a number or a string")
}

func readLabelVersion(n node) (any, error) { return n.number(0, 1) }

// readRepoVars reads the mapping repovars.
func readRepoVars(n node) (any, error) {
	return readMap(n, "a mapping from names to strings", func(n node, name string) error {
		switch {
		case name == "releasever" || name == "basearch":
			return n.errorf("reserved; the key %q sets it", name)
		case !variableName.MatchString(name):
			return n.errorf("want a name of letters, digits and _")
		}
		return nil
	}, readText)
}
