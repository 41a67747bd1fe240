package selinux

import (
	"fmt"
	"strings"
	"sync"
)

// Contexts are the specifications of a policy, ready for look-ups from any goroutine.
type Contexts struct {
	mu     sync.Mutex
	auto   *automaton
	labels []string // by rank
	dist   substitutions
	local  substitutions
}

// Texts are the files of a policy's contexts/files; nil where one is missing.
type Texts struct {
	Contexts, Homedirs, Local []byte
	SubsDist, Subs            []byte
}

// none is the context that means: no label.
const none = "<<none>>"

// spec is one specification.
type spec struct {
	regex, label string
	typ          uint32 // S_IFMT bits of the mode; 0: every type
	file         string
	line         int
}

// ParseContexts reads specifications and substitutions.
//
// Errors name the file and line, and wrap [ErrMalformed] or [ErrUnsupported].
func ParseContexts(t Texts) (*Contexts, error) {
	var regular, exact []spec
	for _, f := range []struct {
		name string
		text []byte
	}{
		{"file_contexts", t.Contexts}, {"file_contexts.homedirs", t.Homedirs}, {"file_contexts.local", t.Local},
	} {
		for i, line := range strings.Split(string(f.text), "\n") {
			s, ok, err := parseSpec(line)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", f.name, i+1, err)
			}
			if !ok {
				continue
			}
			s.file, s.line = f.name, i+1
			if isExact(s.regex) {
				exact = append(exact, s)
			} else {
				regular = append(regular, s)
			}
		}
	}
	c, err := compileSpecs(append(regular, exact...))
	if err != nil {
		return nil, err
	}
	c.dist, c.local = parseSubstitutions(t.SubsDist), parseSubstitutions(t.Subs)
	return c, nil
}

// maxProgram is how many states the expressions of a policy may need together.
const maxProgram = 1 << 20

// compileSpecs makes the automaton. A later specification wins.
func compileSpecs(specs []spec) (*Contexts, error) {
	p := &program{setNum: map[byteSet]int32{}}
	c := &Contexts{}
	var starts []int32
	var types []uint32
	for i, s := range specs {
		start, err := p.addSpec(s.regex, int32(i))
		if err == nil && len(p.states) > maxProgram {
			err = fmt.Errorf("the expressions need more than %d states: %w", maxProgram, ErrUnsupported)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %s: %w", s.file, s.line, s.regex, err)
		}
		starts, types, c.labels = append(starts, start), append(types, s.typ), append(c.labels, s.label)
	}
	c.auto = newAutomaton(p, starts, types)
	return c, nil
}

// Label returns the label of the file at path, which starts with a slash. mode is
// st_mode of the file; of it only the type counts, and 0 is every type. ok is false
// when the policy has no label for the file.
func (c *Contexts) Label(path string, mode uint32) (label string, ok bool) {
	label, _ = c.find(path, mode)
	return label, label != ""
}

// find returns the label, which is empty when there is none; matched tells whether the
// policy says something of the file, if only that it has none.
func (c *Contexts) find(path string, mode uint32) (label string, matched bool) {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	path = c.dist.apply(c.local.apply(path))
	c.mu.Lock()
	rank := c.auto.match(path, mode&typeMask)
	c.mu.Unlock()
	if rank < 0 || c.labels[rank] == none {
		return "", rank >= 0
	}
	return c.labels[rank], true
}

// typeMask are the bits of st_mode that are the type: S_IFMT.
const typeMask = 0o170000

var typeNames = map[string]uint32{
	"--": 0o100000, "-d": 0o040000, "-l": 0o120000, "-c": 0o020000, "-b": 0o060000, "-p": 0o010000, "-s": 0o140000,
}

// parseSpec reads a line; ok is false when it has none.
func parseSpec(line string) (s spec, ok bool, err error) {
	line, _, _ = strings.Cut(line, "\x00") // the end, to libselinux
	fields := strings.FieldsFunc(line, isSpace)
	if len(fields) == 0 || fields[0][0] == '#' {
		return s, false, nil
	}
	fields = fields[:min(3, len(fields))]
	for _, f := range fields {
		if i := strings.IndexFunc(f, func(r rune) bool { return r > 127 }); i >= 0 {
			return s, false, fmt.Errorf("%q is not ASCII: %w", f, ErrMalformed)
		}
	}
	if len(fields) < 2 {
		return s, false, fmt.Errorf("%q has no context: %w", fields[0], ErrMalformed)
	}
	s = spec{regex: fields[0], label: fields[len(fields)-1]}
	if len(fields) == 3 {
		if s.typ, ok = typeNames[fields[1]]; !ok {
			return s, false, fmt.Errorf("file type %q: want --, -d, -l, -c, -b, -p or -s: %w", fields[1], ErrMalformed)
		}
	}
	return s, true, nil
}

// isSpace is C's isspace.
func isSpace(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }

const meta = ".^$?*+|[({"

// isExact tells whether a specification has no metacharacter.
func isExact(regex string) bool {
	for i := 0; i < len(regex); i++ {
		switch {
		case regex[i] == '\\':
			i++
		case strings.IndexByte(meta, regex[i]) >= 0:
			return false
		}
	}
	return true
}

// stemOf is what stands before the second slash, if it has no metacharacter.
func stemOf(regex string) string {
	i := strings.IndexByte(regex[min(1, len(regex)):], '/')
	if i < 0 || strings.ContainsAny(regex[:i+1], meta) {
		return ""
	}
	return regex[:i+1]
}
