package treefile

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var conditionSyntax = regexp.MustCompile(`^\s*(\w+)\s*(==|!=|<=|>=|<|>)\s*(true|false|\d+|"[^"]*")\s*$`)

// condition tells whether all conditions hold; each is checked, so that a mistake is
// told though an earlier one does not hold.
func (p *parser) condition(v value, key string, list []string) (bool, error) {
	if len(list) == 0 {
		return false, p.fail(v.file, v.line, key, "has no condition \"if\"")
	}
	all := true
	for _, c := range list {
		ok, err := p.holds(c)
		if err != nil {
			return false, p.fail(v.file, v.line, key, "%v", err)
		}
		all = all && ok
	}
	return all, nil
}

func (p *parser) holds(c string) (bool, error) {
	m := conditionSyntax.FindStringSubmatch(c)
	if m == nil {
		return false, fmt.Errorf("condition %q: want VARIABLE OPERATOR VALUE, the value being true, false, a number or \"text\"", c)
	}
	have, ok := p.vars[m[1]]
	if !ok {
		return false, fmt.Errorf("condition %q: variable %s is not defined", c, m[1])
	}
	want := literal(m[3])
	switch h := have.(type) {
	case int64:
		if w, ok := want.(int64); ok {
			return map[string]bool{"==": h == w, "!=": h != w, "<": h < w, "<=": h <= w, ">": h > w, ">=": h >= w}[m[2]], nil
		}
	case string:
		if w, ok := want.(string); ok && (m[2] == "==" || m[2] == "!=") {
			return (h == w) == (m[2] == "=="), nil
		}
	case bool:
		if w, ok := want.(bool); ok && (m[2] == "==" || m[2] == "!=") {
			return (h == w) == (m[2] == "=="), nil
		}
	}
	return false, fmt.Errorf("condition %q: %s is %#v, which this cannot be compared with", c, m[1], have)
}

func literal(s string) any {
	switch {
	case s == "true" || s == "false":
		return s == "true"
	case s[0] == '"':
		return s[1 : len(s)-1]
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return s
	}
	return n
}

var variable = regexp.MustCompile(`\$\{(\w+)\}`)

// substitute puts variables in; an unknown one stays as it is.
func (p *parser) substitute(s string) string {
	return variable.ReplaceAllStringFunc(s, func(m string) string {
		v, ok := p.vars[m[2:len(m)-1]]
		if !ok {
			return m
		}
		return fmt.Sprint(v)
	})
}

// NextVersion is the version of the next commit: prefix, and a counter behind suffix
// when the last version had that prefix. "<date:FORMAT>" in the prefix is the date of
// now, in strftime's terms.
func NextVersion(prefix, suffix, last string, now time.Time) string {
	p, dated := expandDate(prefix, now)
	start := p
	if dated {
		start = p + suffix + "0"
	}
	rest, ok := strings.CutPrefix(last, p)
	if last == "" || !ok {
		return start
	}
	if rest == "" {
		if dated {
			return start
		}
		return p + suffix + "1"
	}
	digits, ok := strings.CutPrefix(rest, suffix)
	if !ok {
		return start
	}
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		digits = digits[:end]
	}
	n, err := strconv.ParseUint(digits, 10, 62)
	if err != nil {
		n = 0
	}
	return p + suffix + strconv.FormatUint(n+1, 10)
}

var dateTag = regexp.MustCompile(`<date:([^>]*)>`)

func expandDate(s string, now time.Time) (out string, dated bool) {
	now = now.UTC()
	out = dateTag.ReplaceAllStringFunc(s, func(m string) string {
		dated = true
		return strftime(dateTag.FindStringSubmatch(m)[1], now)
	})
	return out, dated
}

// strftime knows the conversions that versions are made of.
func strftime(format string, t time.Time) string {
	layouts := map[byte]string{'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'j': "002", 'b': "Jan", 'B': "January"}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		if l, ok := layouts[format[i]]; ok {
			b.WriteString(t.Format(l))
		} else if format[i] == 's' {
			b.WriteString(strconv.FormatInt(t.Unix(), 10))
		} else {
			b.WriteByte(format[i])
		}
	}
	return b.String()
}
