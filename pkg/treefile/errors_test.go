package treefile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/treewright/treewright/pkg/treefile"
)

// TestErrors has the exact text for every way to be wrong. The input is t.yaml, or a
// txtar archive with t.yaml before the first file.
func TestErrors(t *testing.T) {
	for kind, cases := range map[string][]struct{ in, want string }{
		"unknown keys": {
			{"ref: a\npakages: [kernel]", `t.yaml:2: unknown key "pakages": did you mean "packages"?`},
			{"automatic_version_sufix: x", `t.yaml:1: unknown key "automatic_version_sufix": did you mean "automatic-version-suffix"?`},
			{"exclude: [a]", `t.yaml:1: unknown key "exclude": did you mean "exclude-packages"?`},
			{"foo: bar", `t.yaml:1: unknown key "foo"`},
			{"disk: {siz: 10GiB}", `t.yaml:1: unknown key "disk.siz": did you mean "size"?`},
			{"disk: {flavour: x}", `t.yaml:1: unknown key "disk.flavour": want firmware, kargs, rootfs, size or stateroot`},
			{"repo-packages: [{repo: a, package: [b]}]", `t.yaml:1: unknown key "repo-packages[0].package": did you mean "packages"?`},
			{"modules: {enabled: [x]}", `t.yaml:1: unknown key "modules.enabled": did you mean "enable"?`},
			{"opt-usrlocal-overlays: true", `t.yaml:1: unknown key "opt-usrlocal-overlays": now it is "opt-usrlocal": state-overlay`},
			{"comment: hello", `t.yaml:1: unknown key "comment": a comment in YAML starts with #`},
			{"<<: {ref: a}", `t.yaml:1: unknown key "<<": merge keys are not supported; use include`},
			{"-- t.json --\n{\n  \"ref\": \"a\",\n  \"pakages\": []\n}", `t.json:3: unknown key "pakages": did you mean "packages"?`},
		},
		"keys": {
			{"ref: a\nunits: []\nref: b", `t.yaml:3: duplicate key "ref": first on line 1`},
			{"disk: {size: 1GiB, size: 2GiB}", `t.yaml:1: duplicate key "disk.size": first on line 1`},
			{"boot_location: new\nboot-location: modules", `t.yaml:2: boot-location: cannot stand beside boot_location (line 1), which is the same key`},
			{"1: x", `t.yaml:1: a key is a string: write "1"`},
			{"[a]: x", `t.yaml:1: a key is a string, have a list`},
		},
		"types": {
			{"modules: [nodejs]", `t.yaml:1: modules: want a mapping with enable or install, have a list`},
			{"modules: {enable: [\"nodejs:18/minimal\"]}", `t.yaml:1: modules.enable[0]: "nodejs:18/minimal" has a profile: modules.install takes one`},
			{"modules:\n  install: [\"nodejs:\"]", `t.yaml:2: modules.install[0]: "nodejs:" is no module: want NAME:STREAM`},
			{"\n\n\n\n\n\nunits: 5", `t.yaml:7: units: want a list of strings, have a number`},
			{"units: sshd.service", `t.yaml:1: units: want a list of strings, have a string`},
			{"packages: [2048]", `t.yaml:1: packages[0]: want a string, have a number: write "2048"`},
			{"packages:\n  - a\n  -", `t.yaml:3: packages[1]: want a string, have nothing`},
			{"ref: 41", `t.yaml:1: ref: want a string, have a number: write "41"`},
			{"ref: true", `t.yaml:1: ref: want a string, have true or false: write "true"`},
			{"ref: [a]", `t.yaml:1: ref: want a string, have a list`},
			{"documentation: yes", `t.yaml:1: documentation: want true or false, have the string "yes": write true`},
			{`selinux: "false"`, `t.yaml:1: selinux: want true or false, have the string "false": write false`},
			{"selinux: 1", `t.yaml:1: selinux: want true or false, have a number`},
			{"edition: 2024", `t.yaml:1: edition: want a string, have a number: write "2024"`},
			{"releasever: [1]", `t.yaml:1: releasever: want a number or a string, have a list`},
			{"releasever: 4.1", `t.yaml:1: releasever: want a whole number or a string, have 4.1: write "4.1"`},
			{"releasever: -3", `t.yaml:1: releasever: -3: want a decimal number, not negative`},
			{"metadata: [a]", `t.yaml:1: metadata: want a mapping, have a list`},
			{"metadata: {a: .inf}", `t.yaml:1: metadata.a: .inf: no number that JSON can hold`},
			{"metadata: {a: !foo b}", `t.yaml:1: metadata.a: have a value with the tag !foo, which has no meaning here`},
			{"repovars: {a: 1}", `t.yaml:1: repovars.a: want a string, have a number: write "1"`},
		},
		"values": {
			{`edition: "2025"`, `t.yaml:1: edition: "2025": want 2014 or 2024`},
			{"boot-location: both", `t.yaml:1: boot-location: "both": want modules, kernel-install or new`},
			{"ref: fedora 40", `t.yaml:1: ref: "fedora 40" holds a space`},
			{"ref: a//b", `t.yaml:1: ref: "a//b" is no ref: want names of letters, digits, '.', '_' and '-' with '/' between them`},
			{"basearch: s390x", `t.yaml:1: basearch: "s390x": this compose is for x86_64`},
			{"automatic-version-suffix: ..", `t.yaml:1: automatic-version-suffix: ".." is not one ASCII character that can stand between numbers`},
			{`automatic-version-prefix: "<date:%Q>"`, `t.yaml:1: automatic-version-prefix: "<date:%Q>": unknown conversion %Q`},
			{`automatic-version-prefix: "<date:%>"`, `t.yaml:1: automatic-version-prefix: "<date:%>": ends in the middle of a conversion`},
			{"selinux-label-version: 2", `t.yaml:1: selinux-label-version: 2: want a number from 0 to 1`},
			{"repovars: {releasever: x}", `t.yaml:1: repovars.releasever: reserved; the key "releasever" sets it`},
			{"cliwrap-binaries: [rpm]", `t.yaml:1: cliwrap-binaries[0]: "rpm": want kernel-install`},
			{`gpg-key: ""`, `t.yaml:1: gpg-key: "" is empty`},
			{`repos: ["https://x"]`, `t.yaml:1: repos[0]: "https://x" is a URL: write the repository's id, and put the URL into a .repo file beside the treefile`},
			{"exclude-packages: [python3*]", `t.yaml:1: exclude-packages[0]: "python3*" is a pattern: packages are excluded by their exact names`},
			{"repo-packages: [{repo: a}]", `t.yaml:1: repo-packages[0]: "packages" is missing`},
			{"rojig: {name: x}", `t.yaml:1: rojig: "summary" is missing`},
		},
		"packages": {
			{"packages:\n  - a\n  - b\n  - c\n  - d\n  - \"'kernel '\"", `t.yaml:6: packages[4]: "kernel " ends in a space`},
			{`packages: ["podman >= 4.1"]`, `t.yaml:1: packages[0]: ">=" is no package: a relation stands in single quotes, as "'podman >= 4.1'"`},
			{`packages: ["'podman >= 4.1"]`, `t.yaml:1: packages[0]: "'podman >= 4.1": the single quote is not closed`},
			{`packages: ["'podman'x"]`, `t.yaml:1: packages[0]: "'podman'x": want a blank behind the closing quote`},
			{`packages: ["'podman => 4.1'"]`, `t.yaml:1: packages[0]: relation "podman => 4.1": want NAME or NAME OPERATOR VERSION: malformed`},
			{`packages: ["it's"]`, `t.yaml:1: packages[0]: "it's" holds a single quote: quotes enclose a whole word`},
			{`packages: ["@core"]`, `t.yaml:1: packages[0]: "@core" is a group: treefiles name packages`},
			{"packages: [-nano]", `t.yaml:1: packages[0]: "-nano" begins with a minus: exclude-packages leaves packages out`},
			{"packages: [./x.rpm]", `t.yaml:1: packages[0]: "./x.rpm" is no package's name: packages come from RPM repositories`},
			{`packages: ["a, b"]`, `t.yaml:1: packages[0]: "a," ends in a comma: packages are separated by blanks`},
			{`packages: [" "]`, `t.yaml:1: packages[0]: " " is empty`},
			{"packages-amd64: [a]", `t.yaml:1: packages-amd64: unknown architecture "amd64": did you mean "x86_64"?`},
			{"packages-x86-64: [a]", `t.yaml:1: packages-x86-64: unknown architecture "x86-64": did you mean "x86_64"?`},
			{"packages-vax: [a]", `t.yaml:1: packages-vax: unknown architecture "vax"`},
			{"packages-s390x: a", `t.yaml:1: packages-s390x: want a list of strings, have a string`},
		},
		"units": {
			{"units: [sshd]", `t.yaml:1: units[0]: "sshd" is no unit's file name: want sshd.service, or .socket, .timer, ...`},
			{"units:\n  - a.service\n  - 'b.service '", `t.yaml:3: units[1]: "b.service " ends in a space`},
			{"units: [' b.service']", `t.yaml:1: units[0]: " b.service" begins with a space`},
			{"units: [a.service b.service]", `t.yaml:1: units[0]: "a.service b.service" holds a space: write one an entry`},
			{"units: [usr/lib/x.service]", `t.yaml:1: units[0]: "usr/lib/x.service" is a path: write the unit's file name alone`},
			{"units: [\"a\\x01.service\"]", `t.yaml:1: units[0]: "a\x01.service" holds a control character`},
			{"machineid-compat: false\nunits: [a.service]", `t.yaml:2: units: cannot be used with machineid-compat: false (t.yaml:1), which leaves units to presets`},
		},
		"variables": {
			{"ref: ${strem}/x\nvariables: {stream: a}", `t.yaml:1: ref: undefined variable "strem": did you mean "stream"?`},
			{`automatic-version-prefix: "${foo}.1"`, `t.yaml:1: automatic-version-prefix: undefined variable "foo": defined are basearch`},
			{"variables: {releasever: 4}", `t.yaml:1: variables.releasever: reserved; the key "releasever" sets it`},
			{"variables: {a-b: 4}", `t.yaml:1: variables.a-b: want a name of letters, digits and _`},
			{`variables: {a: "${b}"}`, `t.yaml:1: variables.a: "${b}" holds '$': variables are not substituted in variables`},
			{"variables: {a: [1]}", `t.yaml:1: variables.a: want true, false, a number or a string, have a list`},
		},
		"includes": {
			{"ref: a\ninclude: nosuch.yaml", `t.yaml:2: include: "nosuch.yaml": file does not exist`},
			{"include: sub/a.yaml\n-- sub/a.yaml --\ninclude: ../b.yaml", `sub/a.yaml:1: include: "../b.yaml": b.yaml: file does not exist`},
			{"include: [a.yaml, ../x.yaml]", `t.yaml:1: include[1]: "../x.yaml": leaves the folder that treefiles are read from`},
			{"include: fedora.ks", `t.yaml:1: include: "fedora.ks": kickstart files are not supported; write it in YAML`},
			{"include: x.toml", `t.yaml:1: include: "x.toml": unknown ending ".toml"; a treefile's name ends in .yaml, .yml or .json`},
			{"include: x", `t.yaml:1: include: "x": no ending; a treefile's name ends in .yaml, .yml or .json`},
			{"include: {a: b}", `t.yaml:1: include: want a file name or a list of them, have a mapping`},
			{"include: t.yaml", `t.yaml:1: include: loop: t.yaml includes t.yaml`},
			{"include: b.yaml\n-- b.yaml --\nref: x\ninclude: t.yaml", `b.yaml:2: include: loop: t.yaml includes b.yaml includes t.yaml`},
			{"include: b.yaml\n-- b.yaml/c --\nx", `t.yaml:1: include: "b.yaml": is no regular file`},
			{"include: b.yaml\n-- b.yaml --\nref: 1", `b.yaml:1: ref: want a string, have a number: write "1"`},
			{"arch-include: {x86-64: b.yaml}", `t.yaml:1: arch-include.x86-64: unknown architecture "x86-64": did you mean "x86_64"?`},
			{"arch-include: b.yaml", `t.yaml:1: arch-include: want a mapping from basearch to file names, have a string`},
		},
		"conditions": {
			{"conditional-include: {if: x, include: y}", `t.yaml:1: conditional-include: want a list of mappings with if and include, have a mapping`},
			{"conditional-include:\n  - if: x\n    include: y.yaml", `t.yaml:2: conditional-include[0].if: "x": want VARIABLE OPERATOR VALUE, as in releasever >= 40 or stream == "stable"`},
			{"conditional-include: [{if: x == 1, include: y.yaml}]", `t.yaml:1: conditional-include[0].if: undefined variable "x": defined are basearch; what this file includes is read later`},
			{"variables: {stream: a}\nconditional-include:\n  - if: [stream == 3]\n    include: y.yaml", `t.yaml:3: conditional-include[0].if[0]: stream is a string (a), compared with a number (3)`},
			{"variables: {stream: a}\nconditional-include:\n  - if: stream >= \"b\"\n    include: y.yaml", `t.yaml:3: conditional-include[0].if: ">=" compares numbers, have "b"`},
			{"conditional-include: [{if: basearch == \"x\"}]", `t.yaml:1: conditional-include[0]: "include" is missing`},
			{"conditional-include: [{if: x == 99999999999999999999, include: y.yaml}]", `t.yaml:1: conditional-include[0].if: 99999999999999999999: does not fit 64 bits`},
			{"conditional-include:\n  - if: basearch == \"s390x\"\n    include: {include: x.yaml}", `t.yaml:3: conditional-include[0].include.include: has no effect inside conditional-include`},
			{"conditional-include:\n  - if: basearch == \"s390x\"\n    include: {packges: [a]}", `t.yaml:3: unknown key "conditional-include[0].include.packges": did you mean "packages"?`},
			// a mistake shows behind a condition that is false
			{"conditional-include: [{if: ['basearch == \"no\"', basearch == 3], include: y.yaml}]", `t.yaml:1: conditional-include[0].if[1]: basearch is a string (x86_64), compared with a number (3)`},
		},
		"files": {
			{"add-files: [a, b]", `t.yaml:1: add-files[0]: want [SOURCE, DESTINATION], have a string`},
			{"add-files: [[a]]", `t.yaml:1: add-files[0]: want [SOURCE, DESTINATION], have a list of 1`},
			{"add-files: [[nosuch, /usr/x]]", `t.yaml:1: add-files[0]: "nosuch": file does not exist`},
			{"add-files: [[a, /var/x]]", `t.yaml:1: add-files[0][1]: "/var/x" is not below usr/ (but not usr/local/), etc/, bin/, sbin/, lib/ or lib64/`},
			{"add-files: [[a, usr/local/x]]", `t.yaml:1: add-files[0][1]: "usr/local/x" is not below usr/ (but not usr/local/), etc/, bin/, sbin/, lib/ or lib64/`},
			{"add-files: [[a, /usr/lib/]]", `t.yaml:1: add-files[0][1]: "/usr/lib/" ends in a slash: want the file's path`},
			{"add-files: [[a, usr/../x]]", `t.yaml:1: add-files[0][1]: "usr/../x" holds ".."`},
			{"postprocess-script: a.py\n-- a.py --\nx", `t.yaml:1: postprocess-script: "a.py": is not executable (mode 0644)`},
			{"postprocess:\n  - echo hi", `t.yaml:2: postprocess[0]: "echo hi" begins the script: the first line names the interpreter, as #!/usr/bin/bash`},
			{"remove-files: [/etc/x]", `t.yaml:1: remove-files[0]: "/etc/x" begins with a slash: write it relative to the root, "etc/x"`},
			{"remove-files: [usr/../../x]", `t.yaml:1: remove-files[0]: "usr/../../x" holds ".."`},
			{"remove-files: ['usr/*.pyc']", `t.yaml:1: remove-files[0]: "usr/*.pyc" is a pattern: paths are taken as they are`},
			{"remove-files: [.]", `t.yaml:1: remove-files[0]: "." is the whole tree`},
			{"remove-from-packages: [[a]]", `t.yaml:1: remove-from-packages[0]: want [PACKAGE, PATTERN...], have a list of 1`},
			{"remove-from-packages: [[a, '(?!x)']]", "t.yaml:1: remove-from-packages[0][1]: \"(?!x)\": invalid or unsupported Perl syntax: `(?!`"},
		},
		"users": {
			{"check-passwd: {type: file}", `t.yaml:1: check-passwd: "filename" is missing`},
			{"check-passwd: {type: fil}", `t.yaml:1: check-passwd.type: "fil": want none, previous, file or data`},
			{"check-passwd: previous", `t.yaml:1: check-passwd: want a mapping with entries, filename or type, have a string`},
			{"check-passwd: {type: data, entries: {root: [0, 0, 0]}}", `t.yaml:1: check-passwd.entries.root: want UID or [UID, GID], have a list of 3`},
			{"check-groups: {type: data, entries: {root: [0]}}", `t.yaml:1: check-groups.entries.root: want a number, have a list`},
			{"check-groups: {type: data, entries: {x: 4294967295}}", `t.yaml:1: check-groups.entries.x: 4294967295: want a number from 0 to 4294967294`},
		},
		"images": {
			{"images: qcow2", `t.yaml:1: images: want a list of formats, have a string`},
			{"images: [qcow3]", `t.yaml:1: images[0]: "qcow3": want qcow2, vdi, openstack or raw`},
			{"images: [qcow2, vdi, qcow2]", `t.yaml:1: images[2]: qcow2: is already images[0]`},
			{"images: [5]", `t.yaml:1: images[0]: want a format or a mapping, have a number`},
			{"images: [{size: 10GiB}]", `t.yaml:1: images[0]: "format" is missing`},
			{"images: [{format: vdi, compression: deflate}]", `t.yaml:1: images[0].compression: deflate: vdi takes none`},
			{"images: [{format: qcow2, compression: xz}]", `t.yaml:1: images[0].compression: "xz": want none or deflate`},
			{"disk: {size: 10}", `t.yaml:1: disk.size: 10: less than 16 MiB; write a unit, as 10GiB`},
			{"disk: {size: 10 GiBs}", `t.yaml:1: disk.size: size "10 GiBs": want a number and a unit such as MiB or GiB`},
			{"disk: {size: [1]}", `t.yaml:1: disk.size: want a size, as 10GiB, have a list`},
			{"disk: {firmware: [efi]}", `t.yaml:1: disk.firmware[0]: "efi": want bios or uefi`},
			{"disk: {firmware: []}", `t.yaml:1: disk.firmware: no firmware: want bios, uefi or both`},
			{"disk: {rootfs: xfs}", `t.yaml:1: disk.rootfs: "xfs": want ext4`},
			{"disk: {kargs: [rw quiet]}", `t.yaml:1: disk.kargs[0]: "rw quiet" holds a space: write one an entry`},
			{"disk: {stateroot: a/b}", `t.yaml:1: disk.stateroot: "a/b" is no folder's name of letters, digits, '.', '_' and '-'`},
			{"deltas: {from: -1}", `t.yaml:1: deltas.from: -1: want a number from 0 to 1000`},
			{"deltas: 3", `t.yaml:1: deltas: want a mapping with empty or from, have a number`},
		},
		"syntax": {
			{"[]", `t.yaml:1: want a mapping with the treefile's keys, have a list`},
			{"ref: a\n# caf\xe9", `t.yaml:2: not UTF-8 text`},
			{"# nothing", `t.yaml:1: no keys; an empty treefile is written {}`},
			{"ref: a\n---\nref: b", `t.yaml:2: a second document begins; a treefile is one`},
			{"ref: a\n\tb: c", `t.yaml:2: indented with a tab; YAML wants blanks`},
			{"ref: a: b", `t.yaml:1: not YAML: mapping values are not allowed in this context; text with ": " in it is put in quotes`},
			{"ref: a\npackages:\n  - a\n - b\nunits: []", `t.yaml:4: not YAML: did not find expected key; is this line indented as those around it?`},
			{"ref: a\npackages: [a, b\nunits: [c]\n", `t.yaml:2: not YAML: did not find expected ',' or ']'; a bracket is not closed, or a comma is missing`},
			{"packages: [@core]", "t.yaml:1: not YAML: found character that cannot start any token; text that begins with @ or ` or % is put in quotes"},
			{"ref: a\nunits: [*x]", `t.yaml:2: not YAML: unknown anchor 'x' referenced`},
			{"metadata:\n  a: &a [*a]", `t.yaml:2: nested deeper than 100: does the alias hold itself?`},
			{"-- t.json --\n{\n  \"ref\": \"a\",\n}", `t.json:3: not JSON: invalid character '}' looking for beginning of object key string`},
			{"-- t.json --\n{'ref': 1}", `t.json:1: not JSON: invalid character '\'' looking for beginning of object key string`},
		},
	} {
		t.Run(kind, func(t *testing.T) {
			for _, tc := range cases {
				fsys := files(tc.in + "\n")
				tf, err := treefile.Parse(fsys, top(fsys), x86)
				if tf != nil {
					t.Errorf("%q: both a treefile and an error", tc.in)
				}
				checkError(t, err, tc.want)
			}
		})
	}
}

