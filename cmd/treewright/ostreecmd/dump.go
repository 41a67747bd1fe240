package ostreecmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
)

// dumpOptions are how show and log print objects.
type dumpOptions struct {
	raw  bool // as the text of the GVariant
	asIs bool // the same, without swapping the bytes of numbers

	gpgHome, remote string // whose keys show judges signatures by
}

// dumpVariant prints a value whose numbers are big-endian, as most in OSTree are.
func (e *env) dumpVariant(v gvariant.Variant, asIs bool) error {
	if !asIs {
		v = v.Swap()
	}
	text, err := v.Text(true)
	if err != nil {
		return err
	}
	e.printf("%s\n", text)
	return nil
}

// dumpBytes prints the bytes of an object.
func (e *env) dumpBytes(typ string, raw []byte, asIs bool) error {
	v, err := gvariant.Decode(typ, raw)
	if err != nil {
		return err
	}
	return e.dumpVariant(gvariant.Variant{Type: typ, Value: v}, asIs)
}

// objectTypes are the GVariant types of metadata objects.
var objectTypes = map[ostree.ObjectType]string{
	ostree.TypeCommit: "(a{sv}aya(say)sstayay)", ostree.TypeDirMeta: "(uuua(ayay))", ostree.TypeDirTree: "(a(say)a(sayay))",
}

// dumpRaw prints an object as a GVariant when that is asked for, and tells whether
// nothing else is to be printed: asIs prints the rest, too, as stock does.
func (e *env) dumpRaw(t ostree.ObjectType, raw []byte, o dumpOptions) (done bool, err error) {
	if !o.raw && !o.asIs {
		return false, nil
	}
	return !o.asIs, e.dumpBytes(objectTypes[t], raw, o.asIs)
}

// dumpCommit prints a commit and returns it.
func (e *env) dumpCommit(sum ostree.Checksum, raw []byte, o dumpOptions) (*ostree.Commit, error) {
	commit, err := ostree.ParseCommit(raw)
	if err != nil {
		return nil, err
	}
	e.printf("commit %s\n", sum)
	if done, err := e.dumpRaw(ostree.TypeCommit, raw, o); done || err != nil {
		return commit, err
	}
	if commit.Parent != nil {
		e.printf("Parent:  %s\n", commit.Parent)
	}
	date := time.Unix(int64(commit.Timestamp), 0).UTC().Format("2006-01-02 15:04:05 -0700")
	e.printf("ContentChecksum:  %s\nDate:  %s\n", commit.ContentChecksum(), date)
	if v := commit.Version(); v != "" {
		e.printf("Version: %s\n", v)
	}
	if commit.Subject == "" {
		e.printf("(no subject)\n")
	} else {
		e.printf("\n%s", indent(commit.Subject))
	}
	if commit.Body != "" {
		e.printf("\n%s", indent(commit.Body))
	}
	e.printf("\n")
	return commit, nil
}

// indent sets lines in by four.
func indent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString("    " + strings.TrimSuffix(line, "\n") + "\n")
	}
	return b.String()
}

// formatSize is a size in units of thousands, as GLib shows it: with a blank where no
// line breaks.
func formatSize(n uint64) string {
	switch {
	case n == 1:
		return "1 byte"
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	}
	x, unit := float64(n)/1000, 0
	for ; x >= 1000 && unit < 5; unit++ {
		x /= 1000
	}
	return fmt.Sprintf("%.1f\u00a0%cB", x, "kMGTPE"[unit])
}
