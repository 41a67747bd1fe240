package treefile

import "slices"

// Rules lists the keys by the letter of their rule in rpm-ostree's reference.
func Rules() map[string][]string {
	out := map[string][]string{}
	for name, k := range keys {
		letter := map[rule]string{firstWins: "F", prepend: "P", union: "S", byName: "M", joined: "J", lost: "L"}[k.rule]
		out[letter] = append(out[letter], name)
	}
	for _, l := range out {
		slices.Sort(l)
	}
	return out
}

// KnownKeys lists all keys of a treefile.
func KnownKeys() []string { return slices.Sorted(slices.Values(known())) }
