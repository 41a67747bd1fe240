package main

import (
	"testing"

	"github.com/treewright/treewright/pkg/nevra"
)

// Debian's rules for versions are in deb-version(7); the wanted forms keep their order.
func TestParseVersion(t *testing.T) {
	for in, want := range map[string]string{
		"1.2-3": "1.2-3", "1:2.0-1+deb13u1": "1:2.0-1+deb13u1", "257.13": "257.13-0", "1.0-rc1-2": "1.0.rc1-2", "0:1-1": "1-1",
	} {
		if got := parseVersion(in).String(); got != want {
			t.Errorf("parseVersion(%s) = %s, want %s", in, got, want)
		}
	}
	a, _ := nevra.ParseEVR(parseVersion("2.36-9+deb12u1").String())
	b, _ := nevra.ParseEVR(parseVersion("2.36").String())
	if nevra.Compare(a, b) <= 0 {
		t.Error("2.36-9+deb12u1 does not satisfy >= 2.36")
	}
}

func TestRelations(t *testing.T) {
	groups, err := parseField("libc6 (>= 2.36), default-mta | mail-transport-agent, perl:any, foo (<< 2:1~)")
	if err != nil || len(groups) != 4 {
		t.Fatal(groups, err)
	}
	for i, want := range []string{"libc6", "(default-mta or mail-transport-agent)", "perl", "foo"} {
		if got := requirement(groups[i]).Name; got != want {
			t.Errorf("group %d is %q, want %q", i, got, want)
		}
	}
	if r := requirement(groups[3]); r.Version != "2:1~-0" {
		t.Errorf("version %q", r.Version)
	}
	if _, err := parseField("what (is this)"); err == nil {
		t.Error("nonsense was read")
	}
}

func TestUsrMerge(t *testing.T) {
	for in, want := range map[string]string{"/bin/sh": "/usr/bin/sh", "/lib/systemd/x": "/usr/lib/systemd/x", "/library": "/library", "/etc/x": "/etc/x"} {
		if got := usrMerge(in); got != want {
			t.Errorf("usrMerge(%s) = %s, want %s", in, got, want)
		}
	}
	for _, tc := range []struct{ old, name, target, want string }{
		{"/lib/x/link", "/usr/lib/x/link", "../../etc/y", "../../../etc/y"}, {"/lib/a/link", "/usr/lib/a/link", "../b", "../b"},
		{"/usr/bin/x", "/usr/bin/x", "../lib/y", "../lib/y"}, {"/bin/x", "/usr/bin/x", "/etc/y", "/etc/y"},
	} {
		if got := linkTarget(tc.old, tc.name, tc.target); got != tc.want {
			t.Errorf("link %s to %s = %s, want %s", tc.old, tc.target, got, tc.want)
		}
	}
}
