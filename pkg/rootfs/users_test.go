package rootfs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/rootfs"
	"github.com/treewright/treewright/pkg/rpm"
)

// TestSeed: accounts that were there keep their numbers, whatever packages say, and
// those of packages come behind.
func TestSeed(t *testing.T) {
	rules := rootfs.AccountRules{
		Passwd: []byte("root:x:0:0:root:/root:/bin/sh\napp:x:777:778::/:/bin/false\ndaemon:x:5:5::/old:/bin/false\n"),
		Group:  []byte("root:x:0:\napp:x:778:\ndaemon:x:5:\ndaemon:x:5:\n"),
	}
	app := pkg("app", map[string]string{"/usr/lib/sysusers.d/app.conf": "u app - - -\nu fresh - - -\n"},
		rpm.File{Path: "/usr/lib/app.data", Kind: filetree.File, Mode: 0o640, User: "app", Group: "app"})
	root := must(t, rootfs.Options{Accounts: rules}, app)
	passwd := content(t, root, "usr/etc/passwd")
	want := "root:x:0:0:root:/root:/bin/sh\napp:x:777:778::/:/bin/false\ndaemon:x:5:5::/old:/bin/false\nfresh:x:999:999::/:/usr/sbin/nologin\n"
	if passwd != want {
		t.Errorf("passwd is\n%s\nwant\n%s", passwd, want)
	}
	if n := root.Lookup("usr/lib/app.data"); n.UID != 777 || n.GID != 778 {
		t.Errorf("a file belongs to %d:%d, want 777:778", n.UID, n.GID)
	}
	if got := strings.Count(content(t, root, "usr/etc/group"), "daemon:"); got != 1 {
		t.Errorf("group has daemon %d times", got)
	}
}

// TestCheckAccounts has the rules of rpm-ostree's check-passwd and check-groups.
func TestCheckAccounts(t *testing.T) {
	app := pkg("app", map[string]string{"/usr/lib/sysusers.d/app.conf": "u app 300 - -\n"},
		rpm.File{Path: "/usr/lib/app.data", Kind: filetree.File, Mode: 0o640, User: "app", Group: "app"})
	for name, tc := range map[string]struct {
		rules rootfs.AccountRules
		want  string // of the error
		warn  string
	}{
		"as before":      {rules: rootfs.AccountRules{Users: map[string]rootfs.IDs{"app": {UID: 300, GID: 300}, "root": {}}}},
		"uid changed":    {rules: rootfs.AccountRules{Users: map[string]rootfs.IDs{"app": {UID: 301, GID: 300}}}, want: "check-passwd: passwd UID changed: app (301 to 300): "},
		"gid changed":    {rules: rootfs.AccountRules{Users: map[string]rootfs.IDs{"app": {UID: 300, GID: 301}}}, want: "check-passwd: passwd GID changed: app (301 to 300): "},
		"group changed":  {rules: rootfs.AccountRules{Groups: map[string]rootfs.IDs{"app": {GID: 301}}}, want: "check-groups: group GID changed: app (301 to 300): "},
		"gone, unused":   {rules: rootfs.AccountRules{Users: map[string]rootfs.IDs{"gone": {UID: 55}}}, warn: "user gone, which no file belongs to, is not in the tree any more"},
		"gone, used":     {rules: rootfs.AccountRules{Users: map[string]rootfs.IDs{"old": {UID: 300}}}, want: "check-passwd: User missing from new passwd file: old, and files belong to 300: "},
		"gone, ignored":  {rules: rootfs.AccountRules{Users: map[string]rootfs.IDs{"old": {UID: 300}}, IgnoreUsers: []string{"old"}}},
		"all ignored":    {rules: rootfs.AccountRules{Groups: map[string]rootfs.IDs{"old": {GID: 300}}, IgnoreGroups: []string{"*"}}},
		"group gone":     {rules: rootfs.AccountRules{Groups: map[string]rootfs.IDs{"old": {GID: 300}}}, want: "check-groups: Group missing from new group file: old, and files belong to 300: "},
		"nothing wanted": {},
	} {
		t.Run(name, func(t *testing.T) {
			warned := ""
			_, err := assemble(t, rootfs.Options{Accounts: tc.rules, Warn: func(s string) { warned = s }}, app)
			switch {
			case tc.want == "" && err != nil, tc.want != "" && (!errors.Is(err, rootfs.ErrAccounts) || !strings.HasPrefix(err.Error(), tc.want)):
				t.Errorf("%v, want %q", err, tc.want)
			case warned != tc.warn:
				t.Errorf("warned %q, want %q", warned, tc.warn)
			}
		})
	}
}

// TestSysusersIDs has the forms of a user's number that sysusers.d(5) describes.
func TestSysusersIDs(t *testing.T) {
	app := pkg("app", map[string]string{"/usr/lib/sysusers.d/a.conf": "u fixed 300 - -\nu both 301:42 - -\nu named 302:daemon - -\nu any - - -\nu shared -:shadow - -\nu path /etc/passwd - -\n"})
	root := must(t, rootfs.Options{}, app)
	passwd := content(t, root, "usr/etc/passwd")
	for _, want := range []string{"fixed:x:300:300:", "both:x:301:42:", "named:x:302:1:", "any:x:999:999:", "shared:x:998:42:", "path:x:997:997:"} {
		if !strings.Contains(passwd, "\n"+want) {
			t.Errorf("passwd lacks %s:\n%s", want, passwd)
		}
	}
}
