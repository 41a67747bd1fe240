package treefile

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits of what is read.
const (
	maxFile  = 16 << 20 // bytes of one file
	maxDepth = 50       // of includes
	maxNodes = 1 << 20  // values in one file, aliases followed
)

// Options tells how a treefile is read.
type Options struct {
	Basearch string // of the machine or asked for; the treefile's must be equal
}

// Parse reads the treefile called name, and what it includes, from fsys.
//
// Errors are of type *[Error], but for those of fsys.
func Parse(fsys fs.FS, name string, o Options) (*Treefile, error) {
	p := &parser{fsys: fsys, o: o, vars: map[string]any{"basearch": o.Basearch}, open: map[string]bool{}, done: map[string]bool{}}
	f, err := p.file(name, 0, nil)
	if err != nil {
		return nil, err
	}
	return p.finish(f)
}

type parser struct {
	fsys fs.FS
	o    Options
	vars map[string]any
	open map[string]bool // files on the way to the current one
	done map[string]bool
	keys []KeyUse
}

// layer is one file, or several merged.
type layer struct {
	file    string
	values  map[string]value
	sources []AddFile // of add-files, in order
	script  *External
}

// value is a key's value with its place.
type value struct {
	v    any
	file string
	line int
}

func (p *parser) fail(file string, line int, key, format string, a ...any) *Error {
	return &Error{File: file, Line: line, Key: key, Msg: fmt.Sprintf(format, a...)}
}

// file reads a treefile and all that it includes.
func (p *parser) file(name string, depth int, from *Error) (*layer, error) {
	if depth > maxDepth {
		return nil, p.fail(name, 0, "", "includes nest deeper than %d files", maxDepth)
	}
	if p.open[name] {
		return nil, p.fail(from.File, from.Line, from.Key, "%s includes itself by this way", name)
	}
	if p.done[name] {
		return &layer{file: name, values: map[string]value{}}, nil
	}
	b, err := readFile(p.fsys, name)
	if err != nil {
		if from != nil && errors.Is(err, fs.ErrNotExist) {
			return nil, p.fail(from.File, from.Line, from.Key, "%s does not exist", path.Base(name))
		}
		return nil, err
	}
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
	case ".ks":
		return nil, p.fail(name, 0, "", "kickstart files are not supported: write the packages as a treefile")
	default:
		return nil, p.fail(name, 0, "", "a treefile's name ends in .yaml, .yml or .json")
	}
	p.open[name] = true
	defer func() { p.open[name] = false; p.done[name] = true }()
	root, err := p.mapping(name, b)
	if err != nil {
		return nil, err
	}
	l, err := p.layer(name, root)
	if err != nil {
		return nil, err
	}
	return l, p.includes(l, depth)
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	st, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxFile {
		return nil, &Error{File: name, Msg: fmt.Sprintf("%d bytes, at most %d are allowed", st.Size(), maxFile)}
	}
	return fs.ReadFile(fsys, name)
}

// mapping parses a file into its one mapping; nil when it is empty.
func (p *parser) mapping(name string, b []byte) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		msg := strings.TrimPrefix(err.Error(), "yaml: ")
		line := 0
		if rest, ok := strings.CutPrefix(msg, "line "); ok {
			if n, text, ok := strings.Cut(rest, ": "); ok {
				line, _ = strconv.Atoi(n)
				msg = text
			}
		}
		return nil, p.fail(name, line, "", "%s", msg)
	}
	if doc.Kind == 0 || len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return nil, nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, p.fail(name, root.Line, "", "want one mapping of keys, have %s", kindName(root))
	}
	return root, nil
}

func kindName(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	}
	switch n.Tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	}
	return "a string"
}

// layer checks the keys of one file and its values' types.
func (p *parser) layer(name string, root *yaml.Node) (*layer, error) {
	l := &layer{file: name, values: map[string]value{}}
	if root == nil {
		return l, nil
	}
	nodes := 0
	for i := 0; i < len(root.Content); i += 2 {
		k, v := root.Content[i], root.Content[i+1]
		key := k.Value
		if legacy, ok := legacyKeys[key]; ok {
			if _, both := l.values[legacy]; both {
				return nil, p.fail(name, k.Line, key, "is another spelling of %s, which is set, too", legacy)
			}
			key = legacy
		}
		if arch, ok := strings.CutPrefix(key, "packages-"); ok {
			if err := p.archPackages(l, k, v, arch); err != nil {
				return nil, err
			}
			continue
		}
		spec, ok := keys[key]
		if !ok {
			return nil, p.unknown(name, k)
		}
		if _, twice := l.values[key]; twice && key != "packages" {
			return nil, p.fail(name, k.Line, key, "is set twice")
		}
		x, err := p.convert(name, key, key, v, spec.shape, &nodes)
		if err != nil {
			return nil, err
		}
		p.keys = append(p.keys, KeyUse{key, name, k.Line})
		if key == "packages" || key == "bootstrap-packages" {
			if err := l.addPackages(p, name, v, x.([]any)); err != nil {
				return nil, err
			}
			continue
		}
		l.values[key] = value{x, name, k.Line}
	}
	p.implied(l)
	return l, p.externals(l)
}

