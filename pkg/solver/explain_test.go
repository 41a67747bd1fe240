package solver_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/solver"
)

// world reads packages, one a line: NEVRA, then "KIND RELATION" behind semicolons.
func world(t *testing.T, id, text string) *repodata.Repo {
	t.Helper()
	repo := &repodata.Repo{ID: id, Priority: 99}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		parts := strings.Split(strings.TrimSpace(line), "; ")
		n, err := nevra.ParseNEVRA(parts[0])
		if err != nil {
			t.Fatal(err)
		}
		p := &repodata.Package{NEVRA: n, Checksum: digest.Sum([]byte(line)), Location: "x.rpm", Repo: repo}
		for _, part := range parts[1:] {
			kind, rest, _ := strings.Cut(part, " ")
			if kind == "file" {
				p.Files = append(p.Files, repodata.File{Path: rest})
				continue
			}
			r, err := nevra.ParseRelation(rest)
			if err != nil {
				t.Fatal(err)
			}
			list := map[string]*[]nevra.Relation{"requires": &p.Requires, "provides": &p.Provides, "conflicts": &p.Conflicts, "obsoletes": &p.Obsoletes}[kind]
			*list = append(*list, r)
		}
		repo.Packages = append(repo.Packages, p)
	}
	return repo
}

const shop = `
web-1-1.x86_64; requires php >= 8; requires cache
php-7-1.x86_64
cache-1-1.x86_64; conflicts web < 9
docker-1-1.x86_64; requires container-selinux >= 2:2.12
container-selinux-2:2.10-1.noarch
a-1-1.x86_64; requires b
b-1-1.x86_64; requires c
c-1-1.x86_64; conflicts d
d-1-1.x86_64
tool-1-1.x86_64; requires /usr/bin/none
fork-2-1.x86_64; obsoletes orig < 5
orig-1-1.x86_64
one-1-1.x86_64; requires lib = 1
two-1-1.x86_64; requires lib = 2
lib-1-1.x86_64
lib-2-1.x86_64
mail-1-1.x86_64; requires mta
exim-1-1.x86_64; provides mta
old-1-1.i686; requires thing
arm-1-1.aarch64
rich-1-1.x86_64; requires (x or y)
node-18-1.x86_64
site-1-1.x86_64; requires node`

