package rootfs_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/rootfs"
	"github.com/treewright/treewright/pkg/rootfs/sandbox"
	"github.com/treewright/treewright/pkg/rpm"
)

// userland is a package with a shell and some programs of the host.
func userland(t *testing.T, more ...string) rootfs.Package {
	t.Helper()
	if err := sandbox.Check(t.Context(), t.TempDir()); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	p := pkg("userland", nil)
	for path, body := range fixture.Programs(t, append([]string{"sh", "cat", "sleep", "chown", "mkdir", "ln", "rm"}, more...)...) {
		one := pkg("userland", map[string]string{path: string(body)})
		one.Files[0].Mode = 0o755
		p.Files, p.From = append(p.Files, one.Files...), append(p.From, one.From...)
	}
	return p
}

func script(kind, body string) rpm.Scriptlet {
	s := rpm.Scriptlet{Kind: kind, Interpreter: []string{"/bin/sh"}, Body: body}
	if lua, ok := strings.CutPrefix(body, "<lua>"); ok {
		s.Interpreter, s.Body = []string{"<lua>"}, lua
	}
	return s
}

func trigger(kind, on, body string, priority int) rpm.Trigger {
	return rpm.Trigger{Scriptlet: script(kind, body), On: []nevra.Relation{{Name: on}}, Priority: priority}
}

