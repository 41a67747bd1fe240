package selinux

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/treewright/treewright/pkg/filetree"
)

// What PCRE 10.42 refuses, and what this package has not.
func TestRefused(t *testing.T) {
	for line, want := range map[string]error{
		"/a(b u:r:t":                  ErrMalformed,
		"/a)b u:r:t":                  ErrMalformed,
		"/a[b u:r:t":                  ErrMalformed,
		"/a[] u:r:t":                  ErrMalformed,
		"/a[[:nosuch:]] u:r:t":        ErrMalformed,
		"/a[b-a] u:r:t":               ErrMalformed,
		`/a[\d-z] u:r:t`:              ErrMalformed,
		"/a** u:r:t":                  ErrMalformed,
		"*a u:r:t":                    ErrMalformed,
		"/(+a) u:r:t":                 ErrMalformed,
		"/a{3,2} u:r:t":               ErrMalformed,
		"/a{70000} u:r:t":             ErrMalformed,
		`/a\ u:r:t`:                   ErrMalformed,
		strings.Repeat("(", 300):      ErrMalformed,
		"/a":                          ErrMalformed,
		"/a -x u:r:t":                 ErrMalformed,
		"/a --- u:r:t":                ErrMalformed,
		"/ä u:r:t":                    ErrMalformed,
		"/a\xff u:r:t":                ErrMalformed,
		"/a(?=b).* u:r:t":             ErrUnsupported,
		"/a(?!b).* u:r:t":             ErrUnsupported,
		"/a(?<=b).* u:r:t":            ErrUnsupported,
		"/a(?>b).* u:r:t":             ErrUnsupported,
		"/a(?i)b u:r:t":               ErrUnsupported,
		"(*UTF)/a u:r:t":              ErrUnsupported,
		`/(a)\1 u:r:t`:                ErrUnsupported,
		`/a\b u:r:t`:                  ErrUnsupported,
		`/a\Qb\E u:r:t`:               ErrUnsupported,
		`/a[\b] u:r:t`:                ErrUnsupported,
		`/\xg u:r:t`:                  ErrUnsupported,
		"/a++ u:r:t":                  ErrUnsupported,
		"/a{,2} u:r:t":                ErrUnsupported,
		"/a$b u:r:t":                  ErrUnsupported,
		"/(a$) u:r:t":                 ErrUnsupported,
		"/a^b u:r:t":                  ErrUnsupported,
		"/a[[.b.]] u:r:t":             ErrUnsupported,
		"/((a{200}){200}){200} u:r:t": ErrUnsupported,
	} {
		c, err := ParseContexts(Texts{Contexts: []byte("# first\n" + line + "\n")})
		if c != nil || !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", line, err, want)
			continue
		}
		if !strings.HasPrefix(err.Error(), "file_contexts:2: ") {
			t.Errorf("%s: error %q does not name the place", line, err)
		}
	}
}

// Expressions that repeat nothing very often are no work.
func TestEmptyRepeats(t *testing.T) {
	regex := "/x" + strings.Repeat("(", 20) + "a{0}" + strings.Repeat("){60000}", 20) + strings.Repeat("(", 20) + "b{0}" + strings.Repeat("){0,60000}", 20)
	c, err := ParseContexts(Texts{Contexts: []byte(regex + " u:r:t")})
	if err != nil {
		t.Fatal(err)
	}
	if l, ok := c.Label("/x", 0); !ok || l != "u:r:t" {
		t.Errorf("label of /x is %q", l)
	}
}

func policyFS(etc string) fstest.MapFS {
	return fstest.MapFS{
		etc + "/selinux/config":                                      {Data: []byte("# x\nSELINUX=Permissive\nSELINUXTYPE=tiny \n")},
		etc + "/selinux/tiny/contexts/files/file_contexts":           {Data: []byte("/.* u:r:default\n/usr(/.*)? u:r:usr\n/usr/etc(/.*)? u:r:usretc\n/etc(/.*)? u:r:etc\n/sock -s u:r:sock\n")},
		etc + "/selinux/tiny/contexts/files/file_contexts.local":     {Data: []byte("/none <<none>>\n")},
		etc + "/selinux/tiny/contexts/files/file_contexts.subs_dist": {Data: []byte("/lib /usr\n")},
		etc + "/selinux/tiny/policy/policy.9":                        {Data: []byte("old")},
		etc + "/selinux/tiny/policy/policy.31":                       {Data: []byte("new")},
	}
}

