package solver

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
)

// testcase is one block of jobs of a file in libsolv's test case format: what is
// asked, and what libsolv answers.
type testcase struct {
	repos    []*repodata.Repo
	arch     string // empty: any
	weak     bool
	jobs     [][]string
	install  []string // wanted, sorted: NAME-EVR.ARCH@REPO
	problems []string // wanted, one a problem
	skip     string   // why it is not about composes
}

// readCases reads a .t file.
func readCases(t *testing.T, file string) (out []*testcase) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	cur := &testcase{weak: true}
	data := func(i int, name string) io.Reader {
		if name != "<inline>" {
			return openData(t, filepath.Join(filepath.Dir(file), name))
		}
		var b strings.Builder
		for _, l := range lines[i+1:] {
			rest, ok := strings.CutPrefix(l, "#>")
			if !ok {
				break
			}
			b.WriteString(rest + "\n")
		}
		return strings.NewReader(b.String())
	}
	for i, line := range lines {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		switch f[0] {
		case "repo":
			cur.addRepo(t, f, func(name string) io.Reader { return data(i, name) })
		case "system":
			cur.system(f[1:])
		case "solverflags":
			cur.flags(f[1:])
		case "poolflags":
			if !slices.Equal(f[1:], []string{"implicitobsoleteusescolors"}) {
				cur.skipped("pool flags " + strings.Join(f[1:], " "))
			}
		case "job":
			cur.jobs = append(cur.jobs, f[1:])
		case "result":
			cur.result(f[1], data(i, f[2]))
		case "nextjob":
			out = append(out, cur)
			cur = &testcase{repos: cur.repos, arch: cur.arch, weak: cur.weak, skip: cur.skip}
		case "feature":
		default:
			cur.skipped(f[0])
		}
	}
	return append(out, cur)
}

func (c *testcase) skipped(why string) {
	if c.skip == "" {
		c.skip = why
	}
}

