package selinux

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// randomRegex is an expression in which there is as much of the syntax as fits.
func randomRegex(r *rand.Rand, depth int) string {
	atoms := []string{"a", "b", "/", `\.`, ".", "[ab]", "[^/]", "[a-c/]", `[\d.-]`, "[]b]", "[^]a]", "[[:alpha:]]", `\w`, `\D`, `\-`, "/a", "/b", "{", "}", "]", `\x61`, "a-b", "[[:^alpha:]_]", "[a-]"}
	var b strings.Builder
	for range 1 + r.IntN(4) {
		quantifiers := []string{"?", "{2}", "{1,2}", "{0}", "??", "{0,2}?", "*", "+", "{1,}", "*?", "+?"}
		if depth > 0 && r.IntN(4) == 0 {
			open := []string{"(", "(?:"}[r.IntN(2)]
			inner := randomRegex(r, depth-1)
			b.WriteString(open + inner + ")")
			if strings.ContainsAny(inner, "*+,") {
				// PCRE gives up on some texts when what repeats without end repeats without end.
				quantifiers = quantifiers[:6]
			}
		} else {
			b.WriteString(atoms[r.IntN(len(atoms))])
		}
		if r.IntN(3) == 0 {
			b.WriteString(quantifiers[r.IntN(len(quantifiers))])
		}
	}
	if r.IntN(8) == 0 {
		b.WriteString("|" + randomRegex(r, depth))
	}
	return b.String()
}

func randomSpec(r *rand.Rand, n int) string {
	prefixes := []string{"/", "/a/", "/b/", "/a/b/", "/a", "/a/?", `/\a/`, "/a*/", "", "/b.a/", "^/", "//", `/a\.b/`, "/(a|b)/", "/[ab]/"}
	regex := prefixes[r.IntN(len(prefixes))]
	if r.IntN(4) > 0 {
		regex += randomRegex(r, 2)
	} else {
		regex += []string{"a", "b", `a\.b`, "b/a", "", "ab", `\a`, "a.b"}[r.IntN(8)]
	}
	if r.IntN(12) == 0 {
		regex += "$"
	}
	if regex == "" || regex[0] == '#' {
		regex = "/" + regex
	}
	typ := []string{"", "", "", "--", "-d", "-l", "-c", "-b", "-p", "-s"}[r.IntN(10)]
	label := fmt.Sprintf("u:r:t%d", n)
	if r.IntN(10) == 0 {
		label = none
	}
	return regex + strings.Repeat(" ", 1+r.IntN(2)) + typ + "\t" + label
}

// newRandomPolicy makes specifications that have much to do with each other.
func newRandomPolicy(r *rand.Rand) Texts {
	file := func(lines int, line func(i int) string) []byte {
		var b strings.Builder
		for i := range lines {
			b.WriteString(line(i) + "\n")
		}
		return []byte(b.String())
	}
	sub := func(int) string {
		names := []string{"/a", "/b", "/a/b", "/b/a", "/a.b", "/", "/a/a"}
		return names[r.IntN(len(names))] + " " + names[r.IntN(len(names))]
	}
	x := Texts{Contexts: file(1+r.IntN(12), func(i int) string { return randomSpec(r, i) })}
	if r.IntN(2) == 0 {
		x.Homedirs = file(r.IntN(3), func(i int) string { return randomSpec(r, 100+i) })
	}
	if r.IntN(2) == 0 {
		x.Local = file(r.IntN(3), func(i int) string { return randomSpec(r, 200+i) })
	}
	if r.IntN(2) == 0 {
		x.SubsDist = file(r.IntN(4), sub)
	}
	if r.IntN(2) == 0 {
		x.Subs = file(r.IntN(4), sub)
	}
	return x
}

// TestAgainstMatchpathcon compares random policies with libselinux. What is not
// supported here is left out of the comparison, and must be little.
func TestAgainstMatchpathcon(t *testing.T) {
	refused, asked := 0, 0
	for seed := *firstCase; seed < *firstCase+uint64(*randomCases) && !t.Failed(); seed++ {
		r := rand.New(rand.NewPCG(seed, 0))
		x := newRandomPolicy(r)
		c, err := ParseContexts(x)
		if err != nil {
			refused++
			continue
		}
		queries := randomQueries(r, x)
		want, err := askMatchpathcon(t, writeTexts(t, x), queries)
		if err != nil {
			t.Fatalf("case %d: %v\n%s", seed, err, x.Contexts)
		}
		asked += len(want)
		for q, w := range want {
			if got, _ := c.Label(q.path, q.mode); got != w {
				t.Errorf("case %d: %s %q: %q, matchpathcon has %q\n%s--\n%s--\n%s--\n%s--\n%s", seed, modeNames[q.mode], q.path, got, w, x.Contexts, x.Homedirs, x.Local, x.SubsDist, x.Subs)
				break
			}
		}
	}
	t.Logf("%d policies were refused, %d paths asked for", refused, asked)
	if refused > *randomCases/10 {
		t.Errorf("%d of %d policies were refused", refused, *randomCases)
	}
}

func randomQueries(r *rand.Rand, x Texts) []query {
	var specs []string
	for _, text := range [][]byte{x.Contexts, x.Homedirs, x.Local} {
		for _, line := range strings.Split(string(text), "\n") {
			if s, ok, _ := parseSpec(line); ok {
				specs = append(specs, s.regex)
			}
		}
	}
	var out []query
	for range 300 {
		p := "/"
		if r.IntN(2) == 0 && len(specs) > 0 {
			p = madeUp(r, specs[r.IntN(len(specs))])
		} else {
			for range 1 + r.IntN(8) {
				p += string("ab/./-{\n"[r.IntN(8)])
			}
			if p = strings.TrimRight(p, "/"); p == "" {
				p = "/"
			}
		}
		out = append(out, query{p, []uint32{0o100000, 0o040000, 0o120000}[r.IntN(3)]})
	}
	return out
}