// The sentences are dnf's where it has one for the case; the order and the help are
// ours.
func TestExplain(t *testing.T) {
	for name, tc := range map[string]struct {
		req  solver.Request
		want []string // reasons of all problems
		help []string
	}{
		"nothing provides": {solver.Request{Install: []string{"docker"}},
			[]string{"docker is asked for", "nothing provides container-selinux >= 2:2.12 needed by docker-1-1.x86_64; the best there is: container-selinux-2:2.10-1.noarch (shop)"}, nil},
		"a chain": {solver.Request{Install: []string{"d", "a"}},
			[]string{"d is asked for", "a is asked for", "a-1-1.x86_64 requires b, but none of the providers can be installed (b-1-1.x86_64)",
				"b-1-1.x86_64 requires c, but none of the providers can be installed (c-1-1.x86_64)", "c-1-1.x86_64 conflicts with d provided by d-1-1.x86_64"},
			[]string{"leave out d or a"}},
		"two problems": {solver.Request{Install: []string{"docker", "tool"}},
			[]string{"docker is asked for", "nothing provides container-selinux >= 2:2.12 needed by docker-1-1.x86_64; the best there is: container-selinux-2:2.10-1.noarch (shop)",
				"tool is asked for", "nothing provides /usr/bin/none needed by tool-1-1.x86_64"}, nil},
		"obsoletes": {solver.Request{Install: []string{"fork", "orig"}},
			[]string{"fork is asked for", "orig is asked for", "fork-2-1.x86_64 obsoletes orig < 5 provided by orig-1-1.x86_64"}, []string{"leave out fork or orig"}},
		"two versions": {solver.Request{Install: []string{"one", "two"}},
			[]string{"one is asked for", "two is asked for", "two-1-1.x86_64 requires lib = 2, but none of the providers can be installed (lib-2-1.x86_64)",
				"one-1-1.x86_64 requires lib = 1, but none of the providers can be installed (lib-1-1.x86_64)", "cannot install both lib-1-1.x86_64 and lib-2-1.x86_64"},
			[]string{"leave out one or two"}},
		"excluded": {solver.Request{Install: []string{"mail"}, Exclude: []string{"exim"}},
			[]string{"mail is asked for", "nothing provides mta needed by mail-1-1.x86_64: exim-1-1.x86_64 is hidden: filtered out by exclude filtering"}, []string{"do not exclude exim"}},
		"asked for and excluded": {solver.Request{Install: []string{"exim"}, Exclude: []string{"exim"}},
			[]string{"exim is asked for, but every package of that name is hidden: filtered out by exclude filtering"}, []string{"do not exclude exim"}},
		"locked": {solver.Request{Install: []string{"two"}, Lock: map[string]solver.Lock{"lib": {Text: "1-1.x86_64", Matches: func(p *repodata.Package) bool { return p.NEVRA.Version == "1" }}}},
			[]string{"two is asked for", "nothing provides lib = 2 needed by two-1-1.x86_64: lib-2-1.x86_64 is hidden: the lockfile has lib-1-1.x86_64"},
			[]string{"update the lock of lib: treewright lock --update TREEFILE lib"}},
		"not locked": {solver.Request{Install: []string{"mail"}, Strict: true, Lock: map[string]solver.Lock{"mail": {Matches: func(*repodata.Package) bool { return true }}}},
			[]string{"mail is asked for", "nothing provides mta needed by mail-1-1.x86_64: exim-1-1.x86_64 is hidden: it is not in the lockfile"},
			[]string{"update the lock of exim: treewright lock --update TREEFILE exim"}},
		"module": {solver.Request{Install: []string{"site"}, Modules: &solver.Modules{Off: []nevra.NEVRA{{Name: "node", EVR: nevra.EVR{Epoch: "0", Version: "18", Release: "1"}, Arch: "x86_64"}},
			StreamOf: func(n nevra.NEVRA) string { return "node:18" }}},
			[]string{"site is asked for", "nothing provides node needed by site-1-1.x86_64: node-18-1.x86_64 is hidden: filtered out by modular filtering: it is of module node:18, which is not on"},
			[]string{`turn module node:18 on: modules: {enable: ["node:18"]} in the treefile`}},
		"another architecture": {solver.Request{Install: []string{"arm"}}, []string{"arm is asked for, but it is there for aarch64 only"}, nil},
		"a glob":               {solver.Request{Install: []string{"ol*"}}, []string{"ol* is asked for, which is old-1-1.i686", "nothing provides thing needed by old-1-1.i686"}, nil},
		"a rich dependency":    {solver.Request{Install: []string{"rich"}}, []string{"rich is asked for", "nothing provides (x or y) needed by rich-1-1.x86_64"}, nil},
		"of two reasons the shorter": {solver.Request{Install: []string{"web"}},
			[]string{"web is asked for", "nothing provides php >= 8 needed by web-1-1.x86_64; the best there is: php-7-1.x86_64 (shop)"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tc.req.Arch = "x86_64"
			tx, err := solver.Solve(t.Context(), []*repodata.Repo{world(t, "shop", shop)}, tc.req)
			var un *solver.Unsolvable
			if !errors.As(err, &un) {
				t.Fatalf("%v, %v", tx, err)
			}
			var reasons, help []string
			for _, p := range un.Problems {
				reasons, help = append(reasons, p.Reasons...), append(help, p.Help...)
			}
			if got, want := strings.Join(reasons, "\n"), strings.Join(tc.want, "\n"); got != want {
				t.Errorf("reasons:\n%s\nwant\n%s", got, want)
			}
			if got, want := strings.Join(help, "\n"), strings.Join(tc.help, "\n"); got != want {
				t.Errorf("help:\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestNotFound(t *testing.T) {
	repos := []*repodata.Repo{world(t, "shop", shop), world(t, "other", "extra-1-1.noarch")}
	for _, tc := range []struct {
		req  solver.Request
		want string
	}{
		{solver.Request{Install: []string{"contaner-selinux", "exmi", "zzzzzzzz"}}, "packages not found: contaner-selinux (did you mean container-selinux?), exmi (did you mean exim?), zzzzzzzz"},
		{solver.Request{FromRepo: []solver.FromRepo{{Repo: "other", Words: []string{"exim"}}}}, "packages not found: exim in other"},
		{solver.Request{Install: []string{"/usr/bin/absent"}}, "packages not found: /usr/bin/absent"},
		{solver.Request{Install: []string{"php >= 8"}}, "packages not found: php >= 8 (the best there is: php-7-1.x86_64 (shop))"},
		{solver.Request{Install: []string{"nosuch*"}}, "packages not found: nosuch*"},
	} {
		_, err := solver.Solve(t.Context(), repos, tc.req)
		var nf *solver.NotFound
		if !errors.As(err, &nf) || err.Error() != tc.want {
			t.Errorf("%v, want %s", err, tc.want)
		}
	}
}

// TestUnsolvableText has more than a line when there is more to tell.
func TestUnsolvableText(t *testing.T) {
	_, err := solver.Solve(t.Context(), []*repodata.Repo{world(t, "shop", shop)}, solver.Request{Install: []string{"docker", "tool"}, Arch: "x86_64"})
	want := `2 problems
  1. docker is asked for;
     nothing provides container-selinux >= 2:2.12 needed by docker-1-1.x86_64; the best there is: container-selinux-2:2.10-1.noarch (shop)
  2. tool is asked for;
     nothing provides /usr/bin/none needed by tool-1-1.x86_64`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}

// TestFiles asks for the files that words and requirements name, also rich ones, and
// for those that the packages found need in turn, each once.
func TestFiles(t *testing.T) {
	repo := world(t, "shop", `
a-1-1.noarch; requires (/opt/x if /opt/y); requires /opt/z
y-1-1.noarch
x-1-1.noarch
z-1-1.noarch; requires /opt/deep
deep-1-1.noarch
w-1-1.noarch`)
	owner := map[string]int{"/opt/y": 1, "/opt/x": 2, "/opt/z": 3, "/opt/deep": 4, "/opt/word": 5}
	asked := map[string]int{}
	tx, err := solver.Solve(t.Context(), []*repodata.Repo{repo}, solver.Request{Install: []string{"a", "y", "/opt/word"}, Arch: "x86_64",
		Files: func(_ context.Context, paths []string, found func(*repodata.Repo, int, string)) error {
			for _, p := range paths {
				asked[p]++
				found(repo, owner[p], p)
			}
			return nil
		}})
	if err != nil || len(tx.Install) != 6 {
		t.Fatalf("%+v, %v", tx, err)
	}
	for p := range owner {
		if asked[p] != 1 {
			t.Errorf("%s was asked for %d times", p, asked[p])
		}
	}
}
