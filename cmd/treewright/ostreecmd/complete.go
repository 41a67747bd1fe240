package ostreecmd

import (
	"bytes"
	"io"

	"github.com/spf13/pflag"
)

// Complete prints what may follow args on a command line, a word a line: the commands
// of a group, else the options of the command.
func Complete(w io.Writer, args []string) error {
	at := newGroup("ostree", "", commands()...)
	for at.sub != nil {
		i := word(args)
		if i < 0 {
			break
		}
		next := find(at.sub, args[i])
		if next == nil {
			return nil
		}
		args = append(args[:i:i], args[i+1:]...)
		at = next
	}
	addCommon(at)
	var b bytes.Buffer
	for _, c := range at.sub {
		if !c.hidden {
			b.WriteString(c.name + "\n")
		}
	}
	at.flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			b.WriteString("--" + f.Name + "\n")
		}
	})
	_, err := w.Write(b.Bytes())
	return err
}
