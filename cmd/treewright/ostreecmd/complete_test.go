package ostreecmd_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/treewright/treewright/cmd/treewright/ostreecmd"
)

func TestComplete(t *testing.T) {
	for line, tc := range map[string]struct{ has, hasNot []string }{
		"":                   {[]string{"commit", "remote", "--version"}, []string{"--repo"}},
		"--repo repo":        {[]string{"commit", "pull-local"}, nil},
		"commit":             {[]string{"--branch", "--selinux-policy", "--repo"}, []string{"commit", "--disable-fsync"}},
		"--repo=x commit -b": {[]string{"--tree"}, nil},
		"remote":             {[]string{"add", "list"}, []string{"commit"}},
		"remote add":         {[]string{"--gpg-import"}, []string{"list"}},
		"nosuch":             {nil, []string{"commit", ""}},
	} {
		var out bytes.Buffer
		if err := ostreecmd.Complete(&out, strings.Fields(line)); err != nil {
			t.Fatal(err)
		}
		got := strings.Fields(out.String())
		for _, w := range tc.has {
			if !slices.Contains(got, w) {
				t.Errorf("%q: %s is missing in %q", line, w, got)
			}
		}
		for _, w := range tc.hasNot {
			if slices.Contains(got, w) {
				t.Errorf("%q: %s is in %q", line, w, got)
			}
		}
	}
}
