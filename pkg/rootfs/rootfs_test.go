package rootfs_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/rootfs"
	"github.com/treewright/treewright/pkg/rootfs/sandbox"
	"github.com/treewright/treewright/pkg/rpm"
	"github.com/treewright/treewright/pkg/segment"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// pkg makes a package of files; a body that begins with "->" is a link, "/" a folder.
func pkg(name string, files map[string]string, more ...rpm.File) rootfs.Package {
	p := rootfs.Package{Name: name, NEVRA: name + "-1-1.noarch"}
	for path, body := range files {
		f := rpm.File{Path: path, Mode: 0o644, User: "root", Group: "root", Kind: filetree.File}
		if target, ok := strings.CutPrefix(body, "->"); ok {
			f.Kind, f.Target, f.Mode = filetree.Symlink, target, 0o777
		} else if body == "/" {
			f.Kind, f.Mode = filetree.Dir, 0o755
		} else {
			f.Size, f.Digest = int64(len(body)), digest.Sum([]byte(body))
		}
		p.Files = append(p.Files, f)
		p.From = append(p.From, segment.Bytes(body))
	}
	for _, f := range more {
		p.Files = append(p.Files, f)
		p.From = append(p.From, segment.Bytes(nil))
	}
	return p
}

var base = map[string]string{
	"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\n", "/etc/group": "root:x:0:\ndaemon:x:1:\nshadow:x:42:\n",
	"/usr/bin": "/", "/bin": "->usr/bin", "/usr/lib": "/", "/lib": "->usr/lib",
	"/usr/lib/modules/6.1/vmlinuz": "kernel",
}

func assemble(t *testing.T, o rootfs.Options, pkgs ...rootfs.Package) (*filetree.Node, error) {
	t.Helper()
	o.NoInitramfs, o.MachineIDCompat, o.WorkDir = true, true, t.TempDir()
	r, err := rootfs.Assemble(t.Context(), append([]rootfs.Package{pkg("filesystem", base)}, pkgs...), o)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { r.Close(context.WithoutCancel(t.Context())) })
	return r.Root, nil
}

