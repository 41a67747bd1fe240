package treefile_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/treewright/treewright/pkg/treefile"
)

func parse(t testing.TB, files map[string]string) (*treefile.Treefile, error) {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, body := range files {
		mode := 0o644
		if strings.HasSuffix(name, ".sh") {
			mode = 0o755
		}
		fsys[name] = &fstest.MapFile{Data: []byte(body), Mode: 0o644}
		fsys[name].Mode = fsys[name].Mode&^0o777 | 0o644
		if mode == 0o755 {
			fsys[name].Mode |= 0o111
		}
	}
	return treefile.Parse(fsys, "main.yaml", treefile.Options{Basearch: "x86_64"})
}

// The merge rules are those of rpm-ostree: the includer wins, package lists unite,
// other lists are included ones first, maps unite.
func TestMerge(t *testing.T) {
	tf, err := parse(t, map[string]string{
		"main.yaml": `
include: [sub/a.yaml, b.yaml]
ref: main/${basearch}/${stream}
variables: {stream: devel, number: 41}
packages: [zsh, "bash 'podman >= 4.1'"]
packages-x86_64: [grub2]
packages-aarch64: [uboot]
units: [main.service]
add-commit-metadata: {who: main, stream: "${stream}", unknown: "${nosuch}"}
postprocess: [main]
`,
		"sub/a.yaml": "ref: a\npackages: [bash, from-a]\nunits: [a.service]\nadd-commit-metadata: {who: a, only-a: 1}\npostprocess: [a]\nadd-files: [[file, /etc/file]]\n",
		"sub/file":   "content",
		"b.yaml":     "include: c.json\nrecommends: false\nunits: [b.service]\npostprocess: [b]\n",
		"c.json":     `{"recommends": true, "documentation": false, "units": ["c.service"], "postprocess": ["c"]}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"ref", tf.Ref, "main/x86_64/devel"},
		{"packages", tf.Packages, []string{"bash", "from-a", "grub2", "podman >= 4.1", "zsh"}},
		{"units", tf.Units, []string{"c.service", "b.service", "a.service", "main.service"}},
		{"postprocess", tf.Postprocess, []string{"c", "b", "a", "main"}},
		{"recommends", tf.Recommends, false},
		{"documentation", tf.Documentation, false},
		{"metadata", tf.AddCommitMetadata, map[string]any{"who": "main", "stream": "devel", "only-a": int64(1), "unknown": "${nosuch}"}},
		{"selinux", tf.Selinux, true},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s = %#v, want %#v", c.name, c.got, c.want)
		}
	}
	if len(tf.AddFiles) != 1 || string(tf.AddFiles[0].Body) != "content" || tf.AddFiles[0].Dest != "etc/file" {
		t.Errorf("add-files = %+v", tf.AddFiles)
	}
	flat, err := tf.JSON()
	if err != nil || !strings.Contains(string(flat), `"basearch": "x86_64"`) || strings.Contains(string(flat), "variables") {
		t.Errorf("JSON = %s, %v", flat, err)
	}
	again, err := treefile.ParseStored(flat, "x86_64")
	if err != nil || again.Ref != tf.Ref || !reflect.DeepEqual(again.Packages, tf.Packages) {
		t.Errorf("ParseStored = %+v, %v", again, err)
	}
}

func TestConditions(t *testing.T) {
	tf, err := parse(t, map[string]string{
		"main.yaml": `
releasever: 42
variables: {prod: false, stream: testing}
conditional-include:
  - if: prod == false
    include: {add-commit-metadata: {devel: true}}
  - if: releasever < 42
    include: old.yaml
  - if: [prod == false, 'stream == "testing"']
    include: testing.yaml
arch-include:
  aarch64: arm.yaml
  x86_64: x86.yaml
`,
		"testing.yaml": "packages: [tests]\n", "x86.yaml": "packages: [microcode]\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(tf.Packages, []string{"microcode", "tests"}) || tf.AddCommitMetadata["devel"] != true || tf.Releasever != "42" {
		t.Errorf("packages %q, metadata %v, releasever %q", tf.Packages, tf.AddCommitMetadata, tf.Releasever)
	}
}

func TestOurs(t *testing.T) {
	tf, err := parse(t, map[string]string{"main.yaml": `
images: [qcow2, {format: vdi, size: 20GiB}]
disk: {size: 10 GiB, firmware: [uefi], kargs: [quiet], stateroot: os}
deltas: {from: 3, empty: true}
`})
	if err != nil {
		t.Fatal(err)
	}
	if len(tf.Images) != 2 || tf.Images[1].Size != 20<<30 || tf.Disk.Size != 10<<30 || tf.Disk.Stateroot != "os" || *tf.Deltas.From != 3 || !tf.Deltas.Empty {
		t.Errorf("images %+v, disk %+v, deltas %+v", tf.Images, tf.Disk, tf.Deltas)
	}
}

func TestErrors(t *testing.T) {
	for name, tc := range map[string]struct{ body, want string }{
		"unknown key":       {"ref: x\npakages: []\n", `main.yaml:2: unknown key "pakages": did you mean "packages"?`},
		"nothing like it":   {"qqqqqqqqqq: 1\n", `main.yaml:1: unknown key "qqqqqqqqqq"`},
		"set twice":         {"ref: a\nref: b\n", `main.yaml:2: ref: is set twice`},
		"both spellings":    {"boot-location: new\nboot_location: new\n", `main.yaml:2: boot_location: is another spelling of boot-location, which is set, too`},
		"type of a list":    {"units: 3\n", `main.yaml:1: units: want a list of strings, have a number`},
		"type in a list":    {"units:\n  - a\n  - [b]\n", `main.yaml:3: units[1]: want a string, have a list`},
		"boolean":           {"selinux: maybe\n", `main.yaml:1: selinux: want true or false, have a string`},
		"quote":             {"packages: [\"'foo\"]\n", `main.yaml:1: packages[0]: "'foo": a quote does not end`},
		"missing include":   {"include: nosuch.yaml\n", `main.yaml:1: include: nosuch.yaml does not exist`},
		"include of itself": {"include: main.yaml\n", `main.yaml:1: include: main.yaml includes itself by this way`},
		"kickstart":         {"include: x.ks\n", `x.ks: kickstart files are not supported: write the packages as a treefile`},
		"condition":         {"conditional-include: [{if: nosuch == 1, include: x.yaml}]\n", `main.yaml:1: conditional-include[0]: condition "nosuch == 1": variable nosuch is not defined`},
		"image format":      {"images: [vhdx]\n", `main.yaml:1: images[0]: format "vhdx" is not known: want one of qcow2, vdi, openstack, raw`},
		"size":              {"disk: {size: big}\n", `main.yaml:1: disk.size: size "big": want a number and a unit such as MiB or GiB`},
		"add to /var":       {"add-files: [[x.ks, /var/lib/x]]\n", `main.yaml:1: add-files[0]: destination /var/lib/x: want a path below /usr or /etc`},
		"add what is not":   {"add-files: [[nosuch, /etc/x]]\n", `main.yaml:1: add-files[0]: nosuch is no file beside the treefile`},
		"remove from /":     {"remove-files: [/etc/x]\n", `main.yaml:1: remove-files[0]: "/etc/x": want a path relative to the root, such as usr/share/doc`},
		"not executable":    {"postprocess-script: x.ks\n", `main.yaml:1: postprocess-script: x.ks is not executable`},
		"reserved variable": {"variables: {basearch: x}\n", `main.yaml:1: variables.basearch: is set by itself and may not be defined`},
		"another arch":      {"basearch: s390x\n", `main.yaml:1: basearch: is s390x, the compose is for x86_64`},
		"units, first boot": {"machineid-compat: false\nunits: [a.service]\n", `main.yaml:2: units: cannot go with machineid-compat: false: the first boot would preset all units`},
		"no mapping":        {"- a\n", `main.yaml:1: want one mapping of keys, have a list`},
		"no YAML":           {"ref: [\n", `main.yaml`},
		"alias bomb": {"metadata:\n  a: &a [x,x,x,x,x,x,x,x,x,x]\n  b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n  c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"  d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n  e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n  f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n  g: [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n",
			"main.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, map[string]string{"main.yaml": tc.body, "x.ks": ""})
			var te *treefile.Error
			if !errors.As(err, &te) || !strings.HasPrefix(err.Error(), tc.want) || strings.Contains(tc.want, ":") && err.Error() != tc.want {
				t.Errorf("error is %q, want %q", err, tc.want)
			}
		})
	}
}

// The table is that of rpm-ostree's documentation and behaviour.
func TestNextVersion(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct{ prefix, suffix, last, want string }{
		{"10", ".", "", "10"}, {"10", ".", "10", "10.1"}, {"10", ".", "10.1", "10.2"}, {"10.1", ".", "10.1.1.5", "10.1.2"},
		{"10", "-", "10", "10-1"}, {"10", ".", "10.1.5", "10.2"}, {"10", ".", "10001", "10"}, {"10.1", ".", "10.12", "10.1"},
		{"10.1", ".", "10.1.x", "10.1.1"}, {"10.<date:%Y%m%d>", ".", "10.20261124.1", "10.20261124.2"},
		{"10.<date:%Y%m%d>", ".", "10.20261123.7", "10.20261124.0"}, {"10.<date:%Y%m%d>", ".", "", "10.20261124.0"},
	} {
		if got := treefile.NextVersion(tc.prefix, tc.suffix, tc.last, now); got != tc.want {
			t.Errorf("NextVersion(%q, %q, %q) = %q, want %q", tc.prefix, tc.suffix, tc.last, got, tc.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("ref: x\npackages: [a, b]\nimages: [qcow2]\n")
	f.Add(`{"include": "main.yaml", "variables": {"a": 1}}`)
	f.Add("conditional-include: [{if: a == 1, include: {units: [x]}}]\nvariables: {a: 1}\ndisk: {size: 1G, kargs: [a]}\n")
	f.Fuzz(func(t *testing.T, body string) {
		tf, err := parse(t, map[string]string{"main.yaml": body})
		if err != nil {
			var te *treefile.Error
			if tf != nil || !errors.As(err, &te) {
				t.Fatalf("Parse = %v, %v", tf, err)
			}
			return
		}
		flat, err := tf.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := treefile.ParseStored(flat, "x86_64"); err != nil {
			t.Fatalf("the flattened form %s cannot be read: %v", flat, err)
		}
	})
}
