package rpm

import (
	"fmt"

	"github.com/treewright/treewright/pkg/nevra"
)

// Scriptlet is a script that rpm runs when it installs or removes the package.
type Scriptlet struct {
	Kind        string   // "pre", "post", "posttrans", …
	Interpreter []string // program and arguments; "<lua>" is rpm's own Lua
	Body        string
}

// Trigger is a script that rpm runs because of another package, or of files.
type Trigger struct {
	Scriptlet // Kind is "triggerin", "filetriggerin", "transfiletriggerin", "triggerun", …

	// On is what sets it off: packages, or, of triggers on files, beginnings of paths.
	On []nevra.Relation

	// Priority of a trigger on files: higher ones run earlier.
	Priority int
}

// scriptTags are body and interpreter of the scriptlets.
var scriptTags = []struct {
	kind       string
	body, prog int
}{
	{"pretrans", 1151, 1153}, {"pre", 1023, 1085}, {"post", 1024, 1086}, {"preun", 1025, 1087}, {"postun", 1026, 1088},
	{"posttrans", 1152, 1154}, {"preuntrans", 5103, 5105}, {"postuntrans", 5104, 5106}, {"verify", 1079, 1091},
}

// shell is the interpreter of scripts that name none.
const shell = "/bin/sh"

// Scriptlets returns the scripts of the package but its triggers.
func (h *Header) Scriptlets() (out []Scriptlet) {
	for _, t := range scriptTags {
		bodies, prog := h.strings(t.body), h.strings(t.prog)
		if len(bodies) == 0 && len(prog) == 0 {
			continue
		}
		s := Scriptlet{Kind: t.kind, Interpreter: prog}
		if len(prog) == 0 {
			s.Interpreter = []string{shell}
		}
		if len(bodies) > 0 {
			s.Body = bodies[0]
		}
		out = append(out, s)
	}
	return out
}

// triggerTags are the tags of a kind of triggers: one value a script in scripts, progs
// and priorities; one a condition in names, versions, senses, and in indexes the
// script that it belongs to.
type triggerTags struct {
	prefix                                 string // of the kind
	scripts, progs, priorities             int
	names, versions, senses, scriptIndexes int
}

var triggerKinds = []triggerTags{
	{"trigger", 1065, 1092, 0, 1066, 1067, 1068, 1069},
	{"filetrigger", 5066, 5067, 5084, 5069, 5071, 5072, 5070},
	{"transfiletrigger", 5076, 5077, 5085, 5079, 5081, 5082, 5080},
}

// triggerSenses tell when a trigger runs.
var triggerSenses = []struct {
	bit  uint32
	name string
}{{1 << 16, "in"}, {1 << 17, "un"}, {1 << 18, "postun"}, {1 << 25, "prein"}}

// defaultPriority is that of triggers on files that name none.
const defaultPriority = 1000000

// Triggers returns the package's triggers, on packages before those on files.
func (h *Header) Triggers() (out []Trigger, err error) {
	for _, k := range triggerKinds {
		list, err := h.triggers(k)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

func (h *Header) triggers(k triggerTags) ([]Trigger, error) {
	bodies, progs := h.strings(k.scripts), h.strings(k.progs)
	conditions, err := h.deps(depTags{k.names, k.senses, k.versions})
	if err != nil {
		return nil, err
	}
	indexes := h.ints(k.scriptIndexes)
	if len(indexes) != len(conditions) {
		return nil, fmt.Errorf("tag %d: %d indexes of %d conditions: %w", k.scriptIndexes, len(indexes), len(conditions), ErrMalformed)
	}
	out := make([]Trigger, len(bodies))
	for i, body := range bodies {
		out[i] = Trigger{Scriptlet: Scriptlet{Interpreter: []string{shell}, Body: body}, Priority: defaultPriority}
		if i < len(progs) && progs[i] != "" {
			out[i].Interpreter = []string{progs[i]}
		}
		if p := h.ints(k.priorities); k.priorities != 0 && i < len(p) {
			out[i].Priority = int(p[i])
		}
	}
	for i, c := range conditions {
		at := indexes[i]
		if at < 0 || at >= int64(len(out)) {
			return nil, fmt.Errorf("tag %d: condition %d is of script %d, of %d: %w", k.scriptIndexes, i, at, len(out), ErrMalformed)
		}
		for _, s := range triggerSenses {
			if c.Sense&s.bit != 0 {
				out[at].Kind = k.prefix + s.name
			}
		}
		out[at].On = append(out[at].On, c.Relation)
	}
	return out, nil
}
