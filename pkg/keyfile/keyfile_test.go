package keyfile_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/treewright/treewright/pkg/keyfile"
)

const sample = `# of the file

[core]
# about the version
repo_version=1
 mode = bare
empty=
# behind core

[remote "a"]
url=x
url=y
key with space=1
branches=one;t\;wo;th\sree;

# about other
[other]
esc=a\nb\sc\\n
[core]
extra=5
`

func parse(t testing.TB, text string) *keyfile.File {
	t.Helper()
	f, err := keyfile.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The wanted values are those of `ostree config get`.
func TestGet(t *testing.T) {
	f := parse(t, sample)
	for _, tc := range []struct{ group, key, want string }{
		{"core", "repo_version", "1"}, {"core", "mode", "bare"}, {"core", "extra", "5"}, {"core", "empty", ""},
		{`remote "a"`, "url", "y"}, {`remote "a"`, "key with space", "1"}, {"other", "esc", "a\nb c\\n"},
	} {
		if got, ok := f.Get(tc.group, tc.key); !ok || got != tc.want {
			t.Errorf("Get(%s, %s) = %q, %v, want %q", tc.group, tc.key, got, ok, tc.want)
		}
	}
	for _, key := range []string{"nosuch", "", "url"} {
		if got, ok := f.Get("core", key); ok {
			t.Errorf("Get(core, %q) = %q", key, got)
		}
	}
	if got, _ := f.List(`remote "a"`, "branches"); !slices.Equal(got, []string{"one", "t;wo", "th ree"}) {
		t.Errorf("List = %q", got)
	}
	if got := f.Groups(); !slices.Equal(got, []string{"core", `remote "a"`, "other"}) {
		t.Errorf("Groups = %q", got)
	}
	if got := f.Keys("core"); !slices.Equal(got, []string{"repo_version", "mode", "empty", "extra"}) {
		t.Errorf("Keys = %q", got)
	}
}

func TestEdit(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		edit func(*keyfile.File) error
		want string
	}{
		"a value is replaced where it stands": {
			"[a]\n#1\nk=1\n#2\nl=2\n", func(f *keyfile.File) error { return f.Set("a", "k", "x") }, "[a]\n#1\nk=x\n#2\nl=2\n"},
		"a key comes behind the last of its group": {
			"[a]\nk=1\n\n# of b\n[b]\n", func(f *keyfile.File) error { return f.Set("a", "n", "x") }, "[a]\nk=1\nn=x\n\n# of b\n[b]\n"},
		"a group comes last": {
			"[a]\nk=1", func(f *keyfile.File) error { return f.Set("b", "n", "x") }, "[a]\nk=1\n\n[b]\nn=x\n"},
		"an empty file gets no blank line": {
			"", func(f *keyfile.File) error { return f.Set("b", "n", " \tx\ny\\") }, "[b]\nn=\\s\\tx\\ny\\\\\n"},
		"lists": {
			"", func(f *keyfile.File) error { return f.SetList("b", "n", []string{"x", "y;z", `\`}) }, "[b]\nn=x;y\\;z;\\\\;\n"},
		"a group stays without its keys": {
			"[a]\nk=1\nk=2\n", func(f *keyfile.File) error { f.Unset("a", "k"); f.Unset("b", "k"); return nil }, "[a]\n"},
		"a group goes, the comment of the next one stays": {
			"[a]\nk=1\n\n[b]\nx=1\n\n# of c\n[c]\n", func(f *keyfile.File) error { f.RemoveGroup("b"); return nil }, "[a]\nk=1\n\n# of c\n[c]\n"},
		"the last group goes with the blank line before it": {
			"[a]\nk=1\n\n[b]\nx=1\n", func(f *keyfile.File) error { f.RemoveGroup("b"); return nil }, "[a]\nk=1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := parse(t, tc.text)
			if err := tc.edit(f); err != nil {
				t.Fatal(err)
			}
			if got := string(f.Bytes()); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	f := &keyfile.File{}
	for _, bad := range [][2]string{{"", "k"}, {"a]", "k"}, {"a\n", "k"}, {"a", ""}, {"a", "x=y"}, {"a", "x\ny"}, {"a", " x"}, {"a", "#x"}} {
		if err := f.Set(bad[0], bad[1], "v"); !errors.Is(err, keyfile.ErrMalformed) {
			t.Errorf("Set(%q, %q) = %v", bad[0], bad[1], err)
		}
	}
}

// Stock `ostree` refuses a configuration with each of these lines.
func TestParseErrors(t *testing.T) {
	for text, want := range map[string]keyfile.LineError{
		"[a]\ngarbage\n":   {Line: 2, Text: "garbage"},
		"[a]\nk=1\n[\n":    {Line: 3, Text: "["},
		"k=1\n[a]\n":       {Line: 1, Text: "k=1", Early: true},
		"[a]\n\n  =x\n":    {Line: 3, Text: "=x"},
		"[a]\n[b]=c\nk=1":  {Line: 2, Text: "[b]=c"},
		"[a]\r\n[]\r\nk=1": {Line: 2, Text: "[]"},
	} {
		var got *keyfile.LineError
		if _, err := keyfile.Parse([]byte(text)); !errors.As(err, &got) || *got != want || !errors.Is(err, keyfile.ErrMalformed) {
			t.Errorf("Parse(%q) = %v, want %+v", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample), "core", "mode", "new\n value;\\")
	f.Add([]byte("[a]\r\nk=1\r\n"), "b", "k", " ")
	f.Add([]byte("[a]\nk[de]=1"), "a", "k", "")
	f.Fuzz(func(t *testing.T, in []byte, group, key, value string) {
		file, err := keyfile.Parse(in)
		if err != nil {
			return
		}
		if out := file.Bytes(); !bytes.Equal(out, in) {
			t.Fatalf("parse and write changed the bytes:\n in %q\nout %q", in, out)
		}
		if file.Set(group, key, value) != nil {
			return
		}
		again := parse(t, string(file.Bytes()))
		if got, ok := again.Get(group, key); !ok || got != value {
			t.Fatalf("Set(%q, %q, %q), then Get = %q, %v in %q", group, key, value, got, ok, file.Bytes())
		}
		if again.RemoveGroup(group); parse(t, string(again.Bytes())).HasGroup(group) {
			t.Fatalf("%q is still there: %q", group, again.Bytes())
		}
	})
}
