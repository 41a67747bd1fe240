package treefile_test

import (
	"reflect"
	"testing"

	"github.com/treewright/treewright/pkg/treefile"
)

// includer has two includes; b is included by a file of its own, too.
const includer = `
include: [a.yaml, b.yaml]
ref: top
repos: [top1, top2]
packages: [z, m]
units: [top.service]
add-commit-metadata: {who: top, top: 1}
repo-packages:
  - {repo: top, packages: [shared, own]}
disk: {size: 2GiB}
-- a.yaml --
ref: a
default-target: a.target
repos: [a1]
packages: [a, m]
ignore-removed-users: [y, x]
units: [a.service]
container-cmd: [from, a]
add-commit-metadata: {who: a, both: a}
check-passwd: {type: none}
platform-module: lost
modules: {enable: ["a:1"], install: [x]}
repo-packages:
  - {repo: a, packages: [shared, own]}
  - {repo: a2, packages: [shared other]}
disk: {size: 1GiB, stateroot: a, kargs: [quiet]}
images: [qcow2]
-- b.yaml --
include: c.yaml
default-target: b.target
selinux: false
repos: [b1]
units: [b.service]
container-cmd: [from, b]
add-commit-metadata: {both: b, b: true}
check-passwd: {type: data, entries: {root: 0}}
ignore-removed-users: [x, w]
modules: {enable: ["b:2"]}
images: [vdi, raw]
-- c.yaml --
ref: c
selinux: true
recommends: false
repos: [c1]
units: [c.service]
`

// The wanted values follow from rpm-ostree's rule for each key.
func TestMerge(t *testing.T) {
	tf := parse(t, files(includer), "t.yaml", x86)
	for name, tc := range map[string]struct{ got, want any }{
		"first: includer":      {tf.Ref, "top"},
		"first: earlier":       {tf.DefaultTarget, "a.target"},
		"first: nearer":        {tf.Selinux, false},
		"first: farthest":      {tf.Recommends, false},
		"first: whole list":    {tf.ContainerCmd, []string{"from", "a"}},
		"first: whole mapping": {tf.CheckPasswd, treefile.Check{Type: "none"}},
		"prepend":              {tf.Repos, []string{"c1", "b1", "a1", "top1", "top2"}},
		"prepend units":        {tf.Units, []string{"c.service", "b.service", "a.service", "top.service"}},
		"union":                {tf.Packages, []string{"a", "m", "z"}},
		"union of includes":    {tf.IgnoreRemovedUsers, []string{"w", "x", "y"}},
		"by name":              {tf.AddCommitMetadata, map[string]any{"who": "top", "top": int64(1), "both": "a", "b": true}},
		"lost":                 {tf.PlatformModule, ""},
		"modules":              {tf.Modules, treefile.Modules{Enable: []string{"b:2", "a:1"}, Install: []string{"x"}}},
		"repo-packages": {tf.RepoPackages, []treefile.RepoPackages{
			{Repo: "a2", Packages: []string{"other"}}, {Repo: "top", Packages: []string{"shared", "own"}}}},
		"disk":   {tf.Disk, treefile.Disk{Size: 2 << 30, RootFS: "ext4", KernelArgs: []string{"quiet"}, Stateroot: "a"}},
		"images": {tf.Images, []treefile.Image{{Format: "qcow2"}}},
	} {
		if !reflect.DeepEqual(tc.got, tc.want) {
			t.Errorf("%s: %#v, want %#v", name, tc.got, tc.want)
		}
	}
}

// The rule for each key is the column of rpm-ostree's reference: F first, P prepend, S
// union, M by name, J lists by name, L lost.
func TestMergeRules(t *testing.T) {
	want := map[string]string{
		"F": `edition ref basearch releasever rojig automatic-version-prefix automatic-version-suffix mutate-os-release gpg-key
			repo-metadata advisories-metadata container-cmd recommends documentation boot-location no-initramfs default-target
			machineid-compat container tmp-is-dir opt-usrlocal readonly-executables postprocess-script ignore-devices cliwrap
			selinux selinux-label-version ima preserve-passwd check-passwd check-groups sysusers rpmdb rpmdb-normalize images
			base-refspec container-image-reference packages-local packages-local-fileoverride override-remove
			ex-override-replace override-replace-local override-commit unconfigured-state`,
		"P": `repos lockfile-repos repo-packages exclude-packages install-langs initramfs-args units add-files remove-files
			remove-from-packages postprocess ostree-layers ostree-override-layers cliwrap-binaries etc-group-members`,
		"S": `packages ignore-removed-users ignore-removed-groups`,
		"M": `repovars metadata add-commit-metadata disk deltas initramfs custom`,
		"J": `modules`,
		"L": `platform-module`,
	}
	if got := treefile.Rules(); !reflect.DeepEqual(got, sortedWords(want)) {
		t.Errorf("rules are\n%v\nwant\n%v", got, sortedWords(want))
	}
}

