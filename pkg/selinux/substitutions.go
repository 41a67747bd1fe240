package selinux

import (
	"slices"
	"strings"
)

// substitutions are the lines of a subs file, the last first.
type substitutions []substitution

type substitution struct{ from, to string }

// maxSubsLine is how many bytes of a line libselinux reads at once; what is longer
// goes on as if it were a line of its own.
const maxSubsLine = 1022

func parseSubstitutions(text []byte) (out substitutions) {
	for _, line := range strings.Split(string(text), "\n") {
		for {
			part := line[:min(len(line), maxSubsLine)]
			line = line[len(part):]
			part, _, _ = strings.Cut(part, "\x00")
			if fields := strings.FieldsFunc(part, isSpace); len(fields) >= 2 && fields[0][0] != '#' {
				out = append(out, substitution{fields[0], fields[1]})
			}
			if line == "" {
				break
			}
		}
	}
	slices.Reverse(out)
	return out
}

// apply returns path with the first prefix that fits replaced.
func (s substitutions) apply(path string) string {
	for _, sub := range s {
		rest, ok := strings.CutPrefix(path, sub.from)
		if !ok || rest != "" && rest[0] != '/' {
			continue
		}
		if sub.to == "/" && rest != "" {
			return rest
		}
		return sub.to + rest
	}
	return path
}
