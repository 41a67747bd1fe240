package lua

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	glua "github.com/yuin/gopher-lua"
	"golang.org/x/sys/unix"
)

func errno(err error) int {
	var no syscall.Errno
	if errors.As(err, &no) {
		return int(no)
	}
	return 0
}

// posix is the module posix.
func (m *machine) posix() map[string]function {
	return map[string]function{
		"access":   posixAccess,
		"chdir":    func(L *glua.LState) int { return result(L, os.Chdir(L.CheckString(1))) },
		"chmod":    posixChmod,
		"chown":    posixChown,
		"dir":      posixDir,
		"errno":    func(L *glua.LState) int { L.Push(glua.LString("")); L.Push(glua.LNumber(0)); return 2 },
		"exec":     m.posixExec,
		"files":    posixFiles,
		"fork":     posixFork,
		"getcwd":   posixGetcwd,
		"getenv":   posixGetenv,
		"getgroup": func(L *glua.LState) int { return account(L, "/etc/group", groupFields) },
		"getpasswd": func(L *glua.LState) int {
			return account(L, "/etc/passwd", passwdFields)
		},
		"getpid":        func(L *glua.LState) int { L.Push(glua.LNumber(os.Getpid())); return 1 },
		"link":          func(L *glua.LState) int { return result(L, os.Link(L.CheckString(1), L.CheckString(2))) },
		"mkdir":         func(L *glua.LState) int { return result(L, os.Mkdir(L.CheckString(1), 0o777)) },
		"mkfifo":        func(L *glua.LState) int { return result(L, unix.Mkfifo(L.CheckString(1), 0o666)) },
		"putenv":        posixPutenv,
		"readlink":      posixReadlink,
		"rmdir":         func(L *glua.LState) int { return result(L, unix.Rmdir(L.CheckString(1))) },
		"setenv":        func(L *glua.LState) int { return result(L, os.Setenv(L.CheckString(1), L.CheckString(2))) },
		"sleep":         posixSleep,
		"stat":          posixStat,
		"symlink":       func(L *glua.LState) int { return result(L, unix.Symlink(L.CheckString(1), L.CheckString(2))) },
		"umask":         func(L *glua.LState) int { L.Push(glua.LString("u=rwx,g=rx,o=rx")); return 1 },
		"uname":         posixUname,
		"unlink":        func(L *glua.LState) int { return result(L, os.Remove(L.CheckString(1))) },
		"unsetenv":      func(L *glua.LState) int { return result(L, os.Unsetenv(L.CheckString(1))) },
		"utime":         posixUtime,
		"wait":          func(L *glua.LState) int { return result(L, syscall.ECHILD) },
		"redirect2null": func(L *glua.LState) int { return result(L, nil) },
	}
}

func posixAccess(L *glua.LState) int {
	var mode uint32
	for _, c := range L.OptString(2, "f") {
		mode |= map[rune]uint32{'r': unix.R_OK, 'w': unix.W_OK, 'x': unix.X_OK}[c]
	}
	path := L.CheckString(1)
	if err := unix.Access(path, mode); err != nil {
		return failed(L, &os.PathError{Path: path, Err: err})
	}
	return result(L, nil)
}

// posixChmod takes the forms that rpm's does: octal, "rwxr-xr-x" and "u=rw,go-w".
func posixChmod(L *glua.LState) int {
	path, text := L.CheckString(1), L.CheckString(2)
	st, err := os.Stat(path)
	if err != nil {
		return failed(L, err)
	}
	mode, ok := parseMode(text, uint32(st.Mode().Perm()))
	if !ok {
		L.ArgError(2, "bad mode")
	}
	return result(L, pathError(path, unix.Chmod(path, mode)))
}

func pathError(path string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Path: path, Err: err}
}

