package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/rootfs/sandbox"
)

// helperRoot makes this program run a sandbox in that folder and wait, to be killed.
const helperRoot = "TREEWRIGHT_TEST_SANDBOX_ROOT"

func TestMain(m *testing.M) {
	if os.Getenv("TREEWRIGHT_TEST_NO_INIT") == "" {
		sandbox.Init()
	}
	if dir := os.Getenv(helperRoot); dir != "" {
		fmt.Fprintln(os.Stderr, helper(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// both runs a test as the user who asked for it and, when that is root, as nobody, too.
func both(t *testing.T, test func(t *testing.T)) {
	if os.Geteuid() == 0 {
		t.Run("root", test)
	}
	t.Run("plain", func(t *testing.T) {
		if !fixture.AsPlainUser(t) {
			test(t)
		}
	})
}

// root is a folder with a shell and some programs of the host.
func root(t *testing.T, more ...string) string {
	t.Helper()
	if err := sandbox.Check(t.Context(), t.TempDir()); err != nil {
		if os.Getenv("CI") == "" {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	dir := t.TempDir()
	fixture.WritePrograms(t, dir, append([]string{"sh", "cat", "ls", "sleep", "touch", "id", "rm", "mkdir", "mv", "chmod", "ln", "mount", "mknod", "readlink"}, more...)...)
	return dir
}

// run runs a shell script; both outputs come back together.
func run(t *testing.T, o sandbox.Options, script string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	o.Args, o.Stdout = []string{"sh", "-c", script}, &out
	err := sandbox.Run(t.Context(), o)
	return out.String(), err
}

func TestInside(t *testing.T) {
	both(t, func(t *testing.T) {
		dir := root(t)
		if err := os.WriteFile(filepath.Join(dir, "marker"), []byte("inside\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		for name, tc := range map[string]struct{ script, want string }{
			"root is the folder":       {"cat /marker", `^inside\n$`},
			"one is root":              {"id -u; id -g", `^0\n0\n$`},
			"alone in the pid space":   {"ls -d /proc/[0-9]* | cat", `^/proc/1\n(/proc/\d\d?\n){2,3}$`},
			"no network":               {"cat /proc/net/dev", `^[^:]*\n[^:]*\n +lo:.*\n$`},
			"devices":                  {"echo gone >/dev/null; ls /dev", `^fd\nfull\nnull\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n$`},
			"folders to write to":      {"touch /tmp/a /run/b /var/tmp/c && echo ok", `^ok\n$`},
			"a name of its own":        {"cat /proc/sys/kernel/hostname", `^localhost\n$`},
			"the host is out of sight": {"ls /proc/self/root/../..; ls /sys", `^bin\ndev\nlib\nlib64\nmarker\nproc\nrun\nsys\ntmp\nusr\nvar\n$`},
			"environment":              {"export -p", `^export HOME='/root'\nexport LANG='C.UTF-8'\nexport PATH='/usr/sbin:/usr/bin:/sbin:/bin'\nexport PWD='/'\nexport SYSTEMD_OFFLINE='1'\n$`},
			"files that are open":      {"ls /proc/self/fd | cat", `^0\n1\n2\n3\n$`}, // 3 is ls's own
			"capabilities":             {"cat /proc/self/status", `(?s)CapPrm:\t00000000800401fb\nCapEff:\t00000000800401fb\nCapBnd:\t00000000800401fb\n.*NoNewPrivs:\t1`},
			"umask":                    {"umask", `^0022\n$`},
			"no input":                 {"cat; echo end", `^end\n$`},
		} {
			t.Run(name, func(t *testing.T) {
				out, err := run(t, sandbox.Options{Root: dir}, tc.script)
				if err != nil || !regexp.MustCompile(tc.want).MatchString(out) {
					t.Errorf("%s: %q, %v, want %s", tc.script, out, err, tc.want)
				}
			})
		}
		for _, d := range []string{"tmp", "run", "var", "dev", "sys", "proc"} {
			if left, err := os.ReadDir(filepath.Join(dir, d)); err != nil || len(left) > 0 {
				t.Errorf("/%s was kept: %v, %v", d, left, err)
			}
		}
	})
}

// TestHost: nothing of the host can be changed. The values that are written are those
// that are there, should it work.
func TestHost(t *testing.T) {
	both(t, func(t *testing.T) {
		dir := root(t)
		for name, tc := range map[string]struct{ script, want string }{
			"kernel settings":     {`v=$(cat /proc/sys/kernel/core_pattern); echo "$v" >/proc/sys/kernel/core_pattern`, "Read-only file system"},
			"memory settings":     {"v=$(cat /proc/sys/vm/swappiness); echo $v >/proc/sys/vm/swappiness", "Read-only file system"},
			"sysrq":               {"[ -e /proc/sysrq-trigger ] || { echo no such thing; exit 1; }; echo h >/proc/sysrq-trigger", "Read-only file system|no such thing"},
			"mounts":              {"mount -t tmpfs tmpfs /usr", "permission denied|must be superuser"},
			"remount":             {"mount -o remount,bind,rw /proc/sys", "permission denied|must be superuser"},
			"devices":             {"mknod /tmp/sda b 8 0", "Operation not permitted"},
			"terminal":            {"echo >/dev/tty", "No such device or address"},
			"memory of the child": {"cat /proc/1/environ || echo x >/proc/1/mem", "(?s)Permission denied.*Permission denied"},
		} {
			t.Run(name, func(t *testing.T) {
				out, err := run(t, sandbox.Options{Root: dir}, tc.script)
				if err == nil || !regexp.MustCompile(tc.want).MatchString(out) {
					t.Errorf("%s: %q, %v, want %s", tc.script, out, err, tc.want)
				}
			})
		}
	})
}

// TestLinks: links of a tree, as a hostile package could have them, are followed inside,
// by the program and when mount points are made.
func TestLinks(t *testing.T) {
	both(t, func(t *testing.T) {
		dir := root(t)
		host, err := os.MkdirTemp("/var/tmp", "host-*")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(host) })
		if err := errors.Join(os.Symlink(host, filepath.Join(dir, "out")), os.Symlink("../../../../.."+host, filepath.Join(dir, "up")), os.MkdirAll(filepath.Join(dir, host), 0o755)); err != nil {
			t.Fatal(err)
		}
		o := sandbox.Options{Root: dir, KeepVar: true, Binds: []sandbox.Bind{{Source: t.TempDir(), Target: "/out/bound"}}}
		if out, err := run(t, o, "touch /out/a /up/b ../../../.."+host+"/c /proc/self/root"+host+"/d; ls /out"); err != nil || out != "a\nb\nbound\nc\nd\n" {
			t.Errorf("%q, %v", out, err)
		}
		if left, err := os.ReadDir(host); err != nil || len(left) > 0 {
			t.Errorf("made outside the root: %v, %v", left, err)
		}
		o.Binds[0].Target = "/nowhere/bound"
		if err := os.Symlink("/nosuch", filepath.Join(dir, "nowhere")); err != nil {
			t.Fatal(err)
		}
		if out, err := run(t, o, "true"); err == nil || !strings.Contains(err.Error(), "/nowhere is a link to nothing") || errors.Is(err, sandbox.ErrUnavailable) {
			t.Errorf("%q, %v", out, err)
		}
	})
}

func TestReadOnly(t *testing.T) {
	both(t, func(t *testing.T) {
		dir := root(t)
		if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, tc := range map[string]struct {
			o     sandbox.Options
			can   string
			canno string
		}{
			"the root":       {sandbox.Options{ReadOnly: true}, "touch /tmp/x /run/x /var/x", "touch /etc/x"},
			"a path":         {sandbox.Options{ReadOnlyPaths: []string{"/usr"}}, "touch /etc/x", "touch /usr/x"},
			"a path by link": {sandbox.Options{ReadOnlyPaths: []string{"bin"}}, "touch /usr/x", "touch /usr/bin/x"},
			"with overlay":   {sandbox.Options{ReadOnly: true, Overlay: "over"}, "touch /tmp/x", "touch /etc/x"},
			"/var":           {sandbox.Options{KeepVar: true, ReadOnlyPaths: []string{"/var"}}, "touch /run/x", "touch /var/x"},
		} {
			t.Run(name, func(t *testing.T) {
				tc.o.Root = dir
				if tc.o.Overlay != "" {
					tc.o.Overlay = overlay(t)
				}
				if out, err := run(t, tc.o, tc.can); err != nil {
					t.Errorf("%s: %v %s", tc.can, err, out)
				}
				if out, err := run(t, tc.o, tc.canno); err == nil || !strings.Contains(out, "Read-only file system") {
					t.Errorf("%s: %v %s", tc.canno, err, out)
				}
			})
		}
		if err := sandbox.Run(t.Context(), sandbox.Options{Root: dir, Args: []string{"ls"}, ReadOnlyPaths: []string{"/nosuch"}}); err == nil || !strings.Contains(err.Error(), "/nosuch") || errors.Is(err, sandbox.ErrUnavailable) {
			t.Errorf("a path that is missing: %v", err)
		}
	})
}

func TestBinds(t *testing.T) {
	both(t, func(t *testing.T) {
		dir, host := root(t), t.TempDir()
		file := filepath.Join(host, "file, with: signs")
		if err := os.WriteFile(file, []byte("#!/bin/sh\necho from outside $0 $PWD $MORE\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		o := sandbox.Options{Root: dir, Dir: "/usr/bin", Env: []string{"MORE=more"}, Binds: []sandbox.Bind{
			{Source: file, Target: "/run/made/script", ReadOnly: true}, {Source: host, Target: "/srv/dir"}, {Source: host, Target: "/srv/fixed", ReadOnly: true},
		}}
		out, err := run(t, o, "/run/made/script && echo new >/srv/dir/new && cat /srv/fixed/new")
		if want := "from outside /run/made/script /usr/bin more\nnew\n"; err != nil || out != want {
			t.Errorf("%q, %v, want %q", out, err, want)
		}
		if b, err := os.ReadFile(filepath.Join(host, "new")); err != nil || string(b) != "new\n" {
			t.Errorf("through a bind: %q, %v", b, err)
		}
		for _, script := range []string{"echo x >/run/made/script", "touch /srv/fixed/x"} {
			if out, err := run(t, o, script); err == nil || !strings.Contains(out, "Read-only file system") {
				t.Errorf("%s: %v %s", script, err, out)
			}
		}
		o.Binds = []sandbox.Bind{{Source: filepath.Join(host, "nosuch"), Target: "/x"}}
		if err := sandbox.Run(t.Context(), sandbox.Options{Root: dir, Args: []string{"ls"}, Binds: o.Binds}); err == nil || !strings.Contains(err.Error(), "nosuch") || errors.Is(err, sandbox.ErrUnavailable) {
			t.Errorf("a source that is missing: %v", err)
		}
	})
}

func TestFailure(t *testing.T) {
	dir := root(t)
	var stdout, stderr bytes.Buffer
	err := sandbox.Run(t.Context(), sandbox.Options{Root: dir, Args: []string{"sh", "-c", "cat; echo first; printf '\\033[1mthe reason\\033[0m\\n' >&2; exit 212"},
		Stdin: strings.NewReader("input\n"), Stdout: &stdout, Stderr: &stderr})
	var exit *sandbox.ExitError
	if !errors.As(err, &exit) || exit.Status != 212 || !strings.Contains(exit.Output, "the reason") || strings.Contains(exit.Output, "\x1b") {
		t.Errorf("%v, want status 212 and the last lines", err)
	}
	if stdout.String() != "input\nfirst\n" || stderr.String() != "\x1b[1mthe reason\x1b[0m\n" {
		t.Errorf("stdout %q, stderr %q", &stdout, &stderr)
	}
	for script, status := range map[string]int{"kill -TERM $$": 128 + 15, "kill -9 $$": 128 + 9, "exit 1": 1} {
		if _, err := run(t, sandbox.Options{Root: dir}, script); !errors.As(err, &exit) || exit.Status != status {
			t.Errorf("%s: %v, want status %d", script, err, status)
		}
	}
	err = sandbox.Run(t.Context(), sandbox.Options{Root: dir, Args: []string{"nosuch"}})
	if !errors.As(err, &exit) || exit.Status != 127 || exit.Output != "nosuch: command not found" {
		t.Errorf("a missing program: %v, want status 127", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "usr/bin/broken"), []byte("#!/usr/bin/nosuch\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	err = sandbox.Run(t.Context(), sandbox.Options{Root: dir, Args: []string{"broken"}})
	if !errors.As(err, &exit) || exit.Status != 126 || exit.Output != "broken: no such file or directory" {
		t.Errorf("a script without its interpreter: %v, want status 126", err)
	}
	err = sandbox.Run(t.Context(), sandbox.Options{Root: filepath.Join(dir, "nosuch"), Args: []string{"ls"}})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a root that is missing: %v", err)
	}
}

// alive lists processes of the host whose arguments begin so.
func alive(t *testing.T, args ...string) (out []string) {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range procs {
		if b, err := os.ReadFile(p); err == nil && bytes.HasPrefix(b, []byte(strings.Join(args, "\x00"))) {
			out = append(out, p)
		}
	}
	return out
}

// gone waits until none of them is left.
func gone(t *testing.T, args ...string) {
	t.Helper()
	for range 100 {
		if len(alive(t, args...)) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("still there: %v", alive(t, args...))
}

// nap is a time that no other process sleeps; each test has its own.
func nap(n int) string { return fmt.Sprintf("9753%d.%d", n, os.Getpid()) }

// TestTimeout leaves no process behind, not even one that has detached itself and does
// not listen.
func TestTimeout(t *testing.T) {
	both(t, func(t *testing.T) {
		dir, mark := root(t, "setsid"), nap(1)
		start := time.Now()
		_, err := run(t, sandbox.Options{Root: dir, Timeout: 500 * time.Millisecond},
			"trap '' TERM INT HUP; (setsid sleep "+mark+" >/dev/null 2>&1 &) ; sleep "+mark)
		if err == nil || err.Error() != "no end within 500ms" || time.Since(start) > 30*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		gone(t, "sleep", mark)
	})
}

// TestOrphans: what a program leaves running ends with it.
func TestOrphans(t *testing.T) {
	dir, mark := root(t, "setsid"), nap(2)
	if out, err := run(t, sandbox.Options{Root: dir}, "setsid sleep "+mark+" & echo done"); err != nil || out != "done\n" {
		t.Errorf("%q, %v", out, err)
	}
	gone(t, "sleep", mark)
}

func helper(dir string) error {
	return sandbox.Run(context.Background(), sandbox.Options{Root: dir, Args: []string{"sleep", os.Getenv("TREEWRIGHT_TEST_NAP")}})
}

// TestKilled: when this program is killed, what it runs is, too.
func TestKilled(t *testing.T) {
	both(t, func(t *testing.T) {
		dir, mark := root(t), nap(3)
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), helperRoot+"="+dir, "TREEWRIGHT_TEST_NAP="+mark)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for i := 0; len(alive(t, "sleep", mark)) == 0; i++ {
			if i == 200 {
				t.Fatal("the program was not started")
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		gone(t, "sleep", mark)
	})
}

// TestNoInit: a program that forgets Init is told so, instead of being run again.
func TestNoInit(t *testing.T) {
	if os.Getenv("TREEWRIGHT_TEST_NO_INIT") != "" {
		if err := sandbox.Run(t.Context(), sandbox.Options{Root: "/", Args: []string{"true"}}); err == nil || !strings.Contains(err.Error(), "Init was not called") {
			t.Errorf("without Init: %v", err)
		}
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run", "^TestNoInit$")
	cmd.Env = append(os.Environ(), "TREEWRIGHT_TEST_NO_INIT=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestUnavailable asks where the kernel refuses: in a user namespace that allows none
// below it. Root of that namespace can do without, a plain user is told what to do.
func TestUnavailable(t *testing.T) {
	unshare := fixture.Tool(t, "unshare")
	root(t) // there is a sandbox to take away
	for name, tc := range map[string]struct{ as, want string }{
		"root":  {"exec", "^<nil>\n$"},
		"plain": {"exec setpriv --bounding-set=-all --inh-caps=-all", "^no sandbox can be made here: making namespaces: .*: run `sysctl user.max_user_namespaces=15000` as root|in a container, start it with .*\n$"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(unshare, "--user", "--map-root-user", "sh", "-c", "echo 0 >/proc/sys/user/max_user_namespaces && "+tc.as+" /proc/self/exe")
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Args[len(cmd.Args)-1] = strings.ReplaceAll(cmd.Args[len(cmd.Args)-1], "/proc/self/exe", self+" -test.run ^TestCheckHere$ -test.v")
			cmd.Env = append(os.Environ(), "TREEWRIGHT_TEST_CHECK=1")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got := regexp.MustCompile(`(?m)^CHECK (.*\n)`).FindSubmatch(out)
			if got == nil || !regexp.MustCompile(tc.want).Match(got[1]) {
				t.Errorf("%s\nwant %s", out, tc.want)
			}
		})
	}
}

// TestCheckHere prints what Check says, for TestUnavailable.
func TestCheckHere(t *testing.T) {
	if os.Getenv("TREEWRIGHT_TEST_CHECK") != "" {
		fmt.Printf("CHECK %v\n", sandbox.Check(t.Context(), t.TempDir()))
	}
}

func BenchmarkRun(b *testing.B) {
	dir := b.TempDir()
	fixture.WritePrograms(b, dir, "true")
	if err := sandbox.Check(b.Context(), dir); err != nil {
		b.Skip(err)
	}
	for b.Loop() {
		if err := sandbox.Run(b.Context(), sandbox.Options{Root: dir, Args: []string{"true"}}); err != nil {
			b.Fatal(err)
		}
	}
}

// lstat is for modes that os.FileInfo hides.
func lstat(t *testing.T, path string) unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st
}