func (p *parser) unknown(name string, k *yaml.Node) error {
	if near := nearest(k.Value); near != "" {
		return p.fail(name, k.Line, "", "unknown key %q: did you mean %q?", k.Value, near)
	}
	return p.fail(name, k.Line, "", "unknown key %q", k.Value)
}

// archPackages takes packages-ARCH in when it is for this architecture.
func (p *parser) archPackages(l *layer, k, v *yaml.Node, arch string) error {
	nodes := 0
	x, err := p.convert(l.file, k.Value, k.Value, v, stringList, &nodes)
	if err != nil || arch != p.o.Basearch {
		return err
	}
	return l.addPackages(p, l.file, v, x.([]any))
}

// addPackages splits entries into words and unites them with what is there.
func (l *layer) addPackages(p *parser, name string, n *yaml.Node, list []any) error {
	old := l.values["packages"]
	words, _ := old.v.([]any)
	for i, e := range list {
		split, err := splitWords(e.(string))
		if err != nil {
			return p.fail(name, n.Content[i].Line, fmt.Sprintf("packages[%d]", i), "%v", err)
		}
		for _, w := range split {
			words = append(words, w)
		}
	}
	l.values["packages"] = value{unite(words, nil), name, n.Line}
	return nil
}

// splitWords splits at white space; what stands in single quotes is one word.
func splitWords(s string) (out []string, err error) {
	for rest := s; ; {
		rest = strings.TrimLeft(rest, " \t\n\r")
		if rest == "" {
			return out, nil
		}
		if rest[0] == '\'' {
			end := strings.IndexByte(rest[1:], '\'')
			if end < 0 {
				return nil, fmt.Errorf("%q: a quote does not end", s)
			}
			out, rest = append(out, rest[1:1+end]), rest[end+2:]
			continue
		}
		end := strings.IndexAny(rest, " \t\n\r")
		if end < 0 {
			end = len(rest)
		}
		out, rest = append(out, rest[:end]), rest[end:]
	}
}

// implied sets what edition and container mean, in the file that states them.
func (p *parser) implied(l *layer) {
	set := func(key string, v any, force bool, from value) {
		if _, ok := l.values[key]; !ok || force {
			l.values[key] = value{v, from.file, from.line}
		}
	}
	if e, ok := l.values["edition"]; ok && e.v == "2024" {
		set("boot-location", "modules", false, e)
		set("tmp-is-dir", true, false, e)
	}
	if c, ok := l.values["container"]; ok && c.v == true {
		for k, v := range map[string]any{"boot-location": "modules", "selinux": false, "tmp-is-dir": true, "preserve-passwd": false,
			"check-passwd": map[string]any{"type": "none"}, "check-groups": map[string]any{"type": "none"}} {
			set(k, v, true, c)
		}
	}
}

// externals reads the files that a treefile names, from its own folder.
func (p *parser) externals(l *layer) error {
	if v, ok := l.values["postprocess-script"]; ok {
		e, err := p.external(v, "postprocess-script", v.v.(string))
		if err != nil {
			return err
		}
		if e.Mode&0o111 == 0 {
			return p.fail(v.file, v.line, "postprocess-script", "%s is not executable", e.Name)
		}
		l.script = e
	}
	v, ok := l.values["add-files"]
	if !ok {
		return nil
	}
	for i, e := range v.v.([]any) {
		key := fmt.Sprintf("add-files[%d]", i)
		pair := e.([]any)
		if len(pair) != 2 {
			return p.fail(v.file, v.line, key, "want [SOURCE, DESTINATION], have %d values", len(pair))
		}
		src, dest := pair[0].(string), strings.TrimLeft(pair[1].(string), "/")
		if !addable(dest) {
			return p.fail(v.file, v.line, key, "destination /%s: want a path below /usr or /etc", dest)
		}
		ext, err := p.external(v, key, src)
		if err != nil {
			return err
		}
		l.sources = append(l.sources, AddFile{*ext, dest})
	}
	return nil
}

