package treefile_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/treewright/treewright/pkg/treefile"
)

func inputs(t testing.TB, tf *treefile.Treefile) string {
	t.Helper()
	h := sha256.New()
	if err := tf.HashInputs(h); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestJSON(t *testing.T) {
	tf := parse(t, files(`
variables: {v: x}
repovars: {a: b}
conditional-include: [{if: v == "x", include: {recommends: false}}]
packages: ["b 'a >= 1'"]
packages-x86_64: [c]
add-files: [[f, /etc/f]]
check-passwd: {type: file, filename: f}
check-groups: {type: data, entries: {wheel: 10}}
remove-from-packages: [[p, "/a<b>"]]
releasever: 40
disk: {size: 1GiB}
-- f --
x
`), "t.yaml", x86)
	const want = `{
  "add-files": [
    [
      "f",
      "etc/f"
    ]
  ],
  "basearch": "x86_64",
  "check-groups": {
    "entries": {
      "wheel": 10
    },
    "type": "data"
  },
  "check-passwd": {
    "filename": "f",
    "type": "file"
  },
  "disk": {
    "size": 1073741824
  },
  "packages": [
    "a >= 1",
    "b",
    "c"
  ],
  "recommends": false,
  "releasever": 40,
  "remove-from-packages": [
    [
      "p",
      "/a<b>"
    ]
  ]
}
`
	got, err := tf.JSON()
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}

func TestParseStored(t *testing.T) {
	tf := everyKey(t)
	b, err := tf.JSON()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := treefile.ParseStored(b, "x86_64")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ got, want any }{
		"disk": {stored.Disk, tf.Disk}, "images": {stored.Images, tf.Images}, "deltas": {stored.Deltas, tf.Deltas},
		"ref": {stored.Ref, tf.Ref}, "packages": {stored.Packages, tf.Packages}, "script": {stored.PostprocessScript.Name, "s.sh"},
	} {
		if !reflect.DeepEqual(tc.got, tc.want) {
			t.Errorf("%s: %#v, want %#v", name, tc.got, tc.want)
		}
	}
	if again, err := stored.JSON(); err != nil || string(again) != string(b) {
		t.Errorf("%v\n%s\nwant\n%s", err, again, b)
	}
	if _, err := treefile.ParseStored([]byte(`{"from-the-future": 1}`), "x86_64"); err != nil {
		t.Error(err)
	}
	_, err = treefile.ParseStored([]byte("{\n\"disk\": 1}"), "x86_64")
	checkError(t, err, "treefile.json:2: disk: want a mapping with firmware, kargs, rootfs, size or stateroot, have a number")
}

// TestHashInputs: what has no effect on the tree does not change the hash, all else
// does.
func TestHashInputs(t *testing.T) {
	const base = "repos: [r1, r2]\npackages: [a, b]\nadd-files: [[f, /etc/f], [g, /etc/g]]\npostprocess-script: s.sh\n"
	const more = "-- f --\none\n-- g --\ntwo\n-- s.sh --\n#!/bin/sh\n-- part.yaml --\nrepos: [r1]\npackages: [b]\n"
	hash := func(in string) string { fsys := files(in); return inputs(t, parse(t, fsys, top(fsys), x86)) }
	want := hash(base + more)
	for name, in := range map[string]string{
		"comments": "# hi\n" + base + more,
		"order":    "postprocess-script: s.sh\npackages: [b, a]\nrepos: [r2, r1]\nadd-files: [[f, etc/f], [g, etc/g]]\n" + more,
		"JSON": `-- t.json --
{"repos": ["r1", "r2"], "packages": ["a b"], "postprocess-script": "s.sh",
 "add-files": [["f", "/etc/f"], ["g", "/etc/g"]], "comment": "x"}
` + more,
		"split":    strings.ReplaceAll(strings.ReplaceAll(base, "[r1, r2]", "[r2]"), "[a, b]", "[a]") + "include: part.yaml\n" + more,
		"metadata": base + "metadata: {a: b}\n" + more,
		"layers":   base + "ostree-layers: [a/b]\n" + more, // the caller adds their content
		"vars":     base + "variables: {a: b}\nrepovars: {a: b}\n" + more,
	} {
		if hash(in) != want {
			t.Errorf("%s changes the hash", name)
		}
	}
	for name, in := range map[string]string{
		"package":  strings.Replace(base, "a, b", "a, c", 1) + more,
		"file":     base + strings.Replace(more, "one", "eins", 1),
		"moved":    base + strings.Replace(more, "one\n-- g --\ntwo", "onet\n-- g --\nwo", 1),
		"script":   base + strings.Replace(more, "#!/bin/sh", "#!/bin/dash", 1),
		"disk":     base + "disk: {size: 1GiB}\n" + more, // as the tree stores the treefile
		"override": base + "ostree-override-layers: [a/b]\n" + more,
	} {
		if hash(in) == want {
			t.Errorf("%s does not change the hash", name)
		}
	}
}

