package treefile

import (
	"regexp"
	"strings"
)

// condition is "VARIABLE OPERATOR VALUE".
type condition struct {
	at    place
	name  string
	op    string
	value any
}

var conditionText = regexp.MustCompile(`^\s*([A-Za-z0-9_]+)\s*(==|!=|<=|>=|<|>)\s*(true|false|[0-9]+|"[^"]*")\s*$`)

func readCondition(n node) (condition, error) {
	s, err := n.str()
	if err != nil {
		return condition{}, err
	}
	m := conditionText.FindStringSubmatch(s)
	if m == nil {
		return condition{}, n.errorf(`%q: want VARIABLE OPERATOR VALUE, as in releasever >= 40 or stream == "stable"`, clip(s))
	}
	c := condition{at: n.place, name: m[1], op: m[2]}
	if text, ok := strings.CutPrefix(m[3], `"`); ok {
		c.value = strings.TrimSuffix(text, `"`)
	} else if c.value = scalar(m[3]); typeName(c.value) == "a string" { // too large for a number
		return condition{}, n.errorf("%s: does not fit 64 bits", clip(m[3]))
	}
	if c.op != "==" && c.op != "!=" && typeName(c.value) != "a number" {
		return condition{}, n.errorf("%q compares numbers, have %s", c.op, m[3])
	}
	return c, nil
}

// holds tells whether the condition is true.
func (c condition) holds(vars map[string]any) (bool, error) {
	have, ok := vars[c.name]
	if !ok {
		return false, c.at.errorf("undefined variable %q: %s; what this file includes is read later", c.name, didYouMean(c.name, vars))
	}
	if a, b := typeName(have), typeName(c.value); a != b {
		return false, c.at.errorf("%s is %s (%v), compared with %s (%v)", c.name, a, have, b, c.value)
	}
	switch c.op {
	case "==":
		return have == c.value, nil
	case "!=":
		return have != c.value, nil
	}
	a, b := have.(uint64), c.value.(uint64)
	switch c.op {
	case "<":
		return a < b, nil
	case "<=":
		return a <= b, nil
	case ">":
		return a > b, nil
	}
	return a >= b, nil
}

// allHold looks at every condition, so that a mistake shows even behind one that is
// false.
func allHold(conditions []condition, vars map[string]any) (bool, error) {
	all := true
	for _, c := range conditions {
		ok, err := c.holds(vars)
		if err != nil {
			return false, err
		}
		all = all && ok
	}
	return all, nil
}
