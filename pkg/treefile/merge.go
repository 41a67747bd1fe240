package treefile

import (
	"maps"
	"slices"
	"strings"
)

// layer holds the keys of a file, or of several that are merged. What a value is
// depends on the key's rule.
type layer map[string]entry

type entry struct {
	value   any
	at      place
	implied bool // by edition or container
}

// imply sets what edition and container stand for, in the file that has them.
func (l layer) imply() {
	set := func(from entry, values map[string]any) {
		for name, v := range values {
			l[name] = entry{v, from.at, true}
		}
	}
	if e, ok := l["edition"]; ok && e.value == "2024" {
		implied := map[string]any{"boot-location": "modules", "tmp-is-dir": true}
		maps.DeleteFunc(implied, func(name string, _ any) bool { _, has := l[name]; return has })
		set(e, implied)
	}
	if e, ok := l["container"]; ok && e.value == true {
		set(e, map[string]any{
			"boot-location": "modules", "selinux": false, "tmp-is-dir": true, "preserve-passwd": false,
			"check-passwd": Check{Type: "none"}, "check-groups": Check{Type: "none"},
		})
	}
}

// merge adds what the included layer says.
func (l layer) merge(included layer) {
	for name, e := range included {
		have, ok := l[name]
		switch rule := keys[name].rule; {
		case rule == lost:
		case !ok:
			l[name] = e
		case rule == prepend:
			have.value = slices.Concat(e.value.([]item), have.value.([]item))
			l[name] = have
		case rule == union:
			have.value = slices.Concat(have.value.([]item), e.value.([]item))
			l[name] = have
		case rule == joined:
			have.value = joinLists(e.value.(map[string]item), have.value.(map[string]item))
			l[name] = have
		case rule == byName:
			m := maps.Clone(e.value.(map[string]item))
			maps.Copy(m, have.value.(map[string]item))
			have.value = m
			l[name] = have
		}
	}
}

// tidy sorts the sets and reduces repo-packages, when all is merged.
func (l layer) tidy() {
	for name, e := range l {
		if keys[name].rule != union {
			continue
		}
		set := slices.Clone(e.value.([]item))
		slices.SortStableFunc(set, func(a, b item) int { return strings.Compare(a.name, b.name) })
		e.value = slices.CompactFunc(set, func(a, b item) bool { return a.name == b.name })
		l[name] = e
	}
	if e, ok := l["repo-packages"]; ok {
		e.value = reduceRepoPackages(e.value.([]item))
		l["repo-packages"] = e
	}
}

// get is the value of a key, or its default.
func get[T any](l layer, name string) (v T) {
	if e, ok := l[name]; ok {
		return e.value.(T)
	}
	if def := keys[name].def; def != nil {
		return def.(T)
	}
	return v
}

// list is the values of a key that is a list.
func list[T any](l layer, name string) []T { return plainList[T](get[[]item](l, name)) }

// table is the values of a key that is a mapping; nil when it is not set.
func table[T any](l layer, name string) map[string]T {
	items := get[map[string]item](l, name)
	if items == nil {
		return nil
	}
	out := make(map[string]T, len(items))
	for k, it := range items {
		out[k], _ = it.value.(T) // nil is a value too
	}
	return out
}
