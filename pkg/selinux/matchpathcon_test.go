package selinux

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/treewright/treewright/pkg/fixture"
)

var (
	randomCases = flag.Int("cases", 150, "random policies to compare with matchpathcon")
	firstCase   = flag.Uint64("first-case", 1, "seed of the first one")
)

// debianPolicy is where package selinux-policy-default has its policy.
const debianPolicy = "/etc/selinux/default/contexts/files"

// query is a question to matchpathcon.
type query struct {
	path string
	mode uint32
}

var modeNames = map[uint32]string{
	0o100000: "file", 0o040000: "dir", 0o120000: "lnk_file", 0o020000: "chr_file", 0o060000: "blk_file",
	0o010000: "pipe", 0o140000: "sock_file",
}

// askMatchpathcon returns libselinux's answers; an empty string is no label.
func askMatchpathcon(t testing.TB, contexts string, queries []query) (map[query]string, error) {
	t.Helper()
	program := fixture.Tool(t, "matchpathcon")
	byMode := map[uint32][]string{}
	for _, q := range queries {
		byMode[q.mode] = append(byMode[q.mode], q.path)
	}
	answers := map[query]string{}
	for mode, paths := range byMode {
		for len(paths) > 0 {
			n, size := 0, 0
			for n < len(paths) && size < 1<<20 {
				size += len(paths[n]) + 9
				n++
			}
			args := append([]string{"-n", "-m", modeNames[mode], "-f", contexts, "--"}, paths[:n]...)
			var stderr bytes.Buffer
			cmd := exec.Command(program, args...)
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
			if err != nil || len(lines) != n {
				return nil, fmt.Errorf("matchpathcon: %v, %d answers to %d questions\n%s", err, len(lines), n, stderr.String())
			}
			for i, l := range lines {
				if l == none {
					l = ""
				}
				answers[query{paths[i], mode}] = l
			}
			paths = paths[n:]
		}
	}
	return answers, nil
}

// writeTexts writes a policy's files and returns the path of file_contexts. The
// compiled ones are not there, so that libselinux reads the same text.
func writeTexts(t testing.TB, x Texts) string {
	t.Helper()
	base := filepath.Join(t.TempDir(), "file_contexts")
	for suffix, b := range map[string][]byte{"": x.Contexts, ".homedirs": x.Homedirs, ".local": x.Local, ".subs_dist": x.SubsDist, ".subs": x.Subs} {
		if b != nil {
			if err := os.WriteFile(base+suffix, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return base
}

// debianTexts reads the policy that Debian has; more is ours, to have every file.
func debianTexts(t testing.TB) Texts {
	t.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(debianPolicy, name))
		if err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%v: `make peers` installs it", err)
			}
			t.Skipf("%v: `make peers` installs it", err)
		}
		return b
	}
	return Texts{Contexts: read("file_contexts"), Homedirs: read("file_contexts.homedirs"), SubsDist: read("file_contexts.subs_dist")}
}

func compare(t *testing.T, x Texts, queries []query) {
	t.Helper()
	c, err := ParseContexts(x)
	if err != nil {
		t.Fatal(err)
	}
	want, err := askMatchpathcon(t, writeTexts(t, x), queries)
	if err != nil {
		t.Fatal(err)
	}
	labels, bad := map[string]int{}, 0
	for q, w := range want {
		got, _ := c.Label(q.path, q.mode)
		labels[w]++
		if got != w {
			if bad++; bad <= 20 {
				t.Errorf("%s %q: %q, matchpathcon has %q", modeNames[q.mode], q.path, got, w)
			}
		}
	}
	t.Logf("%d paths, %d labels, %d different", len(want), len(labels), bad)
}