func TestLoad(t *testing.T) {
	for _, etc := range []string{"etc", "usr/etc"} {
		p, err := Load(policyFS(etc))
		if err != nil {
			t.Fatal(err)
		}
		// printf new | sha256sum
		if p.Name != "tiny" || p.Checksum != "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437" {
			t.Errorf("%s: name %q, checksum %s", etc, p.Name, p.Checksum)
		}
		if l, ok := p.Label("/lib/x", 0o100644); !ok || l != "u:r:usr" {
			t.Errorf("%s: label of /lib/x is %q", etc, l)
		}
		if l, ok := p.Label("/none", 0o100644); ok {
			t.Errorf("%s: /none has the label %q", etc, l)
		}
	}
}

// TestLabelTree labels a file by each of its names.
func TestLabelTree(t *testing.T) {
	p, err := Load(policyFS("etc"))
	if err != nil {
		t.Fatal(err)
	}
	tree := func() *filetree.Node {
		root := filetree.NewDir(0o755)
		file := filetree.Bytes([]byte("x"), 0o644)
		file.SetXattr(Xattr, []byte("old"))
		file.SetXattr("user.x", []byte("kept"))
		for at, n := range map[string]*filetree.Node{"usr/a": file, "etc/b": {Link: file}, "usr/etc/c": filetree.NewSymlink("x"), "none": filetree.Bytes([]byte("y"), 0o644)} {
			if err := root.Put(at, n); err != nil {
				t.Fatal(err)
			}
		}
		root.Child("none").SetXattr(Xattr, []byte("old"))
		return root
	}
	for _, usrEtc := range []bool{false, true} {
		root := tree()
		if err := p.LabelTree(root, TreeOptions{UsrEtc: usrEtc}); err != nil {
			t.Fatal(err)
		}
		etc := "u:r:usretc\x00"
		if usrEtc {
			etc = "u:r:etc\x00"
		}
		for at, want := range map[string]string{"": "u:r:default\x00", "usr": "u:r:usr\x00", "usr/a": "u:r:usr\x00", "etc/b": "u:r:etc\x00", "usr/etc/c": etc, "usr/etc": etc, "none": ""} {
			if v, _ := root.Lookup(at).Xattr(Xattr); string(v) != want {
				t.Errorf("/usr/etc as /etc %t: /%s has %q, want %q", usrEtc, at, v, want)
			}
		}
		if v, _ := root.Lookup("usr/a").Xattr("user.x"); string(v) != "kept" {
			t.Errorf("another attribute is %q", v)
		}
	}
	p.Contexts, err = ParseContexts(Texts{Contexts: []byte("/ u:r:root\n/usr(/.*)? u:r:usr\n")})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.LabelTree(tree(), TreeOptions{}); !errors.Is(err, ErrUnlabelled) || !strings.HasPrefix(err.Error(), "/etc: ") {
		t.Errorf("a file that nothing matches: %v", err)
	}
}

func TestLoadErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(fstest.MapFS)
		want   error
		text   string
	}{
		"nothing":     {func(m fstest.MapFS) { clear(m) }, ErrNoPolicy, "there is no etc/selinux/config"},
		"disabled":    {func(m fstest.MapFS) { m["etc/selinux/config"].Data = []byte("SELINUX=disabled\nSELINUXTYPE=tiny\n") }, ErrNoPolicy, "neither"},
		"no type":     {func(m fstest.MapFS) { m["etc/selinux/config"].Data = []byte("SELINUX=enforcing\n") }, ErrMalformed, "SELINUXTYPE"},
		"outside":     {func(m fstest.MapFS) { m["etc/selinux/config"].Data = []byte("SELINUX=enforcing\nSELINUXTYPE=../..\n") }, ErrMalformed, "SELINUXTYPE"},
		"no contexts": {func(m fstest.MapFS) { delete(m, "etc/selinux/tiny/contexts/files/file_contexts") }, fs.ErrNotExist, "policy tiny: open etc/selinux/tiny/contexts/files/file_contexts"},
		"no policy": {func(m fstest.MapFS) {
			delete(m, "etc/selinux/tiny/policy/policy.9")
			delete(m, "etc/selinux/tiny/policy/policy.31")
			m["etc/selinux/tiny/policy/policy.kern"] = &fstest.MapFile{}
		}, ErrMalformed, "no etc/selinux/tiny/policy/policy.NN"},
		"no root": {func(m fstest.MapFS) {
			m["etc/selinux/tiny/contexts/files/file_contexts"].Data = []byte("/a u:r:t\n")
		}, ErrMalformed, "no context for /"},
	} {
		t.Run(name, func(t *testing.T) {
			m := policyFS("etc")
			tc.change(m)
			if _, err := Load(m); !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("error %v, want %v with %q", err, tc.want, tc.text)
			}
		})
	}
}

