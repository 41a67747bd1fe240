package digest_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/digest"
)

// The sum is sha256sum's of "abc".
const abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

func TestParse(t *testing.T) {
	d, err := digest.Parse(abc)
	if err != nil || d != digest.Sum([]byte("abc")) || d.String() != abc {
		t.Errorf("Parse = %v, %v", d, err)
	}
	for _, s := range []string{"", "abc", "sha256:", "sha256:zz", "sha999:00", "md5:" + strings.Repeat("0", 31)} {
		if d, err := digest.Parse(s); err == nil {
			t.Errorf("Parse(%q) = %v", s, d)
		}
	}
}

func TestReader(t *testing.T) {
	d := digest.Sum([]byte("abc"))
	for name, tc := range map[string]struct {
		body string
		size int64
		ok   bool
	}{
		"right": {"abc", 3, true}, "no size": {"abc", -1, true}, "other content": {"abd", 3, false}, "longer": {"abcd", 3, false},
		"shorter": {"ab", 3, false}, "empty": {"", 3, false},
	} {
		got, err := io.ReadAll(digest.NewReader(strings.NewReader(tc.body), d, tc.size))
		if tc.ok && (err != nil || string(got) != tc.body) || !tc.ok && !errors.Is(err, digest.ErrMismatch) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
