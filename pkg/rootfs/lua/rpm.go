package lua

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/treewright/treewright/pkg/nevra"
)

// rpm is the module rpm.
func (m *machine) rpm() map[string]function {
	return map[string]function{
		"b64decode": b64decode,
		"b64encode": func(L *glua.LState) int {
			L.Push(glua.LString(base64.StdEncoding.EncodeToString([]byte(L.CheckString(1))) + "\n"))
			return 1
		},
		"define":      m.define,
		"execute":     func(L *glua.LState) int { return m.status(L, strings1(L, 1), nil) },
		"expand":      m.expand,
		"glob":        rpmGlob,
		"interactive": func(*glua.LState) int { return 0 },
		"isdefined":   m.isDefined,
		"next_file":   m.nextFile,
		"spawn":       m.spawn,
		"undefine":    func(L *glua.LState) int { delete(m.macros, L.CheckString(1)); return 0 },
		"vercmp":      vercmp,

		"redirect2null": func(L *glua.LState) int { return result(L, nil) },
	}
}

func b64decode(L *glua.LState) int {
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(L.CheckString(1)), ""))
	if err != nil {
		L.ArgError(1, err.Error())
	}
	L.Push(glua.LString(b))
	return 1
}

// define is rpm.define("NAME BODY").
func (m *machine) define(L *glua.LState) int {
	name, body, _ := strings.Cut(L.CheckString(1), " ")
	m.macros[name] = strings.TrimSpace(body)
	return 0
}

func (m *machine) isDefined(L *glua.LState) int {
	_, ok := m.macros[strings.Trim(L.CheckString(1), "%{}")]
	L.Push(glua.LBool(ok))
	L.Push(glua.LBool(false)) // takes no arguments
	return 2
}

var macro = regexp.MustCompile(`%%|%\{\??[A-Za-z_][A-Za-z0-9_]*\}|%[A-Za-z_][A-Za-z0-9_]{2,}`)

// expand replaces macros; those that nobody defined stay, or vanish as %{?name}.
func (m *machine) expand(L *glua.LState) int {
	out := macro.ReplaceAllStringFunc(L.CheckString(1), func(s string) string {
		if s == "%%" {
			return "%"
		}
		name := strings.Trim(s, "%{}?")
		if v, ok := m.macros[name]; ok {
			return v
		}
		if strings.HasPrefix(s, "%{?") {
			return ""
		}
		return s
	})
	L.Push(glua.LString(out))
	return 1
}

// rpmGlob is rpm.glob(PATTERN[, "c"]): paths that match; with "c" the pattern itself
// when none does.
func rpmGlob(L *glua.LState) int {
	pattern := L.CheckString(1)
	list, err := filepath.Glob(pattern)
	if err != nil {
		L.ArgError(1, err.Error())
	}
	if len(list) == 0 && strings.Contains(L.OptString(2, ""), "c") {
		list = []string{pattern}
	}
	t := L.NewTable()
	for _, p := range list {
		t.Append(glua.LString(p))
	}
	L.Push(t)
	return 1
}

// nextFile is the next file of a trigger on files.
func (m *machine) nextFile(L *glua.LState) int {
	if m.next == len(m.script.Files) {
		return 0
	}
	L.Push(glua.LString(m.script.Files[m.next]))
	m.next++
	return 1
}

func vercmp(L *glua.LState) int {
	a, errA := nevra.ParseEVR(L.CheckString(1))
	b, errB := nevra.ParseEVR(L.CheckString(2))
	if errA != nil || errB != nil {
		L.RaiseError("rpm.vercmp: %q and %q: want [EPOCH:]VERSION[-RELEASE]", L.CheckString(1), L.CheckString(2))
	}
	L.Push(glua.LNumber(nevra.Compare(a, b)))
	return 1
}

// execute is os.execute.
func (m *machine) execute(L *glua.LState) int {
	line := L.OptString(1, "")
	if line == "" {
		_, err := os.Stat("/bin/sh")
		L.Push(glua.LBool(err == nil))
		return 1
	}
	status, err := m.program([]string{"/bin/sh", "-c", line}, nil)
	if err != nil {
		return failed(L, err)
	}
	if status == 0 {
		L.Push(glua.LTrue)
	} else {
		L.Push(glua.LNil)
	}
	L.Push(glua.LString("exit"))
	L.Push(glua.LNumber(status))
	return 3
}

// status runs a program and gives 0, or nil, "exit code" and the status.
func (m *machine) status(L *glua.LState, args []string, change func(*exec.Cmd) error) int {
	status, err := m.program(args, change)
	if err != nil {
		return failed(L, err)
	}
	if status == 0 {
		return result(L, nil)
	}
	L.Push(glua.LNil)
	L.Push(glua.LString("exit code"))
	L.Push(glua.LNumber(status))
	return 3
}

// spawn is rpm.spawn({PROGRAM, ARG…}[, {stdin=, stdout=, stderr=}]).
func (m *machine) spawn(L *glua.LState) int {
	var args []string
	L.CheckTable(1).ForEach(func(k, v glua.LValue) {
		if k.Type() == glua.LTNumber {
			args = append(args, v.String())
		}
	})
	if len(args) == 0 {
		L.ArgError(1, "no program")
	}
	options := L.OptTable(2, L.NewTable())
	var opened []*os.File
	defer func() {
		for _, f := range opened {
			f.Close()
		}
	}()
	return m.status(L, args, func(cmd *exec.Cmd) error {
		for name, set := range map[string]func(*os.File){
			"stdin": func(f *os.File) { cmd.Stdin = f }, "stdout": func(f *os.File) { cmd.Stdout = f }, "stderr": func(f *os.File) { cmd.Stderr = f },
		} {
			path, ok := options.RawGetString(name).(glua.LString)
			if !ok {
				continue
			}
			f, err := os.OpenFile(string(path), os.O_RDWR|os.O_CREATE, 0o644)
			if err != nil {
				return err
			}
			opened = append(opened, f)
			set(f)
		}
		return nil
	})
}