// TestForgetting walks with so little memory that nodes are forgotten at every step,
// from several goroutines: the answers stay the same.
func TestForgetting(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		x := newRandomPolicy(r)
		c, err := ParseContexts(x)
		if err != nil {
			t.Fatal(err)
		}
		queries := randomQueries(r, x)
		want := make([]string, len(queries))
		for i, q := range queries {
			want[i], _ = c.Label(q.path, q.mode)
		}
		if c, err = ParseContexts(x); err != nil {
			t.Fatal(err)
		}
		c.auto.limit = 1
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for i, q := range queries {
					if got, _ := c.Label(q.path, q.mode); got != want[i] {
						t.Errorf("%q: %q, before it was %q", q.path, got, want[i])
					}
				}
			})
		}
		wg.Wait()
		if len(c.auto.nodes) > 6 {
			t.Fatalf("%d nodes are kept", len(c.auto.nodes))
		}
	}
}

// FuzzContexts compares the automaton with one walk a specification.
func FuzzContexts(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		x := newRandomPolicy(r)
		f.Add(string(x.Contexts), string(x.Subs), randomQueries(r, x)[0].path)
	}
	f.Add("/usr/(.*/)?lib(/.*)?\t--\tsystem_u:object_r:lib_t:s0\n", "/lib /usr/lib\n", "/lib/x.so")
	f.Fuzz(func(t *testing.T, contexts, subs, path string) {
		if len(contexts) > 2000 || len(path) > 500 {
			return
		}
		c, err := ParseContexts(Texts{Contexts: []byte(contexts), Subs: []byte(subs)})
		if err != nil {
			if c != nil || !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("ParseContexts = %v, %v", c, err)
			}
			return
		}
		if len(c.auto.p.states) > 5000 {
			return
		}
		for _, mode := range []uint32{0, 0o100644, 0o120777} {
			got := c.auto.match(path, mode&typeMask)
			if want := slowMatch(c.auto, path, mode&typeMask); got != want {
				t.Errorf("%q, mode %o: specification %d wins, want %d", path, mode, got, want)
			}
			c.Label(path, mode)
		}
	})
}

// slowMatch asks each specification, the last one first.
func slowMatch(a *automaton, path string, typ uint32) int32 {
	for rank := int32(len(a.starts)) - 1; rank >= 0; rank-- {
		if t := a.types[rank]; typ != 0 && t != 0 && t != typ {
			continue
		}
		if walk(a.p, a.starts[rank], path) || strings.HasSuffix(path, "\n") && walk(a.p, a.starts[rank], path[:len(path)-1]) {
			return rank
		}
	}
	return -1
}

func walk(p *program, at int32, text string) bool {
	var w threads
	w.start(p)
	w.add(p, at)
	for i := 0; i < len(text); i++ {
		from := append([]int32(nil), w.list...)
		w.start(p)
		for _, n := range from {
			if s := &p.states[n]; s.takes(p, text[i]) {
				w.add(p, s.out)
			}
		}
	}
	for _, n := range w.list {
		if p.states[n].op == opMatch {
			return true
		}
	}
	return false
}

// BenchmarkLabel labels 100,000 paths by Debian's policy, which it reads first.
func BenchmarkLabel(b *testing.B) {
	x := debianTexts(b)
	paths := make([]string, 100_000)
	dirs := []string{"/usr/bin/", "/usr/lib/x86_64-linux-gnu/", "/usr/share/doc/p%d/", "/usr/share/locale/%d/LC_MESSAGES/", "/etc/", "/var/lib/%d/", "/usr/lib/python3/dist-packages/p%d/", "/usr/lib/modules/6.1.0/kernel/drivers/d%d/"}
	for i := range paths {
		dir := dirs[i%len(dirs)]
		if strings.Contains(dir, "%") {
			dir = fmt.Sprintf(dir, i%1000)
		}
		paths[i] = fmt.Sprintf("%sname-%d.so.%d", dir, i*7919, i%10)
	}
	b.ReportAllocs()
	for b.Loop() {
		c, err := ParseContexts(x)
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range paths {
			c.Label(p, 0o100644)
		}
		b.ReportMetric(float64(len(c.auto.nodes)), "nodes")
		b.ReportMetric(float64(c.auto.memory)/1e6, "MB-nodes")
		b.ReportMetric(float64(len(c.auto.p.states)), "states")
	}
}
