package lua_test

import (
	"context"
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/rootfs/lua"
)

func run(t *testing.T, s lua.Script) (string, error) {
	t.Helper()
	var out strings.Builder
	s.Stdout = &out
	err := lua.Run(t.Context(), s)
	return out.String(), err
}

// whole is a number as later versions of Lua print those that functions give.
var whole = regexp.MustCompile(`\b(\d+)\.0\b`)

// TestAsRPM compares with what rpm's own interpreter prints.
func TestAsRPM(t *testing.T) {
	rpm := fixture.Tool(t, "rpm")
	for _, body := range []string{
		`print(rpm.vercmp("1.0~rc1", "1.0"), rpm.vercmp("1:1", "2"), rpm.vercmp("1-1", "1-1"))`,
		`print(rpm.b64encode("hello"), rpm.b64decode("aGVsbG8="))`,
		`rpm.define("twx 17"); print(rpm.expand("a%{twx}b%%%{?nosuchtwx}c"))`,
		`print(posix.stat("/etc/passwd", "type"), posix.stat("/etc/passwd", "mode"), posix.stat("/etc/passwd", "uid"))`,
		`print(posix.stat("/bin", "type"), posix.stat("/nosuch"))`,
		`local t = posix.stat("/etc/passwd"); print(t.type, t.mode, t.size, t.nlink, t.mtime, t._mode)`,
		`print(posix.access("/etc/passwd"), posix.access("/etc/passwd", "x"), posix.access("/nosuch", "r"))`,
		`print(posix.readlink("/proc/self/cwd") ~= nil, posix.readlink("/etc/passwd"))`,
		`print(posix.symlink("x", "/proc/nosuch/y"))`,
		`print(posix.mkdir("/proc/nosuch/y"))`,
		`print(posix.rmdir("/nosuch"), posix.unlink("/nosuch"), posix.chmod("/nosuch", "0644"))`,
		`local d = posix.dir("/etc/apt"); table.sort(d); print(table.concat(d, " "))`,
		`local d = {}; for f in posix.files("/etc/apt") do d[#d + 1] = f end; table.sort(d); print(table.concat(d, " "))`,
		`print(posix.getenv("HOME"), posix.getenv("NOSUCHVAR"))`,
		`print(posix.getpasswd("root", "uid"), posix.getpasswd("root").dir, posix.getpasswd(0, "name"), posix.getgroup("root").gid)`,
		`print(rpm.execute("/bin/true"), (rpm.execute("/bin/sh", "-c", "exit 3")))`,
		`print(os.execute("exit 2"))`,
		`print(posix.uname("%s"), posix.umask and "u")`,
		`posix.setenv("TWX", "v"); local v = posix.getenv("TWX"); posix.unsetenv("TWX"); print(v, posix.getenv("TWX"))`,
		`print(select("#", 1, 2, 3), string.rep("ab", 3), 7 % 3, 2 ^ 3 == 8)`,
	} {
		cmd := exec.Command(rpm, "--eval", "%{lua:"+body+"}")
		want, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: rpm: %v", body, err)
			continue
		}
		got, err := run(t, lua.Script{Name: "test", Body: body})
		if err != nil || strings.TrimSpace(got) != whole.ReplaceAllString(strings.TrimSpace(string(want)), "$1") {
			t.Errorf("%s\n got %q, %v\nwant %q", body, got, err, want)
		}
	}
}

func TestFails(t *testing.T) {
	for body, want := range map[string]string{
		`error("went wrong")`: "test:1: went wrong",
		`posix.fork()`:        "test:1: posix.fork is not available here: use rpm.spawn or rpm.execute",
		`nosuch()`:            "test:1: attempt to call a non-function object",
		`os.exit(5)`:          "os.exit(5)",
	} {
		_, err := run(t, lua.Script{Name: "test", Body: body})
		var failed *lua.Error
		if !errors.As(err, &failed) || !strings.HasPrefix(failed.Message, want) {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
	stop := errors.New("stop")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, stop)
	defer cancel()
	if err := lua.Run(ctx, lua.Script{Body: "while true do end", Stdout: &strings.Builder{}}); !errors.Is(err, stop) {
		t.Errorf("a loop for ever: %v", err)
	}
}

func TestNextFile(t *testing.T) {
	got, err := run(t, lua.Script{Name: "test", Body: `local f = rpm.next_file(); while f do print(f); f = rpm.next_file() end; print(arg[1], arg[2] + 1)`, Args: []string{"1"}, Files: []string{"/a", "/b"}})
	if want := "/a\n/b\n<lua>\t2\n"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
