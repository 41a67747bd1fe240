// Package lua runs the scriptlets of packages that are written in the Lua that rpm
// has built in ("-p <lua>"), with the functions of rpm's modules posix and rpm that
// packages use.
//
// It works on the process it is in: paths are those of the process, programs are
// started by it. So it belongs into a sandbox.
//
// The language is that of Lua 5.1 with goto; rpm's is 5.3 or later, whose further
// operators no package's script is known to need.
//
// Not here: posix.fork, since a process with several threads cannot be copied;
// scripts that ask for rpm.spawn or rpm.execute first, as those of glibc do, need
// none. Macros: rpm.expand knows none but those that rpm.define made.
//
// Source: rpm's manual, page "Embedded Lua interpreter", and rpm 4.18 as observed.
package lua

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// Script is what to run.
type Script struct {
	Name   string // for messages
	Body   string
	Args   []string // arg[2] and on; arg[1] is "<lua>"
	Files  []string // what rpm.next_file tells
	Stdout io.Writer
}

// Run runs a script. The error is an [*Error] when the script failed, or the context's
// cause.
func Run(ctx context.Context, s Script) error {
	state := glua.NewState()
	defer state.Close()
	state.SetContext(ctx)
	m := &machine{L: state, script: s, macros: map[string]string{}}
	m.open()
	fn, err := state.Load(strings.NewReader(s.Body), s.Name)
	if err == nil {
		state.Push(fn)
		err = state.PCall(0, 0, nil)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return newError(err)
	}
	return nil
}

// Error is a script that failed.
type Error struct {
	Message string
	Status  int // that os.exit was called with; 1 when the script did not
}

func (e *Error) Error() string { return e.Message }

// ExitCode is the status of rpm's process would have.
func (e *Error) ExitCode() int { return e.Status }

func newError(err error) *Error {
	text := err.Error()
	if api, ok := err.(*glua.ApiError); ok {
		if exit, ok := api.Object.(*glua.LUserData); ok {
			if status, ok := exit.Value.(exitStatus); ok {
				return &Error{fmt.Sprintf("os.exit(%d)", int(status)), int(status)}
			}
		}
		text = api.Object.String()
	}
	return &Error{strings.TrimSpace(text), 1}
}

// exitStatus ends a script early.
type exitStatus int

// machine is a running script.
type machine struct {
	L      *glua.LState
	script Script
	macros map[string]string
	next   int // of Files
}

// function is one of a module.
type function = glua.LGFunction

func (m *machine) open() {
	L := m.L
	arg := L.NewTable()
	arg.Append(glua.LString("<lua>"))
	for _, a := range m.script.Args {
		arg.Append(number(a))
	}
	L.SetGlobal("arg", arg)
	L.SetGlobal("print", L.NewFunction(m.print))
	L.SetGlobal("posix", L.SetFuncs(L.NewTable(), m.posix()))
	L.SetGlobal("rpm", L.SetFuncs(L.NewTable(), m.rpm()))
	io := L.GetGlobal("io").(*glua.LTable)
	L.SetField(io, "write", L.NewFunction(m.write))
	table := L.GetGlobal("table").(*glua.LTable)
	L.SetField(table, "unpack", L.GetGlobal("unpack")) // where later versions of Lua have it
	osTable := L.GetGlobal("os").(*glua.LTable)
	L.SetField(osTable, "exit", L.NewFunction(m.exit))
	L.SetField(osTable, "execute", L.NewFunction(m.execute))
}

// number is a number where the text is one, as rpm passes counts.
func number(s string) glua.LValue {
	if v := glua.LVAsNumber(glua.LString(s)); s != "" && v.String() == s {
		return v
	}
	return glua.LString(s)
}

func (m *machine) print(L *glua.LState) int {
	for i := 1; i <= L.GetTop(); i++ {
		if i > 1 {
			io.WriteString(m.script.Stdout, "\t")
		}
		io.WriteString(m.script.Stdout, L.ToStringMeta(L.Get(i)).String())
	}
	io.WriteString(m.script.Stdout, "\n")
	return 0
}

func (m *machine) write(L *glua.LState) int {
	for i := 1; i <= L.GetTop(); i++ {
		io.WriteString(m.script.Stdout, L.CheckString(i))
	}
	return 0
}

// exit is os.exit: a status of 0 ends the script well.
func (m *machine) exit(L *glua.LState) int {
	status := 0
	switch v := L.Get(1).(type) {
	case glua.LNumber:
		status = int(v)
	case glua.LBool:
		if !bool(v) {
			status = 1
		}
	}
	L.Error(&glua.LUserData{Value: exitStatus(status)}, 0)
	return 0
}

// result is what functions of posix give: 0, or nil with a message and the number of
// the error.
func result(L *glua.LState, err error) int {
	if err == nil {
		L.Push(glua.LNumber(0))
		return 1
	}
	return failed(L, err)
}

func failed(L *glua.LState, err error) int {
	text, number := describe(err)
	L.Push(glua.LNil)
	L.Push(glua.LString(text))
	L.Push(glua.LNumber(number))
	return 3
}

// describe is "PATH: no such file or directory" and the errno.
func describe(err error) (string, int) {
	number := errno(err)
	switch e := err.(type) {
	case *os.PathError:
		return e.Path + ": " + sentence(e.Err), number
	case *os.LinkError:
		return e.New + ": " + sentence(e.Err), number
	}
	return sentence(err), number
}

// sentence is an error as C has it: with a capital.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}