func openData(t *testing.T, name string) io.Reader {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(name, ".gz") {
		return bytes.NewReader(b)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// system takes the architecture and, if there is one, the repository of what is
// installed, which must be empty.
func (c *testcase) system(f []string) {
	switch c.arch = f[0]; c.arch {
	case "i686", "i586":
		c.arch = "i386"
	case "unset", "-":
		c.arch = ""
	}
	if len(f) > 1 && f[1] == "deb" {
		c.skipped("Debian's rules")
	}
	if len(f) < 3 {
		return
	}
	c.repos = slices.DeleteFunc(slices.Clone(c.repos), func(r *repodata.Repo) bool {
		if r.ID == f[2] && len(r.Packages) > 0 {
			c.skipped("packages are installed; composes begin with none")
		}
		return r.ID == f[2]
	})
}

func (c *testcase) flags(list []string) {
	for _, f := range list {
		switch f {
		case "ignorerecommended":
			c.weak = false
		case "allowuninstall", "allowdowngrade", "allowvendorchange", "keepexplicitobsoletes", "bestobeypolicy", "addalreadyrecommended", "strongrecommends", "yumobsoletes", "keeporphans":
			// nothing to do with a new root, or what we do
		default:
			c.skipped("solver flag " + f)
		}
	}
}

// result takes the wanted lines, if they are of the kinds that a solve answers.
func (c *testcase) result(kinds string, r io.Reader) {
	if !slices.Contains(strings.Split(kinds, ","), "transaction") {
		c.skipped("result " + kinds)
		return
	}
	s := bufio.NewScanner(r)
	for s.Scan() {
		f := strings.SplitN(s.Text(), " ", 4)
		switch {
		case f[0] == "install":
			c.install = append(c.install, f[1])
		case f[0] == "problem" && f[2] == "info":
			c.problems = append(c.problems, f[3])
		}
	}
	slices.Sort(c.install)
}

// addRepo reads "repo NAME PRIORITY TYPE FILE". A higher number is a better
// repository in libsolv, a worse one in dnf.
func (c *testcase) addRepo(t *testing.T, f []string, open func(string) io.Reader) {
	prio, _, _ := strings.Cut(f[2], ".")
	n, err := strconv.Atoi(prio)
	if err != nil {
		t.Fatal(err)
	}
	r := &repodata.Repo{ID: f[1], Priority: -n}
	switch f[3] {
	case "testtags":
		r.Packages = readTags(t, open(f[4]))
		for _, p := range r.Packages {
			p.Repo = r
		}
	case "empty":
	default:
		c.skipped("repository of kind " + f[3])
	}
	c.repos = append(c.repos, r)
}

// readTags reads packages in the testtags format.
func readTags(t *testing.T, r io.Reader) (out []*repodata.Package) {
	t.Helper()
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	var cur *repodata.Package
	block := ""
	for s.Scan() {
		line := s.Text()
		if block != "" {
			if line == "-"+block+":" {
				block = ""
			} else {
				addTag(t, cur, block, line)
			}
			continue
		}
		if tag, ok := strings.CutPrefix(line, "+"); ok {
			block = strings.TrimSuffix(tag, ":")
			continue
		}
		tag, value, ok := strings.Cut(strings.TrimPrefix(line, "="), ":")
		value = strings.TrimSpace(value)
		switch {
		case !ok:
		case tag == "Pkg":
			cur = newTagged(t, value)
			out = append(out, cur)
		case cur != nil:
			addTag(t, cur, tag, value)
		}
	}
	return out
}

// newTagged begins a package: "NAME VERSION RELEASE ARCH".
func newTagged(t *testing.T, value string) *repodata.Package {
	t.Helper()
	f := strings.Fields(value)
	if len(f) == 3 { // a package without an architecture
		f = append(f, "noarch")
	}
	if len(f) != 4 {
		t.Fatalf("package %q", value)
	}
	text := f[1]
	if f[2] != "-" {
		text += "-" + f[2]
	}
	return &repodata.Package{NEVRA: nevra.NEVRA{Name: unescape(f[0]), EVR: mustEVR(t, text), Arch: f[3]}}
}

func mustEVR(t *testing.T, s string) nevra.EVR {
	t.Helper()
	e, err := nevra.ParseEVR(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// unescape undoes \xx.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func addTag(t *testing.T, p *repodata.Package, tag, value string) {
	t.Helper()
	lists := map[string]*[]nevra.Relation{
		"Req": &p.Requires, "Prq": &p.Requires, "Prv": &p.Provides, "Con": &p.Conflicts, "Obs": &p.Obsoletes,
		"Rec": &p.Recommends, "Sug": &p.Suggests, "Sup": &p.Supplements, "Enh": &p.Enhances,
	}
	if tag == "Fls" {
		p.Files = append(p.Files, repodata.File{Path: value})
		return
	}
	if list, ok := lists[tag]; ok {
		if tag == "Prv" && strings.HasPrefix(value, "/") {
			p.Files = append(p.Files, repodata.File{Path: value})
			return
		}
		*list = append(*list, tagRelation(t, value))
	}
}

// tagOperators are those of rich dependencies, with rpm's words.
var tagOperators = map[string]string{
	"&": "and", "|": "or", "<IF>": "if", "<ELSE>": "else", "<UNLESS>": "unless", "<WITH>": "with", "<WITHOUT>": "without", "+": "with", "-": "without",
}

// tagRelation turns a dependency of testtags into one of RPM's.
func tagRelation(t *testing.T, s string) nevra.Relation {
	t.Helper()
	f := strings.Fields(s)
	rich := false
	for i, w := range f {
		if op, ok := tagOperators[w]; ok {
			f[i], rich = op, true
			continue
		}
		f[i] = unescape(w)
	}
	text := strings.Join(f, " ")
	if !rich {
		r, err := nevra.ParseRelation(text)
		if err != nil {
			t.Fatalf("relation %q: %v", s, err)
		}
		return r
	}
	// rpm wants the else part beside the if, not in parentheses of its own.
	if i := strings.Index(text, " if ("); i >= 0 && strings.Contains(text, " else ") && strings.HasSuffix(text, ")") {
		text = text[:i+4] + strings.TrimSuffix(text[i+5:], ")")
	}
	return nevra.Relation{Name: "(" + text + ")"}
}

// TestCases asks what libsolv's own test cases ask. Those that are about packages
// that are installed already, or about results that a compose does not have, are
// listed with the reason.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*/*/*.t")
	if err != nil || len(files) < 70 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	ran, skipped := 0, map[string]int{}
	for _, file := range files {
		name := strings.TrimPrefix(file, "testdata/cases/")
		for i, c := range readCases(t, file) {
			if why := c.run(t, fmt.Sprintf("%s#%d", name, i+1)); why != "" {
				skipped[why]++
				t.Logf("%s#%d is not about a compose: %s", name, i+1, why)
				continue
			}
			ran++
		}
	}
	t.Logf("%d cases ran; not about a compose: %v", ran, skipped)
	if ran < 26 {
		t.Errorf("only %d cases ran", ran)
	}
}

// run solves and compares; it returns why the case is not about a compose.
func (c *testcase) run(t *testing.T, name string) (skip string) {
	if c.skip != "" {
		return c.skip
	}
	if c.install == nil && c.problems == nil {
		return "no result of a solve"
	}
	req := &Request{Arch: c.arch, Weak: c.weak}
	for _, j := range c.jobs {
		if j[0] == "lock" && j[1] == "pkg" {
			id, _, _ := strings.Cut(j[2], "@")
			req.Exclude = append(req.Exclude, id)
		}
	}
	p := newPool(c.repos, req)
	var jobs []job
	for _, j := range c.jobs {
		if j[0] == "lock" && j[1] == "pkg" {
			continue
		}
		if j[0] != "install" {
			return "job " + j[0]
		}
		ids, ok := p.caseJob(t, j[1], j[2:])
		if !ok {
			return "job install " + j[1]
		}
		if strings.HasSuffix(j[len(j)-1], "weak]") && len(ids) == 0 {
			continue
		}
		jobs = append(jobs, job{strings.Join(j[2:], " "), ids})
	}
	s := newSearch(p, newRules(p, jobs, req.Weak), req.Weak)
	err := s.run(t.Context())
	c.compare(t, name, s, err)
	return ""
}

func (c *testcase) compare(t *testing.T, name string, s *search, err error) {
	t.Helper()
	var unsolvable *Unsolvable
	switch {
	case err != nil && !errors.As(err, &unsolvable):
		t.Errorf("%s: %v", name, err)
	case c.problems != nil:
		if err == nil {
			t.Errorf("%s: solved, want %q", name, c.problems)
		}
		for _, want := range c.problems {
			if err != nil && !strings.Contains(err.Error(), strings.TrimPrefix(want, "package ")) {
				t.Logf("%s: %v; libsolv says: %s", name, err, want)
			}
		}
	case err != nil:
		t.Errorf("%s: %v, want a solution", name, err)
	default:
		var got []string
		for _, id := range s.installed() {
			k := s.pool.pkg(id)
			got = append(got, k.NEVRA.String()+"@"+k.Repo.ID)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.install) {
			t.Errorf("%s: too many %v, missing %v", name, without(got, c.install), without(c.install, got))
		}
	}
}

func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// caseJob lists the packages that a job names.
func (p *pool) caseJob(t *testing.T, what string, words []string) (ids []int, ok bool) {
	t.Helper()
	if last := words[len(words)-1]; strings.HasPrefix(last, "[") {
		words = words[:len(words)-1]
	}
	text := strings.Join(words, " ")
	switch what {
	case "name":
		r := tagRelation(t, text)
		for _, id := range p.named(r.Name) {
			k := p.pkg(id)
			if r.Matches(nevra.Relation{Name: r.Name, Flags: nevra.EQ, EVR: k.NEVRA.EVR}) {
				ids = append(ids, id)
			}
		}
	case "provides":
		ids = p.providers(tagRelation(t, text))
	case "pkg", "oneof":
		for id := 1; id < len(p.made); id++ {
			k := p.pkg(id)
			if p.visible[id] && slices.Contains(words, k.NEVRA.String()+"@"+k.Repo.ID) {
				ids = append(ids, id)
			}
		}
	default:
		return nil, false
	}
	return ids, true
}
