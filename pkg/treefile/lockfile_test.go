package treefile_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/treewright/treewright/pkg/treefile"
)

const lockJSON = `{
  "packages": {
    "bash": {"evra": "5.1.8-2.el9.x86_64", "digest": "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", "metadata": {"sourcerpm": "bash-5.1.8-2.el9.src.rpm"}},
    "glibc": {"evr": "1:2.34-1.el9"}
  },
  "metadata": {"generated": "2026-01-02T00:00:00Z", "rpmmd_repos": {"base": {"generated": "2026-01-01T10:00:00Z"}}}
}`

const lockYAML = `
packages:
  bash: {evra: 5.1.8-2.el9.x86_64, digest: "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"}
  glibc:
    evr: 1:2.34-1.el9
metadata:
  generated: 2026-01-02T00:00:00Z
  rpmmd_repos:
    base: {generated: "2026-01-01T10:00:00Z"}
`

func TestParseLockfile(t *testing.T) {
	want := &treefile.Lockfile{
		Packages: map[string]treefile.LockedPackage{
			"bash":  {EVRA: "5.1.8-2.el9.x86_64", Digest: "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"},
			"glibc": {EVR: "1:2.34-1.el9"},
		},
		Metadata: &treefile.LockMetadata{Generated: "2026-01-02T00:00:00Z", Repos: map[string]treefile.LockRepoTime{"base": {Generated: "2026-01-01T10:00:00Z"}}},
	}
	for name, text := range map[string]string{"l.json": lockJSON, "l.yaml": lockYAML} {
		got, err := treefile.ParseLockfile(name, []byte(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if v, arch := want.Packages["glibc"].Split(); v.String() != "1:2.34-1.el9" || arch != "" {
		t.Errorf("glibc is split to %s and %q", v, arch)
	}
	if v, arch := want.Packages["bash"].Split(); v.String() != "5.1.8-2.el9" || arch != "x86_64" {
		t.Errorf("bash is split to %s and %q", v, arch)
	}
	for text, want := range map[string]string{
		"{}":                      `l.json:1: key "packages" is missing`,
		`{"packages": {"a": {}}}`: `l.json:1: packages.a: want one of "evra" and "evr"`,
		"{\n\"packages\": {\"a\": {\"evra\": \"1\"}}}":                           `l.json:2: packages.a.evra: "1" is no [epoch:]version-release.arch`,
		`{"packages": {"a": {"evr": "1-1", "digets": "x"}}}`:                     `l.json:1: unknown key "packages.a.digets": did you mean "digest"?`,
		`{"packages": {"a": {"evr": "1-1", "digest": "x"}}}`:                     `l.json:1: packages.a.digest: "x" is no ALGORITHM:HEX of a known algorithm`,
		`{"packages": {}, "extra": 1}`:                                           `l.json:1: unknown key "extra"`,
		`{"packages": []}`:                                                       `l.json:1: packages: want a mapping of packages, have a list`,
		`{"packages": {}, "metadata": {"rpmmd_repos": {"a": {"generated": 5}}}}`: `l.json:1: metadata.rpmmd_repos.a.generated: want a string, have a number: write "5"`,
		`{"packages": {"a": {"evr": "1-1", "evra": "1-1.noarch"}}}`:              `l.json:1: packages.a: want one of "evra" and "evr"`,
	} {
		_, err := treefile.ParseLockfile("l.json", []byte(text))
		var te *treefile.Error
		if !errors.As(err, &te) || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func FuzzParseLockfile(f *testing.F) {
	f.Add("l.json", []byte(lockJSON))
	f.Add("l.yaml", []byte(lockYAML))
	f.Fuzz(func(t *testing.T, name string, in []byte) {
		l, err := treefile.ParseLockfile(name, in)
		var te *treefile.Error
		if err != nil {
			if !errors.As(err, &te) {
				t.Fatal(err)
			}
			return
		}
		for _, p := range l.Packages {
			p.Split()
		}
	})
}
