package sandbox_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/rootfs/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// root is a folder with busybox' shell or the host's, and what that needs.
func root(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, prog := range []string{"sh", "cat", "ls", "sleep", "touch", "id", "hostname", "kill"} {
		path := fixture.Tool(t, prog)
		copyWithLibraries(t, dir, path)
	}
	return dir
}

func copyWithLibraries(t *testing.T, dir, path string) {
	t.Helper()
	copyFile(t, path, filepath.Join(dir, "bin", filepath.Base(path)))
	out, err := exec.Command("ldd", path).Output()
	if err != nil {
		return // a static program
	}
	for word := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(word, "/") {
			copyFile(t, word, filepath.Join(dir, word))
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, b, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir, script string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := sandbox.Run(t.Context(), sandbox.Options{Root: dir, Args: []string{"sh", "-c", script}, Output: &out})
	if errors.Is(err, sandbox.ErrUnavailable) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	return out.String(), err
}

func TestInside(t *testing.T) {
	dir := root(t)
	if err := os.WriteFile(filepath.Join(dir, "marker"), []byte("inside\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ script, want string }{
		"root is the folder":       {"cat /marker", "inside"},
		"one is root":              {"id -u", "0"},
		"alone in the pid space":   {"ls -d /proc/[0-9]* | cat", "/proc/1"},
		"no network":               {"cat /proc/net/dev", "lo:"},
		"devices":                  {"echo gone >/dev/null; ls /dev/null", "/dev/null"},
		"folders to write to":      {"touch /tmp/a /run/b /var/tmp/c && echo ok", "ok"},
		"a name of its own":        {"hostname", "localhost"},
		"the host is out of sight": {"ls /proc/1/root/ | cat", "marker"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := run(t, dir, tc.script)
			if err != nil || !strings.Contains(out, tc.want) {
				t.Errorf("%s: %q, %v, want %q", tc.script, out, err, tc.want)
			}
		})
	}
	if out, err := run(t, dir, "cat /proc/net/dev"); err != nil || strings.Count(out, ":") != 1 {
		t.Errorf("there are more network devices than lo: %q, %v", out, err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("/tmp was kept: %v, %v", left, err)
	}
}

func TestFailure(t *testing.T) {
	dir := root(t)
	_, err := run(t, dir, "echo first; echo the reason >&2; exit 7")
	var exit *sandbox.ExitError
	if !errors.As(err, &exit) || exit.Status != 7 || !strings.Contains(exit.Output, "the reason") {
		t.Errorf("%v, want status 7 and the last lines", err)
	}
	err = sandbox.Run(t.Context(), sandbox.Options{Root: dir, Args: []string{"nosuch"}})
	if !errors.As(err, &exit) || exit.Status != 127 {
		t.Errorf("a missing program: %v, want status 127", err)
	}
}

// TestTimeout leaves no process behind, not even one that has detached itself.
func TestTimeout(t *testing.T) {
	dir := root(t)
	mark := "97531.8642"
	start := time.Now()
	err := sandbox.Run(t.Context(), sandbox.Options{Root: dir, Args: []string{"sh", "-c", "(sleep " + mark + " &) ; sleep " + mark}, Timeout: 500 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "no end within") || time.Since(start) > 30*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	time.Sleep(100 * time.Millisecond)
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range procs {
		if b, err := os.ReadFile(p); err == nil && bytes.HasPrefix(b, []byte("sleep\x00"+mark)) {
			t.Errorf("%s is still there", p)
		}
	}
}