func must(t *testing.T, o rootfs.Options, pkgs ...rootfs.Package) *filetree.Node {
	t.Helper()
	root, err := assemble(t, o, pkgs...)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func content(t *testing.T, root *filetree.Node, p string) string {
	t.Helper()
	n := root.Lookup(p)
	if n == nil || n.Kind != filetree.File {
		t.Fatalf("%s is no file: %+v", p, n)
	}
	if n.Size == 0 {
		return ""
	}
	rc, err := n.From.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestTranslation follows the table of rpm-ostree's path translation.
func TestTranslation(t *testing.T) {
	root := must(t, rootfs.Options{}, pkg("app", map[string]string{
		"/bin/app": "app", "/lib/app/lib.so": "lib", "/etc/app.conf": "conf", "/opt/vendor/tool": "tool", "/var/lib/app": "/", "/var/run/app": "/",
		"/var/log/app.log": "dropped", "/var/cache/link": "->../lib/app", "/usr/local/bin/x": "dropped", "/home/user": "/",
	}))
	for p, want := range map[string]string{
		"usr/bin/app": "app", "usr/lib/app/lib.so": "lib", "usr/etc/app.conf": "conf", "usr/lib/opt/vendor/tool": "tool", "usr/lib/modules/6.1/vmlinuz": "kernel",
	} {
		if got := content(t, root, p); got != want {
			t.Errorf("%s holds %q, want %q", p, got, want)
		}
	}
	lines := content(t, root, "usr/lib/tmpfiles.d/rpm-ostree-autovar.conf")
	for _, want := range []string{"d /var/lib/app 0755 root root - -\n", "d /run/app 0755 root root - -\n", "L /opt/vendor - - - - ../../usr/lib/opt/vendor\n", "L /var/cache/link - - - - ../lib/app\n"} {
		if !strings.Contains(lines, want) {
			t.Errorf("tmpfiles.d lacks %q:\n%s", want, lines)
		}
	}
	if strings.Contains(lines, "app.log") || root.Lookup("etc") != nil || root.Child("var").Len() > 0 {
		t.Error("something of /var or /etc was left")
	}
	for p, want := range map[string]string{"home": "var/home", "root": "var/roothome", "ostree": "sysroot/ostree", "opt": "var/opt", "usr/local": "../var/usrlocal", "tmp": "sysroot/tmp", "bin": "usr/bin"} {
		if n := root.Lookup(p); n == nil || n.Target != want {
			t.Errorf("%s is %+v, want a link to %s", p, n, want)
		}
	}
	if n := root.Lookup("usr/etc/machine-id"); n == nil || n.Size != 0 {
		t.Errorf("machine-id is %+v, want an empty file", n)
	}
	if _, err := assemble(t, rootfs.Options{}, pkg("odd", map[string]string{"/srv/file": "x"})); err == nil || !strings.Contains(err.Error(), "package odd-1-1.noarch: /srv/file: there is no place for it") {
		t.Errorf("a file in /srv: %v", err)
	}
}

func TestConflicts(t *testing.T) {
	same := map[string]string{"/usr/share/x": "same", "/usr/share/d": "/"}
	must(t, rootfs.Options{}, pkg("a", same), pkg("b", same))
	_, err := assemble(t, rootfs.Options{}, pkg("a", same), pkg("b", map[string]string{"/usr/share/x": "other"}))
	if !errors.Is(err, rootfs.ErrConflict) || !strings.Contains(err.Error(), "package b-1-1.noarch: /usr/share/x is also in a-1-1.noarch") {
		t.Errorf("two files of one path: %v", err)
	}
	a, b := pkg("a", map[string]string{"/usr/bin/x": "32"}), pkg("b", map[string]string{"/usr/bin/x": "64"})
	a.Files[0].Color, b.Files[0].Color = 1, 2
	for _, order := range [][]rootfs.Package{{a, b}, {b, a}} {
		if got := content(t, must(t, rootfs.Options{}, order...), "usr/bin/x"); got != "64" {
			t.Errorf("the %s-bit program won", got)
		}
	}
}

// TestAccounts: the wanted lines are what systemd-sysusers makes of such files, ids
// counted down from 999.
func TestAccounts(t *testing.T) {
	p := pkg("server", map[string]string{"/usr/lib/sysusers.d/a.conf": "# comment\nu! server - \"A server\" /var/lib/server\ng input -\nu fixed 77\nm server input\nu other 78:input\n"},
		rpm.File{Path: "/usr/bin/server", Kind: filetree.File, Mode: 0o2755, User: "root", Group: "server"})
	root := must(t, rootfs.Options{}, p)
	passwd, group := content(t, root, "usr/etc/passwd"), content(t, root, "usr/etc/group")
	for _, want := range []string{"server:x:998:998:A server:/var/lib/server:/usr/sbin/nologin\n", "fixed:x:77:77::/:/usr/sbin/nologin\n", "other:x:78:999::/:/usr/sbin/nologin\n", "daemon:x:1:1::/:/bin/false\n"} {
		if !strings.Contains(passwd, want) {
			t.Errorf("passwd lacks %q:\n%s", want, passwd)
		}
	}
	if !strings.Contains(group, "input:x:999:server\n") || !strings.Contains(group, "server:x:998:\n") {
		t.Errorf("group:\n%s", group)
	}
	if n := root.Lookup("usr/bin/server"); n.GID != 998 || n.Mode != 0o2755 {
		t.Errorf("server belongs to group %d, mode %o", n.GID, n.Mode)
	}
	if n := root.Lookup("usr/etc/shadow"); n.Mode != 0o640 || n.GID != 42 || !strings.Contains(content(t, root, "usr/etc/shadow"), "server:*:::::::\n") {
		t.Errorf("shadow: %+v", n)
	}
	_, err := assemble(t, rootfs.Options{}, pkg("bad", nil, rpm.File{Path: "/usr/bin/x", Kind: filetree.File, User: "nobody-knows", Group: "root"}))
	if err == nil || !strings.Contains(err.Error(), "package bad-1-1.noarch: /usr/bin/x belongs to user nobody-knows") {
		t.Errorf("an unknown owner: %v", err)
	}
}

func TestAltfiles(t *testing.T) {
	root := must(t, rootfs.Options{EtcGroupMembers: []string{"daemon"}}, pkg("nss", map[string]string{"/usr/lib/x86_64-linux-gnu/libnss_altfiles.so.2": "so", "/etc/nsswitch.conf": "passwd: files systemd\ngroup: files\nhosts: files dns\n"}))
	if got := content(t, root, "usr/etc/passwd"); got != "root:x:0:0:root:/root:/bin/sh\n" {
		t.Errorf("/etc/passwd = %q", got)
	}
	if got := content(t, root, "usr/lib/passwd"); !strings.HasPrefix(got, "daemon:x:1:1") {
		t.Errorf("/usr/lib/passwd = %q", got)
	}
	if got := content(t, root, "usr/etc/group"); got != "root:x:0:\ndaemon:x:1:\n" {
		t.Errorf("/etc/group = %q", got)
	}
	if got := content(t, root, "usr/etc/nsswitch.conf"); got != "passwd: files altfiles systemd\ngroup: files altfiles\nhosts: files dns\n" {
		t.Errorf("nsswitch.conf = %q", got)
	}
}

func TestConfigure(t *testing.T) {
	root := must(t, rootfs.Options{
		Units: []string{"a.service", "b@tty1.service", "c.socket"}, DefaultTarget: "multi-user.target", TmpIsDir: true,
		RemoveFiles: []string{"usr/share/gone", "nosuch"}, AddFiles: []rootfs.File{{Dest: "etc/new/file", Body: []byte("new"), Mode: 0o600}},
		MutateOSRelease: "13", Version: "13.1", RemoveFromPackages: map[string][]string{"app": {`/usr/share/app/.*\.tmp$`}}, Treefile: []byte("{}"),
	}, pkg("app", map[string]string{
		"/usr/lib/systemd/system/a.service":  "[Service]\n[Install]\nWantedBy=multi-user.target graphical.target\nAlias=alias.service\n",
		"/usr/lib/systemd/system/b@.service": "[Install]\nWantedBy=getty.target\n", "/usr/lib/systemd/system/c.socket": "[Socket]\n",
		"/usr/share/gone/x": "x", "/usr/share/app/x.tmp": "x", "/usr/share/app/x.txt": "x", "/usr/lib/os-release": "NAME=x\n\nVERSION=\"13 (x)\"\nVERSION_ID=13\n", "/etc/os-release": "->../usr/lib/os-release",
	}))
	for p, want := range map[string]string{
		"usr/etc/systemd/system/multi-user.target.wants/a.service": "/usr/lib/systemd/system/a.service", "usr/etc/systemd/system/graphical.target.wants/a.service": "/usr/lib/systemd/system/a.service",
		"usr/etc/systemd/system/alias.service": "/usr/lib/systemd/system/a.service", "usr/etc/systemd/system/getty.target.wants/b@tty1.service": "/usr/lib/systemd/system/b@.service",
		"usr/etc/systemd/system/multi-user.target.wants/c.socket": "/usr/lib/systemd/system/c.socket", "usr/lib/systemd/system/default.target": "multi-user.target",
	} {
		if n := root.Lookup(p); n == nil || n.Target != want {
			t.Errorf("%s is %+v, want a link to %s", p, n, want)
		}
	}
	if root.Lookup("usr/share/gone") != nil || root.Lookup("usr/share/app/x.tmp") != nil || root.Lookup("usr/share/app/x.txt") == nil {
		t.Error("the wrong files were removed")
	}
	if got := content(t, root, "usr/etc/new/file"); got != "new" || root.Lookup("usr/etc/new/file").Mode != 0o600 {
		t.Errorf("added file %q", got)
	}
	if got, want := content(t, root, "usr/lib/os-release"), "NAME=x\nVERSION=\"13.1 (x)\"\nVERSION_ID=13\nOSTREE_VERSION='13.1'\n"; got != want {
		t.Errorf("os-release = %q, want %q", got, want)
	}
	if n := root.Child("tmp"); n.Kind != filetree.Dir || n.Mode != 0o1777 {
		t.Errorf("/tmp is %+v", n)
	}
}

func TestKernels(t *testing.T) {
	_, err := assemble(t, rootfs.Options{}, pkg("kernel2", map[string]string{"/usr/lib/modules/6.2/vmlinuz": "k"}))
	if err == nil || !strings.Contains(err.Error(), "kernels 6.1 and 6.2 are both in the tree") {
		t.Errorf("two kernels: %v", err)
	}
	r, err := rootfs.Assemble(t.Context(), []rootfs.Package{pkg("debian", map[string]string{"/boot/vmlinuz-6.3": "k", "/boot/config-6.3": "c", "/usr/lib/modules/6.3/m.ko": "m"})}, rootfs.Options{NoInitramfs: true})
	if err != nil || r.Kernel != "6.3" || content(t, r.Root, "usr/lib/modules/6.3/vmlinuz") != "k" || content(t, r.Root, "usr/lib/modules/6.3/config") != "c" {
		t.Errorf("a kernel in /boot: %+v, %v", r, err)
	}
	_, err = rootfs.Assemble(t.Context(), []rootfs.Package{pkg("k", base)}, rootfs.Options{})
	if err == nil || !strings.Contains(err.Error(), "no package has dracut") {
		t.Errorf("a kernel without dracut: %v", err)
	}
	withDracut := map[string]string{"/usr/bin/dracut": "d"}
	_, err = rootfs.Assemble(t.Context(), []rootfs.Package{pkg("k", base), pkg("dracut", withDracut)}, rootfs.Options{})
	if err == nil || !strings.Contains(err.Error(), "no package has the dracut module ostree") {
		t.Errorf("dracut without its module: %v", err)
	}
}

// TestScripts runs scripts in a tree with the host's busybox as its shell.
func TestScripts(t *testing.T) {
	busybox, err := os.ReadFile(fixture.Tool(t, "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	shell := rootfs.Package{Name: "busybox", NEVRA: "busybox-1-1.x86_64", Files: []rpm.File{
		{Path: "/usr/bin/busybox", Kind: filetree.File, Mode: 0o755, User: "root", Group: "root", Size: int64(len(busybox)), Digest: digest.Sum(busybox)},
		{Path: "/usr/bin/sh", Kind: filetree.Symlink, Target: "busybox", User: "root", Group: "root"}}, From: []segment.Source{segment.Bytes(busybox), nil}}
	files := pkg("app", map[string]string{"/usr/share/changed": "old", "/usr/share/kept": "kept", "/usr/share/deleted": "x", "/usr/share/mode": "m", "/etc/conf": "c"})
	root, err := assemble(t, rootfs.Options{Scripts: []rootfs.Script{
		{Name: "one", Body: []byte("#!/usr/bin/sh\nset -e\necho new >/usr/share/changed\nbusybox rm /usr/share/deleted\nbusybox chmod 600 /usr/share/mode\nbusybox mkdir -p /usr/share/made/dir\necho $SOURCE_DATE_EPOCH >/etc/added\nbusybox ln -s x /usr/share/link\necho gone >/var/tmp/x\n")},
	}, Time: 42}, shell, files)
	if errors.Is(err, sandbox.ErrUnavailable) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if content(t, root, "usr/share/changed") != "new\n" || content(t, root, "usr/share/kept") != "kept" || content(t, root, "usr/etc/added") != "42\n" {
		t.Error("content was not taken back as it was written")
	}
	if root.Lookup("usr/share/deleted") != nil || root.Lookup("usr/share/mode").Mode != 0o600 || root.Lookup("usr/share/made/dir") == nil || root.Lookup("usr/share/link").Target != "x" || root.Child("var").Len() > 0 {
		t.Error("a change of the script is missing")
	}
	_, err = assemble(t, rootfs.Options{Scripts: []rootfs.Script{{Name: "postprocess script 1", Body: []byte("#!/usr/bin/sh\necho the reason\nexit 3\n")}}}, shell)
	if err == nil || err.Error() != "postprocess script 1: exit status 3: the reason" {
		t.Errorf("a script that fails: %v", err)
	}
}
