package nevra_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/treewright/treewright/pkg/nevra"
)

// TestCompareVersion runs the pairs with rpm's own answers; testdata/README.md says
// where they are from.
func TestCompareVersion(t *testing.T) {
	f, err := os.Open("testdata/vercmp.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var pairs []struct {
		A, B   string
		Expect int
	}
	if err := json.NewDecoder(z).Decode(&pairs); err != nil {
		t.Fatal(err)
	}
	if len(pairs) != 4489 {
		t.Fatalf("%d pairs, want 4489", len(pairs))
	}
	for _, p := range pairs {
		if got := nevra.CompareVersion(p.A, p.B); got != p.Expect {
			t.Errorf("CompareVersion(%q, %q) = %d, want %d", p.A, p.B, got, p.Expect)
		}
	}
}

// The wanted orders are rpm 4.18's: rpm --eval "%{lua:print(rpm.vercmp('1.0~rc1', '1.0'))}"
func TestCompare(t *testing.T) {
	for name, tc := range map[string]struct {
		a, b string
		want int
	}{
		"tilde before release":       {"1.0~rc1", "1.0", -1},
		"caret behind release":       {"1.0^git1", "1.0", 1},
		"caret before next release":  {"1.0^git1", "1.0.1", -1},
		"tilde in a caret":           {"1.0~rc1", "1.0~rc1^git1", -1},
		"caret with tilde":           {"1.0^git1~pre", "1.0^git1", -1},
		"epoch beats version":        {"1:1.0", "2.0", 1},
		"epoch 0 is none":            {"0:1.0-1", "1.0-1", 0},
		"release":                    {"1.0-1", "1.0-2", -1},
		"release not told":           {"1.0", "1.0-2", 0},
		"leading zeros":              {"1.05", "1.5", 0},
		"letters below digits":       {"1.a", "1.1", -1},
		"longer is higher":           {"2.0.1a", "2.0.1", 1},
		"upper case first":           {"A", "a", -1},
		"separators do not matter":   {"1.fc4", "1.fc.4", 0},
		"a number larger than int64": {"99999999999999999999", "100000000000000000000", -1},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := mustEVR(t, tc.a), mustEVR(t, tc.b)
			if got := nevra.Compare(a, b); got != tc.want {
				t.Errorf("Compare(%s, %s) = %d, want %d", tc.a, tc.b, got, tc.want)
			}
			if got := nevra.Compare(b, a); got != -tc.want {
				t.Errorf("Compare(%s, %s) = %d, want %d: not antisymmetric", tc.b, tc.a, got, -tc.want)
			}
		})
	}
}

func mustEVR(t *testing.T, s string) nevra.EVR {
	t.Helper()
	v, err := nevra.ParseEVR(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestParseNEVRA(t *testing.T) {
	for s, want := range map[string]nevra.NEVRA{
		"bash-5.2-1.x86_64":                  {Name: "bash", EVR: nevra.EVR{Version: "5.2", Release: "1"}, Arch: "x86_64"},
		"docker-ce-cli-1:20.10.7-3.el8.i686": {Name: "docker-ce-cli", EVR: nevra.EVR{Epoch: "1", Version: "20.10.7", Release: "3.el8"}, Arch: "i686"},
	} {
		got, err := nevra.ParseNEVRA(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("ParseNEVRA(%s) = %+v, %v, prints %s", s, got, err, got)
		}
	}
	for _, s := range []string{"", "bash", "bash-5.2", "bash-5.2.x86_64", "-1-1.noarch", "a-x:1-1.noarch"} {
		if got, err := nevra.ParseNEVRA(s); !errors.Is(err, nevra.ErrMalformed) {
			t.Errorf("ParseNEVRA(%q) = %+v, %v, want ErrMalformed", s, got, err)
		}
	}
}

// The answers are rpm's rpmdsCompare: python3 -c "import rpm; print(rpm.ds(('a', …), 'P').Compare(…))"
func TestMatches(t *testing.T) {
	for _, tc := range []struct {
		require, provide string
		want             bool
	}{
		{"a", "a = 1-1", true}, {"a >= 2", "a", true}, {"a >= 2", "a = 1-1", false}, {"a >= 2", "a = 2-1", true},
		{"a = 1.2", "a = 1.2-3", true}, {"a > 1.2", "a = 1.2-3", false}, {"a < 1.2", "a = 1.2-3", false},
		{"a = 1.2-3", "a = 1.2", true}, {"a < 2", "a < 5", true}, {"a > 2", "a < 2", false}, {"a >= 2", "a <= 2", true},
		{"a > 2", "a < 3", true}, {"a = 1:1", "a = 1", false}, {"a < 1:1", "a = 9", true},
	} {
		r, err := nevra.ParseRelation(tc.require)
		if err != nil {
			t.Fatal(err)
		}
		p, err := nevra.ParseRelation(tc.provide)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Matches(p); got != tc.want {
			t.Errorf("%q matches %q = %v, want %v", tc.require, tc.provide, got, tc.want)
		}
		if r.String() != tc.require {
			t.Errorf("%q prints as %q", tc.require, r)
		}
	}
}

func TestParseRich(t *testing.T) {
	for _, s := range []string{
		"(a or b)", "(a and b and c)", "(a if b)", "(a >= 2 if (b or c) else d)", "(a with b < 3)",
		"(libc.so.6(GLIBC_2.4)(64bit) or musl)", "(a unless (b and c))", "(a without b)",
	} {
		r, err := nevra.ParseRich(s)
		if err != nil || r.String() != s {
			t.Errorf("ParseRich(%s) = %v, %v", s, r, err)
		}
	}
	for _, s := range []string{"a", "(a", "(a or)", "(a b)", "(a or b and c)", "(a if b if c)", "(a else b)", "(a or b) c", "()", "(a >= )"} {
		if r, err := nevra.ParseRich(s); !errors.Is(err, nevra.ErrMalformed) {
			t.Errorf("ParseRich(%s) = %v, %v, want ErrMalformed", s, r, err)
		}
	}
}

func FuzzParseRich(f *testing.F) {
	for _, s := range []string{"(a or b)", "(a >= 2 if (b or c) else d)", "(libc.so.6(GLIBC_2.4)(64bit) or musl)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := nevra.ParseRich(s)
		if err != nil {
			if !errors.Is(err, nevra.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if r.Op == "" {
			return // parentheses around one name are not kept
		}
		again, err := nevra.ParseRich(r.String())
		if err != nil || again.String() != r.String() {
			t.Fatalf("%q prints as %q, which reads as %v, %v", s, r, again, err)
		}
	})
}