// parseMode reads a mode that may change one that is there.
func parseMode(s string, old uint32) (uint32, bool) {
	if n, err := strconv.ParseUint(s, 8, 12); err == nil {
		return uint32(n), true
	}
	if len(s) == 9 && strings.Trim(s, "rwxsStT-") == "" {
		return plainMode(s), true
	}
	for clause := range strings.SplitSeq(s, ",") {
		i := strings.IndexAny(clause, "=+-")
		if i < 0 {
			return 0, false
		}
		who, bits := uint32(0), uint32(0)
		for _, c := range clause[:i] {
			who |= map[rune]uint32{'u': 0o4700, 'g': 0o2070, 'o': 0o007, 'a': 0o6777}[c]
		}
		if i == 0 {
			who = 0o6777
		}
		for _, c := range clause[i+1:] {
			b, ok := map[rune]uint32{'r': 0o444, 'w': 0o222, 'x': 0o111, 's': 0o6000}[c]
			if !ok {
				return 0, false
			}
			bits |= b
		}
		switch clause[i] {
		case '=':
			old = old&^who | bits&who
		case '+':
			old |= bits & who
		case '-':
			old &^= bits & who
		}
	}
	return old, true
}

// plainMode reads "rwxr-xr-x".
func plainMode(s string) (mode uint32) {
	for i, c := range s {
		bit := uint32(1) << (8 - i)
		special := []uint32{0o4000, 0o2000, 0o1000}[i/3]
		switch c {
		case 's', 't':
			mode |= bit | special
		case 'S', 'T':
			mode |= special
		case '-':
		default:
			mode |= bit
		}
	}
	return mode
}

func posixChown(L *glua.LState) int {
	path := L.CheckString(1)
	uid, okUser := id(L.Get(2), "/etc/passwd")
	gid, okGroup := id(L.Get(3), "/etc/group")
	if !okUser || !okGroup {
		return failed(L, pathError(path, syscall.EINVAL))
	}
	return result(L, os.Lchown(path, uid, gid))
}

// id is a number, or that of a name; -1 when there is none.
func id(v glua.LValue, file string) (int, bool) {
	switch v := v.(type) {
	case glua.LNumber:
		return int(v), true
	case glua.LString:
		f := accountLine(file, func(f []string) bool { return f[0] == string(v) })
		if f == nil {
			return 0, false
		}
		n, err := strconv.Atoi(f[2])
		return n, err == nil
	}
	return -1, true
}

// accountLine is the fields of the line of passwd or group that fits.
func accountLine(file string, fits func([]string) bool) []string {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Split(strings.TrimRight(line, "\n"), ":"); len(f) > 3 && fits(f) {
			return f
		}
	}
	return nil
}

var (
	passwdFields = []string{"name", "passwd", "uid", "gid", "gecos", "dir", "shell"}
	groupFields  = []string{"name", "passwd", "gid"}
)

// account is posix.getpasswd or getgroup: of a name or number, all fields or one.
func account(L *glua.LState, file string, names []string) int {
	want := L.Get(1)
	f := accountLine(file, func(f []string) bool {
		return f[0] == want.String() || want.Type() == glua.LTNumber && f[2] == want.String()
	})
	if f == nil {
		return 0
	}
	t := L.NewTable()
	for i, name := range names {
		if i < len(f) {
			t.RawSetString(name, number(f[i]))
		}
	}
	if field := L.OptString(2, ""); field != "" {
		L.Push(t.RawGetString(field))
	} else {
		L.Push(t)
	}
	return 1
}

func posixDir(L *glua.LState) int {
	names, err := listDir(L.OptString(1, "."))
	if err != nil {
		return failed(L, err)
	}
	t := L.NewTable()
	for _, n := range names {
		t.Append(glua.LString(n))
	}
	L.Push(t)
	return 1
}

// listDir lists a folder as readdir does, with "." and "..".
func listDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := []string{".", ".."}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func posixFiles(L *glua.LState) int {
	names, err := listDir(L.OptString(1, "."))
	if err != nil {
		return failed(L, err)
	}
	i := 0
	L.Push(L.NewFunction(func(L *glua.LState) int {
		if i == len(names) {
			return 0
		}
		L.Push(glua.LString(names[i]))
		i++
		return 1
	}))
	return 1
}

func posixFork(L *glua.LState) int {
	L.RaiseError("posix.fork is not available here: use rpm.spawn or rpm.execute")
	return 0
}

// posixExec starts a program and ends the script with its status.
func (m *machine) posixExec(L *glua.LState) int {
	status, err := m.program(strings1(L, 1), nil)
	if err != nil {
		return failed(L, err)
	}
	L.Error(&glua.LUserData{Value: exitStatus(status)}, 0)
	return 0
}

// strings1 are the arguments from one on.
func strings1(L *glua.LState, from int) (out []string) {
	for i := from; i <= L.GetTop(); i++ {
		out = append(out, L.CheckString(i))
	}
	return out
}

