package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/google/rpmpack"
)

// evr is a Debian version as RPM spells it.
type evr struct {
	epoch, version, release string
}

// parseVersion maps a version: the part behind the last "-" becomes the release,
// other "-" become ".". A native package, which has no revision, gets release 0.
func parseVersion(s string) evr {
	var v evr
	if e, rest, ok := strings.Cut(s, ":"); ok {
		v.epoch, s = e, rest
	}
	v.version, v.release = s, "0"
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		v.version, v.release = s[:i], s[i+1:]
	}
	v.version = strings.ReplaceAll(v.version, "-", ".")
	return v
}

func (v evr) String() string {
	s := v.version + "-" + v.release
	if v.epoch != "" && v.epoch != "0" {
		s = v.epoch + ":" + s
	}
	return s
}

// relation is one name with an optional version, e.g. "libc6 (>= 2.36)".
type relation struct {
	name, op string
	version  evr
}

var relationSyntax = regexp.MustCompile(`^([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9]+)?\s*(?:\(\s*(<<|<=|=|>=|>>)\s*([^\s)]+)\s*\))?$`)

var operators = map[string]string{"<<": "<", "<=": "<=", "=": "=", ">=": ">=", ">>": ">"}

func parseRelation(s string) (relation, error) {
	m := relationSyntax.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return relation{}, fmt.Errorf("relation %q is not understood", s)
	}
	r := relation{name: m[1], op: operators[m[2]]}
	if r.op != "" {
		r.version = parseVersion(m[3])
	}
	return r, nil
}

func (r relation) String() string {
	if r.op == "" {
		return r.name
	}
	return r.name + " " + r.op + " " + r.version.String()
}

// rpm is the relation in rpmpack's form.
func (r relation) rpm() *rpmpack.Relation {
	out := &rpmpack.Relation{Name: r.name}
	if r.op == "" {
		return out
	}
	out.Version = r.version.String()
	if strings.Contains(r.op, "<") {
		out.Sense |= rpmpack.SenseLess
	}
	if strings.Contains(r.op, ">") {
		out.Sense |= rpmpack.SenseGreater
	}
	if strings.Contains(r.op, "=") {
		out.Sense |= rpmpack.SenseEqual
	}
	return out
}

// parseField reads a field such as Depends: groups of alternatives.
func parseField(s string) ([][]relation, error) {
	var out [][]relation
	for _, group := range strings.Split(s, ",") {
		if strings.TrimSpace(group) == "" {
			continue
		}
		var alternatives []relation
		for _, a := range strings.Split(group, "|") {
			r, err := parseRelation(a)
			if err != nil {
				return nil, err
			}
			alternatives = append(alternatives, r)
		}
		out = append(out, alternatives)
	}
	return out, nil
}

// requirement turns a group of alternatives into one relation; several become a
// rich dependency.
func requirement(group []relation) *rpmpack.Relation {
	if len(group) == 1 {
		return group[0].rpm()
	}
	text := make([]string, len(group))
	for i, r := range group {
		text[i] = r.String()
	}
	return &rpmpack.Relation{Name: "(" + strings.Join(text, " or ") + ")"}
}