func TestErrorLimits(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("metadata:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 9; i++ {
		fmt.Fprintf(&bomb, "  a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	deep := "metadata: {a: " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}"
	chain := fstest.MapFS{}
	for i := range 60 {
		chain[fmt.Sprintf("%d.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "include: %d.yaml", i+1)}
	}
	for name, tc := range map[string]struct {
		fsys fstest.MapFS
		top  string
		want string
	}{
		"alias bomb": {files(bomb.String()), "t.yaml", "t.yaml:6: aliases stand for more than 100000 values"},
		"nesting":    {files(deep), "t.yaml", "t.yaml:1: nested deeper than 100"},
		"includes":   {chain, "0.yaml", `49.yaml:1: include: "50.yaml": more than 50 files include one another`},
		"large include": {fstest.MapFS{
			"t.yaml": {Data: []byte("include: big.yaml")}, "big.yaml": {Data: make([]byte, 16<<20+1)},
		}, "t.yaml", `t.yaml:1: include: "big.yaml": has more than 16 MiB`},
		"large script": {fstest.MapFS{
			"t.yaml": {Data: []byte("postprocess-script: a.sh")}, "a.sh": {Data: make([]byte, 64<<20+1), Mode: 0o755},
		}, "t.yaml", `t.yaml:1: postprocess-script: "a.sh": has more than 64 MiB`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := treefile.Parse(tc.fsys, tc.top, x86)
			checkError(t, err, tc.want)
		})
	}
}

// TestErrorFields checks what a caller reads instead of the text.
func TestErrorFields(t *testing.T) {
	_, err := treefile.Parse(files("ref: a\ninclude: [b.yaml]\n"), "t.yaml", treefile.Options{
		Basearch: "x86_64", ShowPath: func(p string) string { return "/src/" + p },
	})
	var e *treefile.Error
	if !errors.As(err, &e) || e.File != "/src/t.yaml" || e.Line != 2 || e.Key != "include[0]" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error = %#v", err)
	}
	_, err = treefile.Parse(fstest.MapFS{}, "nosuch.yaml", x86)
	if errors.As(err, &e) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing treefile: %#v", err)
	}
	if _, err = treefile.Parse(files("ref: a\n"), "t.yaml", treefile.Options{}); err == nil {
		t.Error("no basearch, and no error")
	}
	if _, err = treefile.Parse(fstest.MapFS{}, "t.ks", x86); err == nil ||
		err.Error() != "t.ks: kickstart files are not supported; write it in YAML" {
		t.Errorf("kickstart: %v", err)
	}
}