// program runs a program to its end and returns its status.
func (m *machine) program(args []string, change func(*exec.Cmd) error) (int, error) {
	cmd := exec.CommandContext(m.L.Context(), args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = m.script.Stdout, m.script.Stdout
	if change != nil {
		if err := change(cmd); err != nil {
			return 0, err
		}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

func posixGetcwd(L *glua.LState) int {
	dir, err := os.Getwd()
	if err != nil {
		return failed(L, err)
	}
	L.Push(glua.LString(dir))
	return 1
}

func posixGetenv(L *glua.LState) int {
	if v, ok := os.LookupEnv(L.CheckString(1)); ok {
		L.Push(glua.LString(v))
	} else {
		L.Push(glua.LNil)
	}
	return 1
}

func posixPutenv(L *glua.LState) int {
	k, v, _ := strings.Cut(L.CheckString(1), "=")
	return result(L, os.Setenv(k, v))
}

func posixReadlink(L *glua.LState) int {
	target, err := os.Readlink(L.CheckString(1))
	if err != nil {
		return failed(L, err)
	}
	L.Push(glua.LString(target))
	return 1
}

func posixSleep(L *glua.LState) int {
	select {
	case <-time.After(time.Duration(L.CheckNumber(1)) * time.Second):
	case <-L.Context().Done():
	}
	return result(L, nil)
}

func posixUname(L *glua.LState) int {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return failed(L, err)
	}
	L.Push(glua.LString(strings.NewReplacer("%s", unix.ByteSliceToString(u.Sysname[:]), "%n", unix.ByteSliceToString(u.Nodename[:]),
		"%r", unix.ByteSliceToString(u.Release[:]), "%v", unix.ByteSliceToString(u.Version[:]), "%m", unix.ByteSliceToString(u.Machine[:]),
	).Replace(L.OptString(1, "%s %n %r %v %m"))))
	return 1
}

func posixUtime(L *glua.LState) int {
	now := time.Now().Unix()
	mtime := time.Unix(int64(L.OptNumber(2, glua.LNumber(now))), 0)
	atime := time.Unix(int64(L.OptNumber(3, glua.LNumber(now))), 0)
	return result(L, os.Chtimes(L.CheckString(1), atime, mtime))
}

// posixStat tells all of a path, or the field that is named. Links are not followed.
func posixStat(L *glua.LState) int {
	path := L.CheckString(1)
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return failed(L, pathError(path, err))
	}
	kinds := map[uint32]string{unix.S_IFREG: "regular", unix.S_IFDIR: "directory", unix.S_IFLNK: "link",
		unix.S_IFIFO: "fifo", unix.S_IFSOCK: "socket", unix.S_IFCHR: "character device", unix.S_IFBLK: "block device"}
	values := map[string]glua.LValue{
		"mode": glua.LString(modeText(st.Mode)), "ino": glua.LNumber(st.Ino), "dev": glua.LNumber(st.Dev), "nlink": glua.LNumber(st.Nlink),
		"uid": glua.LNumber(st.Uid), "gid": glua.LNumber(st.Gid), "size": glua.LNumber(st.Size), "atime": glua.LNumber(st.Atim.Sec),
		"mtime": glua.LNumber(st.Mtim.Sec), "ctime": glua.LNumber(st.Ctim.Sec), "type": glua.LString(kinds[st.Mode&unix.S_IFMT]), "_mode": glua.LNumber(st.Mode),
	}
	if field := L.OptString(2, ""); field != "" {
		v, ok := values[field]
		if !ok {
			L.ArgError(2, "unknown field "+field)
		}
		L.Push(v)
		return 1
	}
	t := L.NewTable()
	names := make([]string, 0, len(values))
	for k := range values {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		t.RawSetString(k, values[k])
	}
	L.Push(t)
	return 1
}

// modeText is "rwxr-xr-x".
func modeText(mode uint32) string {
	out := []byte("rwxrwxrwx")
	for i := range out {
		if mode&(1<<(8-i)) == 0 {
			out[i] = '-'
		}
	}
	for i, bit := range []uint32{unix.S_ISUID, unix.S_ISGID} {
		if mode&bit != 0 {
			at := 2 + 3*i
			if out[at] == 'x' {
				out[at] = 's'
			} else {
				out[at] = 'S'
			}
		}
	}
	return string(out)
}
