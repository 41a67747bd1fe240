package treefile

import (
	"fmt"
	"path"
	"slices"
)

// file is what one file says, or one mapping inside conditional-include.
type file struct {
	layer        layer
	variables    map[string]item
	includes     []target // of include
	archIncludes []target // of arch-include, for the basearch
	conditionals []conditional
	uses         []KeyUse
}

// target is a file to include.
type target struct {
	at   place
	text string // as it is written
	path string // in the fs.FS
}

// conditional is an element of conditional-include.
type conditional struct {
	conditions []condition
	targets    []target
	inline     *file // instead of targets
}

// parse reads the top-level mapping n.
func (s *source) parse(n node) (*file, error) {
	pairs, err := n.pairs("a mapping")
	if err != nil {
		return nil, err
	}
	f := &file{layer: layer{}}
	for _, p := range pairs {
		if s.json && p.name == "comment" || s.stored && !isKey(p.name) {
			continue
		}
		if err := f.add(n, p); err != nil {
			return nil, err
		}
	}
	if !n.inline && !s.stored {
		f.layer.imply()
	}
	return f, nil
}

func isKey(name string) bool {
	_, ok := keys[name]
	return ok
}

// add reads one key.
func (f *file) add(n node, p pair) error {
	if slices.Contains(specials, p.name) {
		if p.value.kind() == nothing {
			return nil
		}
		f.use(n, p.name, p.line)
		if n.inline {
			return p.value.errorf("has no effect inside conditional-include")
		}
		return f.special(p.name, p.value)
	}
	name := p.name
	if to, ok := renamed[name]; ok {
		name = to
	}
	k, ok := keys[name]
	arch, forArch := packagesFor(name)
	switch {
	case !ok && forArch:
		return f.addForArch(n, p, arch)
	case !ok:
		return n.unknownKey(p.line, p.name, known())
	case p.value.kind() == nothing:
		return nil
	}
	v, err := k.read(p.value)
	if err != nil {
		return err
	}
	f.use(n, name, p.line)
	if have, ok := f.layer[name]; ok {
		if k.rule != union {
			return p.value.errorf("cannot stand beside %s (line %d), which is the same key", have.at.key, have.at.line)
		}
		v = append(have.value.([]item), v.([]item)...)
	}
	f.layer[name] = entry{value: v, at: p.value.place}
	return nil
}

// addForArch reads packages-ARCH.
func (f *file) addForArch(n node, p pair, arch string) error {
	s := p.value.src
	if err := s.checkArch(p.value.place, arch); err != nil {
		return err
	}
	v, err := readPackages(p.value)
	if err != nil || arch != s.loader.opts.Basearch {
		return err
	}
	f.use(n, "packages", p.line)
	have, ok := f.layer["packages"]
	if !ok {
		have = entry{value: []item{}, at: p.value.place}
	}
	have.value = append(have.value.([]item), v.([]item)...)
	f.layer["packages"] = have
	return nil
}

func (f *file) use(n node, name string, line int) {
	f.uses = append(f.uses, KeyUse{Key: name, File: n.file, Line: line})
}

// special reads a key of the include family, or variables.
func (f *file) special(name string, n node) (err error) {
	switch name {
	case "variables":
		var v any
		if v, err = readVariables(n); err == nil {
			f.variables = v.(map[string]item)
		}
	case "include":
		f.includes, err = readTargets(n)
	case "arch-include":
		f.archIncludes, err = readArchInclude(n)
	case "conditional-include":
		f.conditionals, err = readConditionals(n)
	}
	return err
}

// readTargets reads one file name, or a list of them.
func readTargets(n node) ([]target, error) {
	nodes := []node{n}
	if n.kind() != aString {
		var err error
		if nodes, err = n.items("a file name or a list of them"); err != nil {
			return nil, err
		}
	}
	out := make([]target, len(nodes))
	for i, e := range nodes {
		s, err := e.str()
		if err != nil {
			return nil, err
		}
		p, err := e.resolve(s)
		if err != nil {
			return nil, err
		}
		if err := checkEnding(p); err != nil {
			return nil, e.errorf("%q: %w", s, err)
		}
		out[i] = target{e.place, s, p}
	}
	return out, nil
}

// checkEnding complains of a file that is no treefile by its name.
func checkEnding(name string) error {
	switch ext := path.Ext(name); ext {
	case ".yaml", ".yml", ".json":
		return nil
	case ".ks":
		return fmt.Errorf("kickstart files are not supported; write it in YAML")
	case "":
		return fmt.Errorf("no ending; a treefile's name ends in .yaml, .yml or .json")
	default:
		return fmt.Errorf("unknown ending %q; a treefile's name ends in .yaml, .yml or .json", ext)
	}
}

func readArchInclude(n node) ([]target, error) {
	pairs, err := n.pairs("a mapping from basearch to file names")
	if err != nil {
		return nil, err
	}
	var out []target
	for _, p := range pairs {
		if err := n.src.checkArch(p.value.place, p.name); err != nil {
			return nil, err
		}
		targets, err := readTargets(p.value)
		if err != nil {
			return nil, err
		}
		if p.name == n.src.loader.opts.Basearch {
			out = targets
		}
	}
	return out, nil
}

func readConditionals(n node) ([]conditional, error) {
	nodes, err := n.items("a list of mappings with if and include")
	if err != nil {
		return nil, err
	}
	out := make([]conditional, len(nodes))
	for i, e := range nodes {
		v, err := fields(map[string]reader{"if": readIf, "include": readInclude})(e)
		if err != nil {
			return nil, err
		}
		m := v.(map[string]item)
		for _, name := range []string{"if", "include"} {
			if _, ok := m[name]; !ok {
				return nil, e.errorf("%q is missing", name)
			}
		}
		out[i] = field[conditional](m, "include")
		out[i].conditions = field[[]condition](m, "if")
	}
	return out, nil
}

// readIf reads one condition, or a list of them.
func readIf(n node) (any, error) {
	nodes := []node{n}
	if n.kind() != aString {
		var err error
		if nodes, err = n.items("a condition or a list of them"); err != nil {
			return nil, err
		}
	}
	out := make([]condition, len(nodes))
	for i, e := range nodes {
		var err error
		if out[i], err = readCondition(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readInclude reads file names or a mapping of keys.
func readInclude(n node) (any, error) {
	if n.kind() != aMapping {
		targets, err := readTargets(n)
		return conditional{targets: targets}, err
	}
	n.inline = true
	f, err := n.src.parse(n)
	return conditional{inline: f}, err
}