// everyKey is testdata/all.yaml, where every key has a value that is not its default,
// but for two that would contradict others.
func everyKey(t testing.TB) *treefile.Treefile {
	return parse(t, fstest.MapFS{
		"all.yaml": {Data: mustRead(t, "testdata/all.yaml")},
		"s.sh":     {Data: []byte("#!/bin/sh\n"), Mode: 0o755}, "passwd": {Data: []byte("root:x:0:0::/:\n")},
		"empty.yaml": {Data: []byte("{}")}, "finalize.d/10-x": {Mode: 0o755},
	}, "all.yaml", x86)
}

func mustRead(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestKeys(t *testing.T) {
	tf := everyKey(t)
	var names []string
	for _, u := range tf.Keys {
		names = append(names, u.Key)
		if u.Default && u.Key != "container" && u.Key != "units" {
			t.Errorf("%s counts as default", u.Key)
		}
		if u.File != "all.yaml" && u.Key != "finalize.d" || u.Line == 0 && u.Key != "finalize.d" {
			t.Errorf("%s is at %s:%d", u.Key, u.File, u.Line)
		}
	}
	want := append(treefile.KnownKeys(), "finalize.d")
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("keys are\n%q\nwant\n%q", names, want)
	}
	// each is in the flattened form, or is meant not to be
	var flat map[string]any
	b, err := tf.JSON()
	if err == nil {
		err = json.Unmarshal(b, &flat)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range treefile.KnownKeys() {
		_, in := flat[k]
		if out := slices.Contains([]string{"include", "arch-include", "conditional-include", "variables", "repovars"}, k); in == out {
			t.Errorf("%s in the flattened form: %v", k, in)
		}
	}
	// no field of Treefile is forgotten
	v := reflect.ValueOf(*tf)
	def := reflect.ValueOf(*parse(t, files("basearch: x86_64\n"), "t.yaml", x86))
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.IsExported() && !slices.Contains([]string{"Basearch", "Container", "Units"}, f.Name) && reflect.DeepEqual(v.Field(i).Interface(), def.Field(i).Interface()) {
			t.Errorf("field %s has the value of an empty treefile: %v", f.Name, v.Field(i))
		}
	}
}

func TestKeysDefault(t *testing.T) {
	tf := parse(t, files("cliwrap: false\nselinux: true\nunits: []\ngpg-key: x\nima: true\ncheck-passwd: {type: previous}\nrpmdb: sqlite\nedition: \"2024\"\n"), "t.yaml", x86)
	want := []treefile.KeyUse{
		{Key: "check-passwd", File: "t.yaml", Line: 6, Default: true},
		{Key: "cliwrap", File: "t.yaml", Line: 1, Default: true},
		{Key: "edition", File: "t.yaml", Line: 8},
		{Key: "gpg-key", File: "t.yaml", Line: 4},
		{Key: "ima", File: "t.yaml", Line: 5},
		{Key: "rpmdb", File: "t.yaml", Line: 7, Default: true},
		{Key: "selinux", File: "t.yaml", Line: 2, Default: true},
		{Key: "units", File: "t.yaml", Line: 3, Default: true},
	}
	if !slices.Equal(tf.Keys, want) {
		t.Errorf("keys are\n%+v\nwant\n%+v", tf.Keys, want)
	}
}

func TestPlace(t *testing.T) {
	tf := parse(t, files("include: a.yaml\npackages:\n  - a\n  - b c\n-- a.yaml --\nref: x\nunits:\n  - u.service\nadd-commit-metadata:\n  k: v\n"), "t.yaml", x86)
	for _, tc := range []struct{ key, name, want string }{
		{"packages", "c", "t.yaml:4"},
		{"packages", "d", ":0"},
		{"ref", "", "a.yaml:1"},
		{"units", "u.service", "a.yaml:3"},
		{"add-commit-metadata", "k", "a.yaml:5"},
		{"selinux", "", ":0"},
	} {
		file, line := tf.Place(tc.key, tc.name)
		if got := fmt.Sprintf("%s:%d", file, line); got != tc.want {
			t.Errorf("Place(%s, %s) = %s, want %s", tc.key, tc.name, got, tc.want)
		}
	}
}

// TestCompatibility: docs/COMPATIBILITY.md has one line for each key.
func TestCompatibility(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| ((?:`[a-z-]+`(?:, )?)+) +\\| (yes|partly|no)\\b")
	var have []string
	for _, m := range row.FindAllStringSubmatch(string(mustRead(t, "../../docs/COMPATIBILITY.md")), -1) {
		have = append(have, strings.Split(strings.ReplaceAll(m[1], "`", ""), ", ")...)
	}
	slices.Sort(have)
	if want := treefile.KnownKeys(); !slices.Equal(have, want) {
		for _, k := range want {
			if !slices.Contains(have, k) {
				t.Errorf("%s has no line", k)
			}
		}
		t.Errorf("keys with a line:\n%q\nwant\n%q", have, want)
	}
}
