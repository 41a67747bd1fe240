package treefile

import (
	"slices"
	"strings"
)

// Modules is the streams of modules to turn on, and those to install: NAME[:STREAM],
// and NAME[:STREAM][/PROFILE].
type Modules struct{ Enable, Install []string }

var moduleFields = map[string]reader{"enable": readModuleWords(false), "install": readModuleWords(true)}

// readModuleWords reads a list of modules to []string.
func readModuleWords(profile bool) reader {
	read := stringList(check(func(s string) string { return wrongModule(s, profile) }))
	return func(n node) (any, error) {
		v, err := read(n)
		if err != nil {
			return nil, err
		}
		return plainList[string](v.([]item)), nil
	}
}

func wrongModule(s string, profile bool) string {
	if bad := blanks(s); bad != "" {
		return bad
	}
	module, prof, has := strings.Cut(s, "/")
	name, stream, colon := strings.Cut(module, ":")
	switch {
	case has && !profile:
		return "has a profile: modules.install takes one"
	case strings.HasPrefix(s, "@"):
		return "is a group: write the module's name without @"
	case name == "" || colon && stream == "" || has && prof == "":
		return "is no module: want NAME:STREAM"
	}
	return ""
}

// joinLists merges two mappings of lists, the included one's first.
func joinLists(included, have map[string]item) map[string]item {
	out := map[string]item{}
	for _, m := range []map[string]item{included, have} {
		for name, it := range m {
			if was, ok := out[name]; ok {
				it.value = slices.Concat(was.value.([]string), it.value.([]string))
			}
			out[name] = it
		}
	}
	return out
}
