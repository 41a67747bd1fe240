package ostreecmd_test

import (
	"bytes"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/treewright/treewright/cmd/treewright/ostreecmd"
	"github.com/treewright/treewright/pkg/fixture"
)

// exceptions are commands and options that stock has and ours not, with the reason. An
// option's key is the command line, a space, and the option.
var exceptions = map[string]string{
	"admin": "hosts are not managed from here",
}

// option is one option of a command.
type option struct {
	short string
	value bool // it takes one
}

var (
	optionLine  = regexp.MustCompile(`^  (?:-(\w), )?--([a-z0-9-]+)(=\S*)?`)
	commandLine = regexp.MustCompile(`^  ([a-z-]+)(?: |$)`)
)

// parseHelp reads what --help prints.
func parseHelp(text string) (commands []string, options map[string]option) {
	options = map[string]option{}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasSuffix(line, ":") && !strings.HasPrefix(line, " ") {
			section = line
		}
		if m := commandLine.FindStringSubmatch(line); m != nil && strings.HasPrefix(section, "Builtin") {
			commands = append(commands, m[1])
		}
		if m := optionLine.FindStringSubmatch(line); m != nil {
			options[m[2]] = option{m[1], m[3] != ""}
		}
	}
	return commands, options
}

func stockHelp(t *testing.T, words []string) string {
	t.Helper()
	out, err := exec.Command(fixture.Tool(t, "ostree"), append(slices.Clone(words), "--help")...).Output()
	if err != nil {
		t.Fatalf("ostree %s --help: %v", strings.Join(words, " "), err)
	}
	return string(out)
}

func ourHelp(t *testing.T, words []string) string {
	t.Helper()
	var out, errs bytes.Buffer
	prog := ostreecmd.Program{Name: "ostree"}
	if prog.Run(t.Context(), append(slices.Clone(words), "--help"), ostreecmd.Streams{Out: &out, Err: &errs}) != 0 {
		t.Fatalf("ostree %s --help: %s", strings.Join(words, " "), errs.Bytes())
	}
	return out.String()
}

// TestOptions compares the commands and options that --help lists with those of stock:
// none may be missing, and each has stock's letter and takes a value where stock's does.
func TestOptions(t *testing.T) {
	compareHelp(t, nil)
}

func compareHelp(t *testing.T, words []string) {
	want, wantOptions := parseHelp(stockHelp(t, words))
	got, gotOptions := parseHelp(ourHelp(t, words))
	at := strings.Join(words, " ")
	for _, name := range slices.Sorted(maps.Keys(wantOptions)) {
		w := wantOptions[name]
		g, ok := gotOptions[name]
		key := strings.TrimSpace(at + " --" + name)
		switch {
		case !ok && exceptions[key] == "":
			t.Errorf("ostree %s: option --%s is missing", at, name)
		case ok && (g.short != w.short || w.value && !g.value): // stock does not name every value
			t.Errorf("ostree %s --%s: short %q, with a value %t; stock: short %q, with a value %t", at, name, g.short, g.value, w.short, w.value)
		case ok && exceptions[key] != "":
			t.Errorf("ostree %s is there: take it out of the exceptions", key)
		}
	}
	for _, name := range want {
		sub := append(slices.Clone(words), name)
		key := strings.Join(sub, " ")
		switch {
		case slices.Contains(got, name):
			if exceptions[key] != "" {
				t.Errorf("ostree %s is there: take it out of the exceptions", key)
			}
			compareHelp(t, sub)
		case exceptions[key] == "":
			t.Errorf("ostree %s: the command is missing", key)
		}
	}
}