func addable(dest string) bool {
	if dest != path.Clean(dest) || strings.HasPrefix(dest, "../") || strings.HasPrefix(dest, "usr/local/") {
		return false
	}
	return slices.ContainsFunc([]string{"usr/", "etc/", "bin/", "sbin/", "lib/", "lib64/"}, func(s string) bool { return strings.HasPrefix(dest, s) })
}

func (p *parser) external(v value, key, name string) (*External, error) {
	full := path.Join(path.Dir(v.file), name)
	st, err := fs.Stat(p.fsys, full)
	if err != nil || !st.Mode().IsRegular() {
		return nil, p.fail(v.file, v.line, key, "%s is no file beside the treefile", name)
	}
	b, err := readFile(p.fsys, full)
	return &External{name, b, st.Mode().Perm()}, err
}

// includes reads the files that l includes and merges them into it.
func (p *parser) includes(l *layer, depth int) error {
	p.learnVars(l)
	type include struct {
		name string
		from *Error
	}
	var work []include
	list := func(v value, key string, x any) {
		for _, n := range stringsOf(x) {
			work = append(work, include{path.Join(path.Dir(l.file), n), p.fail(v.file, v.line, key, "")})
		}
	}
	if v, ok := l.values["include"]; ok {
		list(v, "include", v.v)
	}
	if v, ok := l.values["arch-include"]; ok {
		list(v, "arch-include", v.v.(map[string]any)[p.o.Basearch])
	}
	if v, ok := l.values["conditional-include"]; ok {
		for i, e := range v.v.([]any) {
			key := fmt.Sprintf("conditional-include[%d]", i)
			m := e.(map[string]any)
			holds, err := p.condition(v, key, stringsOf(m["if"]))
			if err != nil {
				return err
			}
			if !holds {
				continue
			}
			if inline, ok := m["include"].(map[string]any); ok {
				if err := p.inline(l, v, key, inline); err != nil {
					return err
				}
				continue
			}
			list(v, key, m["include"])
		}
	}
	for _, k := range []string{"include", "arch-include", "conditional-include"} {
		delete(l.values, k)
	}
	for _, w := range work {
		sub, err := p.file(w.name, depth+1, w.from)
		if err != nil {
			return err
		}
		l.merge(sub)
	}
	return nil
}

// inline merges a mapping that stands in a conditional-include.
func (p *parser) inline(l *layer, v value, key string, m map[string]any) error {
	sub := &layer{file: l.file, values: map[string]value{}}
	for k, x := range m {
		if _, ok := keys[k]; !ok {
			return p.fail(v.file, v.line, key, "unknown key %q", k)
		}
		sub.values[k] = value{x, v.file, v.line}
		p.keys = append(p.keys, KeyUse{k, v.file, v.line})
	}
	l.merge(sub)
	return nil
}

// stringsOf is a string or a list of strings as a list.
func stringsOf(x any) (out []string) {
	switch x := x.(type) {
	case string:
		return []string{x}
	case []any:
		for _, e := range x {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

// learnVars adds a file's variables to those that conditions see; earlier ones stay.
func (p *parser) learnVars(l *layer) {
	if v, ok := l.values["variables"]; ok {
		for name, x := range v.v.(map[string]any) {
			if _, known := p.vars[name]; !known {
				p.vars[name] = x
			}
		}
	}
	if v, ok := l.values["releasever"]; ok {
		if _, known := p.vars["releasever"]; !known {
			p.vars["releasever"] = v.v
		}
	}
}

// ParseStored reads the flattened form that a tree stores of its treefile. The files
// that it names are not there any more, and are not looked for.
func ParseStored(b []byte, basearch string) (*Treefile, error) {
	p := &parser{o: Options{Basearch: basearch}, vars: map[string]any{"basearch": basearch}}
	root, err := p.mapping("treefile.json", b)
	if err != nil {
		return nil, err
	}
	l := &layer{file: "treefile.json", values: map[string]value{}}
	nodes := 0
	for i := 0; root != nil && i < len(root.Content); i += 2 {
		k := root.Content[i]
		spec, ok := keys[k.Value]
		if !ok {
			return nil, p.unknown(l.file, k)
		}
		x, err := p.convert(l.file, k.Value, k.Value, root.Content[i+1], spec.shape, &nodes)
		if err != nil {
			return nil, err
		}
		l.values[k.Value] = value{x, l.file, k.Line}
	}
	return p.finish(l)
}
