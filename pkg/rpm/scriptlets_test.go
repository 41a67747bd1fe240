package rpm_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/rpm"
)

// triggerSpec has each kind of trigger that runs at an installation.
const triggerSpec = `
Name: trig
Version: 1
Release: 1
Summary: t
License: t
BuildArch: noarch
%description
t
%post -p /usr/bin/true
%posttrans
echo posttrans
%triggerin -- other < 2:3, third
echo triggerin
%triggerprein -p <lua> -- other
print("prein")
%filetriggerin -P 100 -- /usr/lib /etc
echo filetriggerin
%transfiletriggerin -- /usr/share/x
echo transfiletriggerin
%transfiletriggerpostun -- /usr/share/x
echo gone
%files
`

// TestTriggers compares with what rpmbuild was told; it sorts conditions.
func TestTriggers(t *testing.T) {
	if _, err := exec.LookPath("rpmbuild"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	spec := filepath.Join(dir, "trig.spec")
	if err := os.WriteFile(spec, []byte(triggerSpec), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("rpmbuild", "-bb", "--define", "_topdir "+dir, spec).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f, err := os.Open(filepath.Join(dir, "RPMS/noarch/trig-1-1.noarch.rpm"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, err := rpm.ReadHeader(f)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range h.Scriptlets() {
		got = append(got, fmt.Sprintf("%s %s %q", s.Kind, s.Interpreter, s.Body))
	}
	triggers, err := h.Triggers()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range triggers {
		got = append(got, fmt.Sprintf("%s %s %q %v %d", s.Kind, s.Interpreter, strings.TrimSpace(s.Body), s.On, s.Priority))
	}
	want := []string{
		`post [/usr/bin/true] ""`,
		`posttrans [/bin/sh] "echo posttrans"`,
		`triggerin [/bin/sh] "echo triggerin" [other < 2:3 third] 1000000`,
		`triggerprein [<lua>] "print(\"prein\")" [other] 1000000`,
		`filetriggerin [/bin/sh] "echo filetriggerin" [/etc /usr/lib] 100`,
		`transfiletriggerin [/bin/sh] "echo transfiletriggerin" [/usr/share/x] 1000000`,
		`transfiletriggerpostun [/bin/sh] "echo gone" [/usr/share/x] 1000000`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
