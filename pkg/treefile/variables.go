package treefile

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// A variable's value is a bool, a uint64 or a string.

// scalar is the value that text has in a condition, or on a command line.
func scalar(text string) any {
	switch text {
	case "true", "false":
		return text == "true"
	}
	if v, err := strconv.ParseUint(text, 10, 64); err == nil {
		return v
	}
	return text
}

func typeName(v any) string {
	switch v.(type) {
	case bool:
		return "true or false"
	case uint64:
		return "a number"
	}
	return "a string"
}

// readVariable reads a value of the mapping variables.
func readVariable(n node) (any, error) {
	switch n.kind() {
	case aBool:
		return strings.EqualFold(n.y.Value, "true"), nil
	case anInt:
		return n.number(0, math.MaxUint64)
	case aString:
		if i := strings.IndexAny(n.y.Value, "${}"); i >= 0 {
			return nil, n.errorf("%q holds %q: variables are not substituted in variables", clip(n.y.Value), n.y.Value[i])
		}
		return n.y.Value, nil
	}
	return nil, n.wrongType("true, false, a number or a string")
}

var variableName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// readVariables reads the mapping variables.
func readVariables(n node) (any, error) {
	return readMap(n, "a mapping from names to values", checkVariable, readVariable)
}

func checkVariable(n node, name string) error {
	switch {
	case name == "releasever" || name == "basearch":
		return n.errorf("reserved; the key %q sets it", name)
	case !variableName.MatchString(name):
		return n.errorf("want a name of letters, digits and _")
	}
	return nil
}

// declare gives a variable its value, unless an earlier file did. One that the
// caller gave keeps the caller's value, as a string when the file has a string.
func (l *loader) declare(name string, v any) {
	if text, ok := l.given[name]; ok {
		if _, isText := v.(string); isText && !l.typed[name] {
			l.vars[name] = text
		}
		l.typed[name] = true
		return
	}
	if _, ok := l.vars[name]; !ok {
		l.vars[name] = v
	}
}

var reference = regexp.MustCompile(`\$\{([^{}$]*)\}`)

// substitute replaces each ${name}. An unknown name is an error when strict, else it
// stays.
func (l *loader) substitute(at place, s string, strict bool) (string, error) {
	var err error
	out := reference.ReplaceAllStringFunc(s, func(ref string) string {
		name := ref[2 : len(ref)-1]
		if v, ok := l.vars[name]; ok {
			return fmt.Sprint(v)
		}
		if strict && err == nil {
			err = at.errorf("undefined variable %q: %s", name, didYouMean(name, l.vars))
		}
		return ref
	})
	return out, err
}
