package ostreecmd

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/treewright/treewright/pkg/spelling"
)

// features are what `ostree --version` says that this program can do. Scripts ask.
var features = []string{"gpgme", "libarchive", "selinux", "sign-ed25519", "release"}

func (p Program) version(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "libostree:\n Version: '%s'\n Git: %s\n Features:\n", compatible, p.Version)
	for _, f := range features {
		fmt.Fprintf(&b, "  - %s\n", f)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// compatible is the version of libostree whose command this one does the work of.
const compatible = "2022.7"

// help writes the usage of a command in the form that GLib gives it.
func (p Program) help(w io.Writer, c *command, title string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Usage:\n  %s [OPTION…]", title)
	if c.args != "" {
		b.WriteString(" " + c.args)
	}
	b.WriteString("\n\n")
	if c.summary != "" {
		b.WriteString(c.summary + "\n\n")
	}
	if c.sub != nil {
		kind := "Builtin Commands"
		if c.name != "ostree" {
			kind = fmt.Sprintf("Builtin %q Commands", c.name)
		}
		b.WriteString(kind + ":\n")
		writeTable(&b, commandRows(c.sub))
	}
	help, own := flagRows(c.flags)
	width := 0
	for _, r := range append(slices.Clone(help), own...) {
		width = max(width, len([]rune(r[0])))
	}
	b.WriteString("Help Options:\n")
	writeRows(&b, help, width)
	b.WriteString("Application Options:\n")
	writeRows(&b, own, width)
	_, err := w.Write(b.Bytes())
	return err
}

func commandRows(list []*command) (rows [][2]string) {
	for _, c := range list {
		if !c.hidden {
			rows = append(rows, [2]string{c.name, c.summary})
		}
	}
	return rows
}

// flagRows are the rows of --help and of the other options: -s, --long=VALUE.
func flagRows(f *pflag.FlagSet) (help, own [][2]string) {
	f.VisitAll(func(o *pflag.Flag) {
		if o.Hidden {
			return
		}
		value, text := pflag.UnquoteUsage(o)
		name := "--" + o.Name
		if o.Shorthand != "" {
			name = "-" + o.Shorthand + ", " + name
		}
		if o.Value.Type() != "bool" {
			name += "=" + strings.ToUpper(value)
		}
		if row := [2]string{name, text}; o.Name == "help" {
			help = append(help, row)
		} else {
			own = append(own, row)
		}
	})
	return help, own
}

func writeTable(b *bytes.Buffer, rows [][2]string) {
	width := 0
	for _, r := range rows {
		width = max(width, len(r[0]))
	}
	writeRows(b, rows, width)
}

func writeRows(b *bytes.Buffer, rows [][2]string, width int) {
	for _, r := range rows {
		fmt.Fprintf(b, "  %-*s     %s\n", width, r[0], r[1])
	}
	b.WriteString("\n")
}

// maybe is a question behind an unknown command, if there is one with a like name.
func maybe(list []*command, name string) string {
	var names []string
	for _, c := range list {
		if !c.hidden {
			names = append(names, c.name)
		}
	}
	if best := spelling.Nearest(name, slices.Values(names), 2); best != "" {
		return fmt.Sprintf(": did you mean '%s'?", best)
	}
	return ""
}

// Reference writes a page with the usage of every command, as Markdown.
func Reference(w io.Writer) error {
	p := Program{Name: "treewright ostree"}
	var b bytes.Buffer
	var page func(c *command, title string) error
	page = func(c *command, title string) error {
		addCommon(c)
		if c.hidden {
			return nil
		}
		fmt.Fprintf(&b, "\n## %s\n\n```\n", title)
		if err := p.help(&b, c, title); err != nil {
			return err
		}
		b.Truncate(len(bytes.TrimRight(b.Bytes(), "\n")))
		b.WriteString("\n```\n")
		for _, s := range c.sub {
			if err := page(s, title+" "+s.name); err != nil {
				return err
			}
		}
		return nil
	}
	if err := page(newGroup("ostree", "", commands()...), p.Name); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