// TestThisSystem labels all paths of this machine as Debian's policy does.
func TestThisSystem(t *testing.T) {
	t.Parallel()
	x := debianTexts(t)
	x.Local = []byte("/usr/share/doc(/.*)?\t--\tsystem_u:object_r:local_t:s0\n/usr/bin/env\t<<none>>\n")
	x.Subs = []byte("/usr/share/perl5 /usr/lib/python3\n/srv/a /\n")
	limit := 20000
	if testing.Short() {
		limit = 4000
	}
	var queries []query
	for _, top := range []string{"/etc", "/usr/bin", "/usr/lib", "/usr/sbin", "/var", "/dev", "/usr/share", "/usr/include"} {
		filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || len(queries) >= limit {
				return fs.SkipDir
			}
			var st syscall.Stat_t
			if syscall.Lstat(path, &st) == nil {
				queries = append(queries, query{path, st.Mode & typeMask})
			}
			return nil
		})
	}
	compare(t, x, queries)
}

// TestMadeUpPaths asks for texts that the expressions of Debian's policy match, and
// for texts that are nearly so.
func TestMadeUpPaths(t *testing.T) {
	t.Parallel()
	x := debianTexts(t)
	x.Subs = []byte("/usr/share/perl5 /usr/lib/python3\n/srv/a /\n")
	r := rand.New(rand.NewPCG(1, 2))
	var queries []query
	every := 1
	if testing.Short() {
		every = 10
	}
	for _, text := range [][]byte{x.Contexts, x.Homedirs} {
		for i, line := range strings.Split(string(text), "\n") {
			s, ok, err := parseSpec(line)
			if err != nil {
				t.Fatal(err)
			}
			if !ok || i%every != 0 {
				continue
			}
			for range 2 {
				p := madeUp(r, s.regex)
				mode := s.typ
				if mode == 0 || r.IntN(4) == 0 {
					mode = randomMode(r)
				}
				queries = append(queries, query{p, mode})
			}
		}
	}
	for _, p := range []string{"/", "/usr", "/nosuch", "//usr//bin///env", "/usr/bin\n", "/etc/passwd\n", "/home", "/root", "/lib64/x", "/var/run", "/srv/a", "/srv/a/b", "/srv/ab", "/\xff\xfe/\x80", "/usr/lib/\xff.so"} {
		for mode := range modeNames {
			queries = append(queries, query{p, mode})
		}
	}
	compare(t, x, queries)
}

func randomMode(r *rand.Rand) uint32 {
	all := []uint32{0o100000, 0o040000, 0o120000, 0o020000, 0o060000, 0o010000, 0o140000}
	return all[r.IntN(len(all))]
}

// madeUp returns a path that regex matches, or one that is changed in one byte.
func madeUp(r *rand.Rand, regex string) string {
	e, err := parseAnchored(regex)
	if err != nil {
		return regex
	}
	b := []byte(sample(r, e))
	if len(b) == 0 || b[0] != '/' {
		b = append([]byte("/"), b...)
	}
	if len(b) > 1 && r.IntN(4) == 0 {
		b[1+r.IntN(len(b)-1)] = "ax/.-\n\xff"[r.IntN(7)]
	}
	if len(b) > 1 {
		b = bytes.TrimRight(b, "/") // matchpathcon itself takes one away
	}
	if len(b) == 0 {
		return "/"
	}
	return string(b)
}

// sample returns a text that e matches.
func sample(r *rand.Rand, e expr) string {
	var b strings.Builder
	switch e := e.(type) {
	case exprSet:
		s := byteSet(e)
		for range 20 {
			if c := "abcxyz019/._-AZ"[r.IntN(15)]; s.has(c) {
				return string(c)
			}
		}
		for c := 1; c < 256; c++ {
			if s.has(byte(c)) {
				return string([]byte{byte(c)})
			}
		}
	case exprCat:
		for _, x := range e {
			b.WriteString(sample(r, x))
		}
	case exprAlt:
		return sample(r, e[r.IntN(len(e))])
	case exprRepeat:
		n := e.max
		if n < 0 || n > e.min+4 {
			n = e.min + 4
		}
		for range e.min + r.IntN(n-e.min+1) {
			b.WriteString(sample(r, e.of))
		}
	}
	return b.String()
}