func TestIncludes(t *testing.T) {
	for name, tc := range map[string]struct {
		in    string
		units []string // which show the order
	}{
		"one name":   {"include: a.yaml\n-- a.yaml --\nunits: [a.service]", []string{"a.service"}},
		"yml, json":  {"include: [a.yml, b.json]\n-- a.yml --\nunits: [a.service]\n-- b.json --\n{\"units\": [\"b.service\"]}", []string{"b.service", "a.service"}},
		"arch":       {"arch-include: {x86_64: a.yaml, s390x: [b.yaml]}\n-- a.yaml --\nunits: [a.service]", []string{"a.service"}},
		"arch later": {"arch-include: {x86_64: a.yaml}\ninclude: b.yaml\n-- a.yaml --\nunits: [a.service]\n-- b.yaml --\nunits: [b.service]", []string{"a.service", "b.service"}},
		"conditional": {"variables: {v: 3}\nconditional-include:\n  - {if: v > 2, include: [a.yaml]}\n  - {if: [v > 2, v != 3], include: b.yaml}\n" +
			"-- a.yaml --\nunits: [a.service]", []string{"a.service"}},
		// a mapping in place comes before every file
		"inline": {"include: a.yaml\nunits: [t.service]\nconditional-include:\n  - {if: basearch == \"x86_64\", include: {units: [i.service]}}\n" +
			"-- a.yaml --\nunits: [a.service]", []string{"a.service", "i.service", "t.service"}},
		// a file that two include has effect once, where it is first
		"diamond": {"include: [a.yaml, b.yaml]\n-- a.yaml --\ninclude: c.yaml\nunits: [a.service]\n-- b.yaml --\ninclude: ./c.yaml\nunits: [b.service]\n" +
			"-- c.yaml --\nunits: [c.service]", []string{"b.service", "c.service", "a.service"}},
		"folders":      {"include: d/a.yaml\n-- d/a.yaml --\ninclude: ../e/b.yaml\n-- e/b.yaml --\nunits: [b.service]", []string{"b.service"}},
		"from root":    {"include: d/a.yaml\n-- d/a.yaml --\ninclude: /b.yaml\n-- b.yaml --\nunits: [b.service]", []string{"b.service"}},
		"nothing":      {"include:\nunits: [t.service]", []string{"t.service"}},
		"empty file":   {"include: a.yaml\nunits: [t.service]\n-- a.yaml --\n{}", []string{"t.service"}},
		"alias":        {"metadata: {a: &u [a.service]}\nunits: *u", []string{"a.service"}},
		"sibling's":    {"include: [a.yaml, b.yaml]\n-- a.yaml --\nvariables: {v: true}\n-- b.yaml --\nconditional-include: [{if: v == true, include: {units: [i.service]}}]", []string{"i.service"}},
		"includer's":   {"variables: {v: 1}\ninclude: a.yaml\n-- a.yaml --\nvariables: {v: 2}\nconditional-include: [{if: v==1, include: {units: [i.service]}}]", []string{"i.service"}},
		"json comment": {"include: a.json\n-- a.json --\n{\"comment\": [1], \"units\": [\"a.service\"]}", []string{"a.service"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parse(t, files(tc.in+"\n"), "t.yaml", x86).Units; !reflect.DeepEqual(got, tc.units) {
				t.Errorf("units are %q, want %q", got, tc.units)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	const vars = "releasever: 40\nvariables: {n: 7, s: stable, yes: true, text: \"7\"}\n"
	for cond, want := range map[string]bool{
		"n == 7": true, "n==8": false, "n != 7": false, "n < 8": true, "n < 7": false, "n <= 7": true, "n>7": false, "n >= 7": true,
		`s == "stable"`: true, `s != "stable"`: false, `s == "Stable"`: false, `text == "7"`: true,
		"yes == true": true, "yes != true": false, "yes == false": false,
		"releasever >= 40": true, "releasever < 40": false, `basearch == "x86_64"`: true, ` n  ==  7 `: true,
	} {
		in := vars + "conditional-include:\n  - if: '" + cond + "'\n    include: {ref: taken}\n"
		if got := parse(t, files(in), "t.yaml", x86).Ref == "taken"; got != want {
			t.Errorf("%s is %v", cond, got)
		}
	}
}

func TestImplied(t *testing.T) {
	type facts struct {
		boot         string
		tmp, selinux bool
		check        string
		preserve     bool
	}
	for name, tc := range map[string]struct {
		in   string
		want facts
	}{
		"default":   {"{}", facts{"new", false, true, "previous", true}},
		"2014":      {`edition: "2014"`, facts{"new", false, true, "previous", true}},
		"2024":      {`edition: "2024"`, facts{"modules", true, true, "previous", true}},
		"2024 but":  {"edition: \"2024\"\ntmp-is-dir: false", facts{"modules", false, true, "previous", true}},
		"container": {"container: true\nselinux: true", facts{"modules", true, false, "none", false}},
		"no":        {"container: false", facts{"new", false, true, "previous", true}},
		// what the includer's edition stands for beats what an include says
		"2024 over": {"edition: \"2024\"\ninclude: a.yaml\n-- a.yaml --\ntmp-is-dir: false\nboot-location: new", facts{"modules", true, true, "previous", true}},
		"under":     {"selinux: true\ninclude: a.yaml\n-- a.yaml --\ncontainer: true", facts{"modules", true, true, "none", false}},
		// a mapping in place implies nothing
		"inline": {"conditional-include: [{if: basearch != \"\", include: {container: true}}]", facts{"new", false, true, "previous", true}},
	} {
		t.Run(name, func(t *testing.T) {
			tf := parse(t, files(tc.in+"\n"), "t.yaml", x86)
			got := facts{tf.BootLocation, tf.TmpIsDir, tf.Selinux, tf.CheckPasswd.Type, tf.PreservePasswd}
			if got != tc.want {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestPackages(t *testing.T) {
	for in, want := range map[string][]string{
		"packages: [b a, c]":                        {"a", "b", "c"},
		"packages: [a, a, 'b\ta']":                  {"a", "b"},
		"packages: [\"x 'podman >= 4.1' y\"]":       {"podman >= 4.1", "x", "y"},
		"packages: [\"'(a if b)'\", \"'c'\"]":       {"(a if b)", "c"},
		"packages: [a]\nbootstrap-packages: [b]":    {"a", "b"},
		"packages: [a]\npackages-x86_64: [b c]":     {"a", "b", "c"},
		"packages-aarch64: [b]\npackages: [a]":      {"a"},
		"packages: [/usr/bin/vi, glibc-langpack-*]": {"/usr/bin/vi", "glibc-langpack-*"},
		"packages:\n  - >\n    a\n    b":            {"a", "b"},
		// in place, a relation needs no quotes
		"conditional-include: [{if: basearch != \"\", include: {packages: [a >= 1, b c]}}]": {"a >= 1", "b", "c"},
	} {
		tf, err := treefile.Parse(files(in+"\n"), "t.yaml", x86)
		if err != nil || !reflect.DeepEqual(tf.Packages, want) {
			t.Errorf("%q: %v, %v, want %q", in, tf, err, want)
		}
	}
}

func TestSubstitution(t *testing.T) {
	tf := parse(t, files(`
variables: {s: "testing", n: 7, b: false}
releasever: "rawhide"
ref: x/${basearch}/${s}
automatic-version-prefix: "${releasever}.${n}"
mutate-os-release: "${b} $s"
add-commit-metadata: {a: "${s}", b: ["${s}"], c: "${unknown} $${n}", d: {e: "${s}"}}
metadata: {a: "${n}"}
repos: ["${s}"]
postprocess: ["#!/bin/sh\necho ${s}"]
platform-module: "${s}"
`), "t.yaml", x86)
	for name, tc := range map[string]struct{ got, want any }{
		"ref":      {tf.Ref, "x/x86_64/testing"},
		"version":  {tf.VersionPrefix, "rawhide.7"},
		"mutate":   {tf.MutateOSRelease, "false $s"},
		"metadata": {tf.Metadata, map[string]any{"a": "7"}},
		"commit metadata": {tf.AddCommitMetadata, map[string]any{
			"a": "testing", "b": []any{"${s}"}, "c": "${unknown} $7", "d": map[string]any{"e": "${s}"}}},
		"repos":     {tf.Repos, []string{"${s}"}},
		"scripts":   {tf.Postprocess, []string{"#!/bin/sh\necho ${s}"}},
		"module":    {tf.PlatformModule, "testing"},
		"variables": {tf.Variables, map[string]any{"s": "testing", "n": uint64(7), "b": false, "releasever": "rawhide", "basearch": "x86_64"}},
	} {
		if !reflect.DeepEqual(tc.got, tc.want) {
			t.Errorf("%s: %#v, want %#v", name, tc.got, tc.want)
		}
	}
}

// TestGiven gives variables from outside: they take the type that the file has.
func TestGiven(t *testing.T) {
	const in = `
releasever: "40"
variables: {n: 1}
ref: r/${releasever}/${n}
conditional-include:
  - {if: ['releasever == "41"', n == 2], include: {recommends: false}}
`
	tf := parse(t, files(in), "t.yaml", treefile.Options{Basearch: "x86_64", Releasever: "41", Vars: map[string]string{"n": "2", "more": "x"}})
	if tf.Ref != "r/41/2" || tf.Releasever != "41" || tf.Recommends {
		t.Errorf("ref %s, releasever %s, recommends %v", tf.Ref, tf.Releasever, tf.Recommends)
	}
}
