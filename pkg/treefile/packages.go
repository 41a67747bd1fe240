package treefile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
)

// RepoPackages is packages that are to come from one RPM repository.
type RepoPackages struct {
	Repo     string   `json:"repo"`
	Packages []string `json:"packages"`
}

// basearches are those that RPM distributions use.
var basearches = []string{"aarch64", "alpha", "arm", "armhfp", "i386", "ia64", "loongarch64", "mips", "mips64", "mips64el",
	"mipsel", "noarch", "ppc", "ppc64", "ppc64le", "riscv64", "s390", "s390x", "sh4", "sparc", "sparc64", "x86_64"}

// otherArches are the names that other systems give to them.
var otherArches = map[string]string{"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64", "i686": "i386", "armv7hl": "armhfp", "ppc64el": "ppc64le"}

// readPackages reads a package list to []item of words.
func readPackages(n node) (any, error) {
	entries, err := n.items("a list of strings")
	if err != nil {
		return nil, err
	}
	out := make([]item, 0, len(entries))
	for _, e := range entries {
		s, err := e.str()
		if err != nil {
			return nil, err
		}
		words := []string{s}
		if !n.src.stored { // there, each entry is a word
			words, err = packageWords(s, n.inline)
		}
		if err != nil {
			return nil, e.errorf("%w", err)
		}
		for _, w := range words {
			out = append(out, item{w, w, e.place})
		}
	}
	return out, nil
}

// packageWords splits an entry at blanks; single quotes keep a relation together. With
// whole, an entry that is a relation need not be quoted, as inside conditional-include.
func packageWords(entry string, whole bool) ([]string, error) {
	if f := strings.Fields(entry); whole && len(f) == 3 && isOperator(f[1]) {
		return []string{strings.Join(f, " ")}, wrongRelation(strings.Join(f, " "))
	}
	var out []string
	for rest := strings.TrimSpace(entry); rest != ""; rest = strings.TrimSpace(rest) {
		var w string
		var err error
		if strings.HasPrefix(rest, "'") {
			w, rest, err = quotedWord(rest)
		} else {
			end := strings.IndexFunc(rest+" ", isBlank)
			w, rest = rest[:end], rest[end:]
			err = wrongWord(w)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	if out == nil {
		return nil, fmt.Errorf("%q is empty", entry)
	}
	return out, nil
}

func isBlank(r rune) bool { return strings.ContainsRune(" \t\r\n\v\f\u0085\u00a0", r) }

func isOperator(s string) bool { return s != "" && strings.Trim(s, "<>=!") == "" }

// quotedWord takes the text up to the closing quote off s, which begins with one.
func quotedWord(s string) (word, rest string, err error) {
	word, rest, ok := strings.Cut(s[1:], "'")
	switch {
	case !ok:
		return "", "", fmt.Errorf("%q: the single quote is not closed", clip(s))
	case rest != "" && strings.IndexFunc(rest, isBlank) != 0:
		return "", "", fmt.Errorf("%q: want a blank behind the closing quote", clip(s))
	}
	return word, rest, wrongRelation(word)
}

func wrongRelation(w string) error {
	if bad := margins(w); bad != "" {
		return fmt.Errorf("%q %s", clip(w), bad)
	}
	if strings.HasPrefix(w, "(") {
		_, err := nevra.ParseRich(w)
		return err
	}
	if len(strings.Fields(w)) == 1 {
		return wrongWord(w)
	}
	_, err := nevra.ParseRelation(w)
	return err
}

// wrongWord complains of what is no package, as people try it.
func wrongWord(w string) error {
	why := ""
	switch {
	case isOperator(w):
		why = `is no package: a relation stands in single quotes, as "'podman >= 4.1'"`
	case strings.HasPrefix(w, "@"):
		why = "is a group: treefiles name packages"
	case strings.HasPrefix(w, "-"):
		why = "begins with a minus: exclude-packages leaves packages out"
	case strings.Contains(w, "://"), strings.HasSuffix(w, ".rpm") && strings.Contains(w, "/"):
		why = "is no package's name: packages come from RPM repositories"
	case strings.HasSuffix(w, ","):
		why = "ends in a comma: packages are separated by blanks"
	case strings.Contains(w, "'"):
		why = "holds a single quote: quotes enclose a whole word"
	default:
		why = blanks(w)
	}
	if why == "" {
		return nil
	}
	return fmt.Errorf("%q %s", clip(w), why)
}

// packagesFor tells whether key is packages-ARCH.
func packagesFor(key string) (arch string, ok bool) { return strings.CutPrefix(key, "packages-") }

// checkArch complains of an architecture that is none.
func (s *source) checkArch(at place, arch string) error {
	if arch == s.loader.opts.Basearch || slices.Contains(basearches, arch) {
		return nil
	}
	near, ok := otherArches[arch]
	if !ok {
		near = nearest(arch, basearches)
	}
	if near != "" {
		return at.errorf("unknown architecture %q: did you mean %q?", arch, near)
	}
	return at.errorf("unknown architecture %q", arch)
}

// readRepoPackages reads an element of repo-packages.
func readRepoPackages(n node) (any, error) {
	v, err := fields(map[string]reader{"repo": check(wrongRepo), "packages": readPackages})(n)
	if err != nil {
		return nil, err
	}
	m := v.(map[string]item)
	for _, name := range []string{"repo", "packages"} {
		if _, ok := m[name]; !ok {
			return nil, n.errorf("%q is missing", name)
		}
	}
	p := RepoPackages{Repo: field[string](m, "repo")}
	for _, it := range field[[]item](m, "packages") {
		p.Packages = append(p.Packages, it.name)
	}
	return p, nil
}

// reduceRepoPackages leaves each package in the last entry that has it, and drops
// entries left empty.
func reduceRepoPackages(items []item) []item {
	taken := map[string]bool{}
	var out []item
	for _, it := range slices.Backward(items) {
		p := it.value.(RepoPackages)
		var left []string
		for _, name := range p.Packages {
			if !taken[name] {
				taken[name] = true
				left = append(left, name)
			}
		}
		if left != nil {
			it.value = RepoPackages{p.Repo, left}
			out = append(out, it)
		}
	}
	slices.Reverse(out)
	return out
}
