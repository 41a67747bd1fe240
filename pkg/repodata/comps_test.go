package repodata_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/repodata"
)

// TestComps compares with what libcomps reads, over a distribution's comps.
func TestComps(t *testing.T) {
	fixture.Tool(t, "dnf") // which brings libcomps for the system's Python
	b := plain(t, "testdata/comps/*-comps-BaseOS.x86_64.xml.gz")
	c, err := repodata.ParseComps(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	groups, environments := []any{}, []any{}
	for _, g := range c.Groups {
		pkgs := []any{}
		for _, p := range g.Packages {
			pkgs = append(pkgs, []any{p.Name, p.Kind})
		}
		groups = append(groups, []any{g.ID, g.Name, g.Default, pkgs})
	}
	list := func(words []string) []any {
		out := []any{}
		for _, w := range words {
			out = append(out, w)
		}
		return out
	}
	for _, e := range c.Environments {
		environments = append(environments, []any{e.ID, e.Name, list(e.Groups), list(e.Options)})
	}
	cmd := exec.Command("/usr/bin/python3", "testdata/comps.py")
	cmd.Stdin = bytes.NewReader(b)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	if got := map[string]any{"groups": groups, "environments": environments}; !reflect.DeepEqual(got, want) || len(groups) < 10 || len(environments) < 3 {
		t.Errorf("%d groups, %d environments:\n%v\nlibcomps reads\n%v", len(groups), len(environments), got, want)
	}
}

func TestGroupInstall(t *testing.T) {
	c, err := repodata.ParseComps(strings.NewReader(`<comps><group><id>g</id><name>G</name><name xml:lang="de">H</name><packagelist>
		<packagereq>a</packagereq><packagereq type="default">b</packagereq><packagereq type="optional">c</packagereq>
		<packagereq type="conditional" requires="x">d</packagereq><packagereq type="conditional" requires="y">e</packagereq></packagelist></group></comps>`))
	if err != nil || len(c.Groups) != 1 || c.Groups[0].Name != "G" {
		t.Fatalf("%+v, %v", c, err)
	}
	if got := c.Groups[0].Install(func(name string) bool { return name == "y" }); !slices.Equal(got, []string{"a", "b", "e"}) {
		t.Errorf("installs %q", got)
	}
}

// The wanted values are read off the XML.
func TestUpdateinfo(t *testing.T) {
	list, err := repodata.ParseUpdateinfo(bytes.NewReader(read(t, "testdata/updateinfo/libdnf.xml")))
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	a := list[0]
	if a.ID != "FEDORA-2019-0329090518" || a.Type != "enhancement" || a.Issued != "2019-03-29 00:00:00" || !slices.Equal(a.CVEs(), []string{"CVE-2999"}) || len(a.Packages) != 4 {
		t.Errorf("%+v", a)
	}
	if p := a.Packages[2]; p.NEVRA.String() != "test-perl-DBI-1-2.module_el8+6587+9879afr5.x86_64" || p.Module != "perl-DBI:master" || !p.Reboot || a.Packages[3].Reboot {
		t.Errorf("%+v", p)
	}
	list, err = repodata.ParseUpdateinfo(bytes.NewReader(read(t, "testdata/updateinfo/updateinfo_03.xml")))
	if err != nil || len(list) < 3 || list[1].Title != "Bird_Erratum" || len(list[1].Packages) != 3 {
		t.Errorf("%+v, %v", list, err)
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestModified reads files that createrepo_c's tests have changed: what they lack is
// an error, what is more than the format knows is not.
func TestModified(t *testing.T) {
	files, err := filepath.Glob("testdata/modified/*")
	if err != nil || len(files) < 12 {
		t.Fatalf("%q, %v", files, err)
	}
	bad := []string{"error_00-primary.xml", "no_pkgid-filelists.xml", "multiple_warnings_00-primary.xml", "error_00-filelists.xml"}
	for _, f := range files {
		b := read(t, f)
		switch name := filepath.Base(f); {
		case strings.HasSuffix(name, "primary.xml"):
			_, err = repodata.ParsePrimary(bytes.NewReader(b))
		case strings.HasSuffix(name, "filelists.xml"):
			err = repodata.ParseFilelists(bytes.NewReader(b), nil, nil)
		default:
			_, err = repodata.ParseRepomd(b)
		}
		if wrong := slices.Contains(bad, filepath.Base(f)); (err != nil) != wrong || wrong && !errors.Is(err, repodata.ErrMalformed) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// TestXMLBombs refuses entities wherever XML is read.
func TestXMLBombs(t *testing.T) {
	bomb := `<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>`
	for name, parse := range map[string]func(string) error{
		"metadata":  func(s string) error { _, err := repodata.ParsePrimary(strings.NewReader(s)); return err },
		"filelists": func(s string) error { return repodata.ParseFilelists(strings.NewReader(s), nil, nil) },
		"repomd":    func(s string) error { _, err := repodata.ParseRepomd([]byte(s)); return err },
		"comps":     func(s string) error { _, err := repodata.ParseComps(strings.NewReader(s)); return err },
		"updates":   func(s string) error { _, err := repodata.ParseUpdateinfo(strings.NewReader(s)); return err },
		"metalink":  func(s string) error { _, err := repodata.ParseMetalink([]byte(s)); return err },
	} {
		if err := parse(bomb + "<" + name + "><x>&c;</x></" + name + ">"); !errors.Is(err, repodata.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDocuments(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.xml")
	if len(files) < 10 {
		f.Fatal("no seeds in testdata")
	}
	for _, name := range files {
		f.Add(read(f, name))
	}
	f.Add([]byte(`<metalink><files><file name="repomd.xml"><verification><hash type="sha256">00</hash></verification><resources><url preference="1">http://a/repodata/repomd.xml</url></resources></file></files></metalink>`))
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := repodata.ParseComps(bytes.NewReader(in))
		check := func(what string, err error) {
			if err != nil && !errors.Is(err, repodata.ErrMalformed) {
				t.Fatalf("%s: %v", what, err)
			}
		}
		check("comps", err)
		if c != nil {
			for i := range c.Groups {
				c.Groups[i].Install(func(string) bool { return true })
			}
		}
		list, err := repodata.ParseUpdateinfo(bytes.NewReader(in))
		check("updateinfo", err)
		for i := range list {
			list[i].CVEs()
		}
		_, err = repodata.ParsePrimary(bytes.NewReader(in))
		check("primary", err)
		check("filelists", repodata.ParseFilelists(bytes.NewReader(in), map[string]bool{"/": true}, func(string, string) {}))
		_, err = repodata.ParseRepomd(in)
		check("repomd", err)
		_, err = repodata.ParseMetalink(in)
		check("metalink", err)
		repodata.ParseMirrorlist(in)
	})
}
