package treefile

import (
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// shape is what a key's value looks like.
type shape int

const (
	text shape = iota
	boolean
	stringOrNumber
	stringList
	stringOrList
	stringMap // of strings
	anyMap
	listOfLists // of strings
	listOfMaps
	anything
)

var shapeNames = map[shape]string{
	text: "a string", boolean: "true or false", stringOrNumber: "a string or a number", stringList: "a list of strings",
	stringOrList: "a string or a list of strings", stringMap: "a mapping of strings", anyMap: "a mapping",
	listOfLists: "a list of lists of strings", listOfMaps: "a list of mappings",
}

// merging is how values of an includer and an included file come together.
type merging int

const (
	first   merging = iota // the includer's wins
	prepend                // the included list, then the includer's
	union                  // both lists, sorted, each entry once
	maps                   // both mappings, the includer's entries winning
)

type keySpec struct {
	shape shape
	merge merging
}

// keys are all that a treefile may have.
var keys = map[string]keySpec{
	"include": {stringOrList, first}, "arch-include": {anyMap, first}, "conditional-include": {listOfMaps, first},
	"edition": {text, first}, "ref": {text, first}, "basearch": {text, first}, "variables": {anyMap, maps},
	"releasever": {stringOrNumber, first}, "repovars": {stringMap, maps}, "metadata": {anyMap, maps},
	"rojig": {anyMap, first}, "add-commit-metadata": {anyMap, maps}, "automatic-version-prefix": {text, first},
	"automatic-version-suffix": {text, first}, "mutate-os-release": {text, first}, "gpg-key": {text, first},
	"repo-metadata": {text, first}, "advisories-metadata": {text, first}, "container-cmd": {stringList, first},
	"repos": {stringList, prepend}, "lockfile-repos": {stringList, prepend}, "packages": {stringList, union},
	"bootstrap-packages": {stringList, union}, "repo-packages": {listOfMaps, prepend},
	"exclude-packages": {stringList, prepend}, "recommends": {boolean, first}, "documentation": {boolean, first},
	"install-langs": {stringList, prepend}, "boot-location": {text, first}, "initramfs-args": {stringList, prepend},
	"no-initramfs": {boolean, first}, "units": {stringList, prepend}, "default-target": {text, first},
	"machineid-compat": {boolean, first}, "container": {boolean, first}, "tmp-is-dir": {boolean, first},
	"opt-usrlocal": {text, first}, "readonly-executables": {boolean, first}, "add-files": {listOfLists, prepend},
	"remove-files": {stringList, prepend}, "remove-from-packages": {listOfLists, prepend},
	"postprocess": {stringList, prepend}, "postprocess-script": {text, first}, "ostree-layers": {stringList, prepend},
	"ostree-override-layers": {stringList, prepend}, "ignore-devices": {boolean, first}, "cliwrap": {boolean, first},
	"cliwrap-binaries": {stringList, prepend}, "selinux": {boolean, first}, "selinux-label-version": {stringOrNumber, first},
	"ima": {boolean, first}, "etc-group-members": {stringList, prepend}, "preserve-passwd": {boolean, first},
	"check-passwd": {anyMap, first}, "check-groups": {anyMap, first}, "ignore-removed-users": {stringList, union},
	"ignore-removed-groups": {stringList, union}, "sysusers": {text, first}, "rpmdb": {text, first},
	"rpmdb-normalize": {boolean, first},
	// ours
	"images": {anything, first}, "disk": {anyMap, first}, "deltas": {anyMap, first},
}

// legacyKeys are old spellings.
var legacyKeys = map[string]string{
	"gpg_key": "gpg-key", "boot_location": "boot-location", "default_target": "default-target",
	"automatic_version_prefix": "automatic-version-prefix", "bootstrap_packages": "bootstrap-packages",
}

// nearest finds the key that is spelt most like name.
func nearest(name string) string {
	best, bestDist := "", len(name)/3+2
	for k := range keys {
		if d := distance(name, k); d < bestDist || d == bestDist && best != "" && k < best {
			best, bestDist = k, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// convert turns a value into Go and checks its shape. path is the key with the
// positions on the way, for errors.
func (p *parser) convert(file, key, path string, n *yaml.Node, s shape, nodes *int) (any, error) {
	if *nodes++; *nodes > maxNodes {
		return nil, p.fail(file, n.Line, key, "has too many values")
	}
	if n.Kind == yaml.AliasNode {
		return p.convert(file, key, path, n.Alias, s, nodes)
	}
	wrong := func() error { return p.fail(file, n.Line, path, "want %s, have %s", shapeNames[s], kindName(n)) }
	isText := n.Kind == yaml.ScalarNode && n.Tag == "!!str"
	switch s {
	case text:
		if !isText {
			return nil, wrong()
		}
		return n.Value, nil
	case boolean:
		b, err := strconv.ParseBool(n.Value)
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || err != nil {
			return nil, wrong()
		}
		return b, nil
	case stringOrNumber:
		if isText {
			return n.Value, nil
		}
		u, err := strconv.ParseUint(n.Value, 10, 63)
		if n.Tag != "!!int" || err != nil {
			return nil, wrong()
		}
		return int64(u), nil
	case stringOrList:
		if isText {
			return n.Value, nil
		}
		return p.list(file, key, path, n, text, s, nodes)
	case stringList:
		return p.list(file, key, path, n, text, s, nodes)
	case listOfLists:
		return p.list(file, key, path, n, stringList, s, nodes)
	case listOfMaps:
		return p.list(file, key, path, n, anyMap, s, nodes)
	case stringMap:
		return p.mapOf(file, key, path, n, text, s, nodes)
	case anyMap:
		return p.mapOf(file, key, path, n, anything, s, nodes)
	}
	switch n.Kind {
	case yaml.MappingNode:
		return p.mapOf(file, key, path, n, anything, anyMap, nodes)
	case yaml.SequenceNode:
		return p.list(file, key, path, n, anything, stringList, nodes)
	}
	return scalar(n), nil
}

// scalar is a plain value: string, int64, float64, bool or nil.
func scalar(n *yaml.Node) any {
	var v any
	if n.Decode(&v) != nil {
		return n.Value
	}
	switch v := v.(type) {
	case int:
		return int64(v)
	case string, bool, float64, nil:
		return v
	}
	return n.Value // a time, a huge number
}

func (p *parser) list(file, key, path string, n *yaml.Node, each, s shape, nodes *int) (any, error) {
	if n.Kind != yaml.SequenceNode {
		return nil, p.fail(file, n.Line, path, "want %s, have %s", shapeNames[s], kindName(n))
	}
	out := make([]any, len(n.Content))
	for i, c := range n.Content {
		var err error
		if out[i], err = p.convert(file, key, fmt.Sprintf("%s[%d]", path, i), c, each, nodes); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *parser) mapOf(file, key, path string, n *yaml.Node, each, s shape, nodes *int) (any, error) {
	if n.Kind != yaml.MappingNode {
		return nil, p.fail(file, n.Line, path, "want %s, have %s", shapeNames[s], kindName(n))
	}
	out := map[string]any{}
	for i := 0; i < len(n.Content); i += 2 {
		k := n.Content[i]
		if _, twice := out[k.Value]; twice {
			return nil, p.fail(file, k.Line, path+"."+k.Value, "is set twice")
		}
		v, err := p.convert(file, key, path+"."+k.Value, n.Content[i+1], each, nodes)
		if err != nil {
			return nil, err
		}
		out[k.Value] = v
	}
	return out, nil
}

// merge takes the values of an included file in.
func (l *layer) merge(sub *layer) {
	for k, v := range sub.values {
		mine, ok := l.values[k]
		if !ok {
			l.values[k] = v
			continue
		}
		switch keys[k].merge {
		case prepend:
			mine.v = slices.Concat(v.v.([]any), mine.v.([]any))
		case union:
			mine.v = unite(v.v.([]any), mine.v.([]any))
		case maps:
			both := map[string]any{}
			for _, m := range []any{v.v, mine.v} {
				for name, x := range m.(map[string]any) {
					both[name] = x
				}
			}
			mine.v = both
		}
		l.values[k] = mine
	}
	l.sources = slices.Concat(sub.sources, l.sources)
	if l.script == nil {
		l.script = sub.script
	}
}

// unite is both lists of strings, sorted, each entry once.
func unite(a, b []any) []any {
	var all []string
	for _, x := range slices.Concat(a, b) {
		all = append(all, x.(string))
	}
	slices.Sort(all)
	all = slices.Compact(all)
	out := make([]any, len(all))
	for i, s := range all {
		out[i] = s
	}
	return out
}