// TestScriptletOrder has the order, the arguments and the input that rpm 4.18 gives,
// as its installation of the like packages with -ivv shows them, but that every %pre
// comes first, as with rpm-ostree.
func TestScriptletOrder(t *testing.T) {
	say := func(what string) string { return "echo " + what + " $# $* >>/etc/log; cat >>/etc/log" }
	first := pkg("first", map[string]string{"/usr/share/zz/a": "a"})
	first.Scriptlets = []rpm.Scriptlet{script("pre", say("first-pre")), script("post", say("first-post")), script("preun", "exit 1"), script("pretrans", "exit 1")}
	second := pkg("second", map[string]string{"/usr/share/zz/sub/b": "b", "/etc/log": ""})
	second.Scriptlets = []rpm.Scriptlet{script("pre", say("pre")), script("post", say("post")), script("posttrans", say("posttrans"))}
	second.Triggers = []rpm.Trigger{
		trigger("filetriggerin", "/usr/share/zz", say("file"), 1000000),
		trigger("filetriggerin", "/usr/share/zz", say("file-late"), 100),
		trigger("filetriggerin", "/nowhere", say("never"), 100),
		trigger("transfiletriggerin", "/usr/share/zz", say("trans"), 1000000),
		trigger("triggerin", "first", say("trigger"), 0),
		trigger("triggerun", "first", "exit 1", 0),
	}
	root := must(t, rootfs.Options{}, userland(t), first, second)
	want := `first-pre 1 1
pre 1 1
first-post 1 1
file 1 0
/usr/share/zz/a
/usr/share/zz/sub/b
post 1 1
trigger 2 1 1
file-late 1 0
/usr/share/zz/a
/usr/share/zz/sub/b
posttrans 1 1
trans 1 0
/usr/share/zz/a
/usr/share/zz/sub/b
`
	if got := content(t, root, "usr/etc/log"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestScriptlets: what scripts do to the tree is in it, who did it does not matter.
func TestScriptlets(t *testing.T) {
	p := pkg("app", map[string]string{"/usr/share/app/data": "old", "/usr/share/app/gone": "x", "/var/lib/app": "/"})
	p.Files = append(p.Files, rpm.File{Path: "/usr/share/app/own", Kind: filetree.File, Mode: 0o640, User: "app", Group: "app"})
	p.From = append(p.From, nil)
	p.Scriptlets = []rpm.Scriptlet{
		script("pre", "echo app:x:77:77::/:/bin/false >>/etc/passwd; echo app:x:77: >>/etc/group"),
		script("post", `set -e
			echo new >/usr/share/app/data; rm /usr/share/app/gone; ln -s data /usr/share/app/link
			mkdir /usr/share/app/dir; echo x >/usr/share/app/dir/f; chown 77:77 /usr/share/app/dir/f
			echo state >/var/lib/app-state; [ -e /run/ostree-booted ]; [ "$SYSTEMD_OFFLINE" = 1 ]
			! echo >/dev/tcp/127.0.0.1/1`),
		script("posttrans", `<lua>
			assert(arg[1] == "<lua>" and arg[2] == 1)
			assert(io.open("/var/lib/app-state"), "the scripts of a tree share /var")
			posix.symlink("dir", "/usr/share/app/lualink")
			local f = io.open("/usr/share/app/lua", "w"); f:write(posix.stat("/usr/share/app/data", "type")); f:close()
			assert(rpm.execute("/bin/sh", "-c", "exit 3") == nil)
			print("from lua")`),
	}
	var out strings.Builder
	root := must(t, rootfs.Options{Output: &out}, userland(t), p)
	if got := content(t, root, "usr/share/app/data") + content(t, root, "usr/share/app/lua"); got != "new\nregular" {
		t.Errorf("content is %q", got)
	}
	if root.Lookup("usr/share/app/gone") != nil {
		t.Error("what a script removed is there")
	}
	for path, target := range map[string]string{"usr/share/app/link": "data", "usr/share/app/lualink": "dir"} {
		if n := root.Lookup(path); n == nil || n.Target != target {
			t.Errorf("%s is %+v, want a link to %s", path, n, target)
		}
	}
	if n := root.Lookup("usr/share/app/own"); n == nil || n.UID != 77 || n.GID != 77 {
		t.Errorf("a file of a user that %%pre makes is %+v", n)
	}
	want := uint32(77)
	if sandbox.AvailableUsers() == sandbox.OnlyRoot {
		want = 0
	}
	if n := root.Lookup("usr/share/app/dir/f"); n == nil || n.UID != want {
		t.Errorf("a file that %%post gave away is %+v", n)
	}
	if root.Child("var").Len() > 0 || root.Lookup("var/lib/app-state") != nil {
		t.Error("/var has what scripts left there")
	}
	if !strings.Contains(out.String(), "app.posttrans: from lua\n") {
		t.Errorf("output: %q", out.String())
	}
}

func TestScriptletFails(t *testing.T) {
	for name, tc := range map[string]struct {
		s    rpm.Scriptlet
		want string
	}{
		"status":        {script("post", "echo one; echo two >&2; exit 7"), "package bad: %post: exit status 7: one | two"},
		"signal":        {script("pre", "kill -9 $$"), "package bad: %pre: exit status 137"},
		"time":          {script("post", "echo waiting; sleep 60 & sleep 60"), "package bad: %post: did not end within 300ms: waiting"},
		"lua":           {script("post", `<lua>print("x") error("went wrong")`), "package bad: %post: %post:1: went wrong: x"},
		"lua status":    {script("post", `<lua>os.exit(4)`), "package bad: %post: os.exit(4)"},
		"lua for ever":  {script("post", `<lua>while true do end`), "package bad: %post: did not end within 300ms"},
		"lua syntax":    {script("post", `<lua>if`), "package bad: %post: "},
		"no such shell": {rpm.Scriptlet{Kind: "post", Interpreter: []string{"/bin/nosuch"}, Body: "x"}, "package bad: %post: fork/exec /bin/nosuch: no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			p := pkg("bad", nil)
			p.Scriptlets = []rpm.Scriptlet{tc.s}
			_, err := assemble(t, rootfs.Options{ScriptTimeout: 300 * time.Millisecond}, userland(t, "kill"), p)
			var failed *rootfs.ScriptError
			if !errors.As(err, &failed) || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
}

// TestSkipped: what rpm-ostree leaves out is left out.
func TestSkipped(t *testing.T) {
	var list []rootfs.Package
	for name, kinds := range map[string][]string{"glibc": {"pre"}, "setup": {"post"}, "kernel-core": {"posttrans"}, "kernel-rt-debug-modules": {"posttrans"}, "pam": {"post"}, "marked": {"post"}} {
		p := pkg(name, nil)
		p.EVR = nevra.EVR{Version: "1", Release: "2.el7"}
		for _, k := range kinds {
			p.Scriptlets = append(p.Scriptlets, script(k, "<lua>\n-- rpm-ostree-skip\nerror('ran')"))
			if name != "marked" {
				p.Scriptlets[0].Body = "error('ran')"
			}
		}
		list = append(list, p)
	}
	if _, err := assemble(t, rootfs.Options{}, list...); err != nil {
		t.Error(err)
	}
}
