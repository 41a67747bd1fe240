package repodata_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
)

func plain(t testing.TB, glob string) []byte {
	t.Helper()
	found, err := filepath.Glob(glob)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %q, %v", glob, found, err)
	}
	f, err := os.Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := compress.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCreaterepo reads what createrepo_c wrote; the wanted values are read off the XML.
func TestCreaterepo(t *testing.T) {
	b, err := os.ReadFile("testdata/repo_01/repomd.xml")
	if err != nil {
		t.Fatal(err)
	}
	md, err := repodata.ParseRepomd(b)
	if err != nil || len(md.Data) != 3 || md.Timestamp() != 1334667230 {
		t.Fatalf("ParseRepomd = %+v, %v", md, err)
	}
	d, ok := md.Find("primary")
	if !ok || d.Size != 782 || d.OpenSize != 2085 || !strings.HasPrefix(d.Checksum.Hex, "6c662d66") {
		t.Errorf("primary = %+v", d)
	}
	pkgs, err := repodata.ParsePrimary(bytes.NewReader(plain(t, "testdata/repo_01/*-primary.xml.gz")))
	if err != nil || len(pkgs) != 1 {
		t.Fatalf("ParsePrimary = %v, %v", pkgs, err)
	}
	p := pkgs[0]
	if p.NEVRA.String() != "super_kernel-6.0.1-2.x86_64" || p.Size != 2845 || p.Location != "super_kernel-6.0.1-2.x86_64.rpm" || p.SourceRPM == "" {
		t.Errorf("package = %+v", p)
	}
	want := []nevra.Relation{{Name: "bzip2", Flags: nevra.GT | nevra.EQ, EVR: nevra.EVR{Epoch: "0", Version: "1.0.0"}}, {Name: "expat"},
		{Name: "glib", Flags: nevra.GT | nevra.EQ, EVR: nevra.EVR{Epoch: "0", Version: "2.26.0"}}, {Name: "zlib"}}
	if !reflect.DeepEqual(p.Requires, want) {
		t.Errorf("requires = %+v, want %+v", p.Requires, want)
	}
	var found []string
	err = repodata.ParseFilelists(bytes.NewReader(plain(t, "testdata/repo_01/*-filelists.xml.gz")), map[string]bool{"/usr/bin/super_kernel": true, "/nosuch": true},
		func(id, path string) { found = append(found, id+" "+path) })
	if err != nil || len(found) != 1 || found[0] != p.Checksum.Hex+" /usr/bin/super_kernel" {
		t.Errorf("ParseFilelists found %q, %v", found, err)
	}
}

// TestRoundTrip reads what we write.
func TestRoundTrip(t *testing.T) {
	pkgs, err := repodata.ParsePrimary(bytes.NewReader(plain(t, "testdata/repo_01/*-primary.xml.gz")))
	if err != nil {
		t.Fatal(err)
	}
	pkgs[0].Files = append(pkgs[0].Files, repodata.File{Path: "/usr/share/<odd> & \"quoted\"", Type: "ghost"})
	pkgs[0].Summary = "a < b & c"
	files, err := repodata.WriteMetadata(pkgs, 1700000000)
	if err != nil {
		t.Fatal(err)
	}
	md, err := repodata.ParseRepomd(files[len(files)-1].Content)
	if err != nil || md.Timestamp() != 1700000000 {
		t.Fatalf("repomd: %+v, %v", md, err)
	}
	r, err := compress.NewReader(bytes.NewReader(files[0].Content))
	if err != nil {
		t.Fatal(err)
	}
	again, err := repodata.ParsePrimary(r)
	if err != nil || len(again) != 1 {
		t.Fatal(err)
	}
	a, b := *pkgs[0], *again[0]
	a.Files, b.Files = nil, nil
	if !reflect.DeepEqual(a, b) {
		t.Errorf("read %+v\nwrote %+v", b, a)
	}
	twice, err := repodata.WriteMetadata(pkgs, 1700000000)
	if err != nil || !reflect.DeepEqual(files, twice) {
		t.Error("two writes differ")
	}
}

func TestRepoFile(t *testing.T) {
	configs, err := repodata.ParseRepoFile("x.repo", []byte(`
[main]
gpgcheck=1
# a comment
[base]
name=Base $releasever - ${basearch}
baseurl=https://one.example/$releasever/${basearch}/
	https://two.example/${arch:-none}/
enabled=0
priority=10
exclude=kernel* foo
; another
[updates]
Metalink = https://example/metalink?repo=$unknown
gpgcheck=no
`), map[string]string{"releasever": "9", "basearch": "x86_64"})
	if err != nil || len(configs) != 2 {
		t.Fatalf("%+v, %v", configs, err)
	}
	c := configs[0]
	if c.ID != "base" || c.Name != "Base 9 - x86_64" || c.Enabled || c.Priority != 10 || !c.GPGCheck || !reflect.DeepEqual(c.Exclude, []string{"kernel*", "foo"}) ||
		!reflect.DeepEqual(c.BaseURL, []string{"https://one.example/9/x86_64/", "https://two.example/none/"}) {
		t.Errorf("base = %+v", c)
	}
	if c := configs[1]; c.Metalink != "https://example/metalink?repo=$unknown" || c.GPGCheck || !c.Enabled || c.Priority != repodata.DefaultPriority {
		t.Errorf("updates = %+v", c)
	}
	for body, want := range map[string]string{
		"a=b\n": "x.repo:1: key a stands before the first section", "[x\n": `x.repo:1: section "[x": want [ID]`,
		"[x]\nbaseurl=y\nenabled=maybe\n": `x.repo:3: enabled: "maybe": want 1 or 0`, "[x]\nwhat\n": `x.repo:2: "what": want KEY=VALUE`,
		"[x]\nname=y\n": "x.repo: repository x: no baseurl, mirrorlist or metalink", " x\n": "x.repo:1: a continued line stands first",
	} {
		if _, err := repodata.ParseRepoFile("x.repo", []byte(body), nil); !errors.Is(err, repodata.ErrMalformed) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", body, err, want)
		}
	}
}

func TestHostile(t *testing.T) {
	good := string(plain(t, "testdata/repo_01/*-primary.xml.gz"))
	for name, body := range map[string]string{
		"empty": "", "no package closed": good[:len(good)/2], "entity": "<!DOCTYPE x [<!ENTITY a 'b'>]><metadata><package><name>&a;</name></package></metadata>",
		"place outside": strings.Replace(good, `href="super`, `href="../../super`, 1), "no checksum": strings.Replace(good, "152824bff2aa6d54f429d43e87a3ff3a0286505c6d93ec87692b5e3a9e3b97bf", "zz", 1),
		"slash in the name": strings.Replace(good, "<name>super_kernel", "<name>../super", 1),
	} {
		if pkgs, err := repodata.ParsePrimary(strings.NewReader(body)); err == nil {
			t.Errorf("%s: %d packages were read", name, len(pkgs))
		}
	}
	for _, body := range []string{"", "<x/>", `<repomd><data type="primary"><checksum type="sha256">00</checksum><location href="/etc/passwd"/></data></repomd>`} {
		if md, err := repodata.ParseRepomd([]byte(body)); !errors.Is(err, repodata.ErrMalformed) {
			t.Errorf("%q: %+v, %v", body, md, err)
		}
	}
}

func FuzzParsePrimary(f *testing.F) {
	f.Add(plain(f, "testdata/repo_01/*-primary.xml.gz"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if _, err := repodata.ParsePrimary(bytes.NewReader(in)); err != nil && !errors.Is(err, repodata.ErrMalformed) {
			t.Fatal(err)
		}
		repodata.ParseFilelists(bytes.NewReader(in), map[string]bool{"/": true}, func(string, string) {})
		repodata.ParseRepomd(in)
	})
}

func FuzzParseRepoFile(f *testing.F) {
	f.Add("[a]\nbaseurl=b\n c\nenabled=1\n")
	f.Fuzz(func(t *testing.T, in string) {
		if _, err := repodata.ParseRepoFile("x", []byte(in), map[string]string{"a": "b"}); err != nil && !errors.Is(err, repodata.ErrMalformed) {
			t.Fatal(err)
		}
	})
}

func TestRepoOptions(t *testing.T) {
	vars, err := repodata.ReadVars(fstest.MapFS{
		"region": {Data: []byte("eu-1 \nmore\n")}, "not a name": {Data: []byte("x")}, "folder/x": {Data: []byte("x")}, "empty": {},
	})
	if err != nil || !reflect.DeepEqual(vars, map[string]string{"region": "eu-1", "empty": ""}) {
		t.Fatalf("ReadVars = %q, %v", vars, err)
	}
	configs, err := repodata.ParseRepoFile("x.repo", []byte(`[a]
baseurl=https://$region.example/
module_hotfixes=true
sslverify=0
sslcacert=/ca
sslclientcert=/cert
sslclientkey=/key
username=u
password=p=q
proxy=http://proxy:3128
proxy_username=pu
proxy_password=pp
timeout=1m
retries=0
cost=500
includepkgs=bash,
	glibc*
type=rpm-md
[b]
baseurl=/b
retries=3
timeout=5
`), vars)
	if err != nil || len(configs) != 2 {
		t.Fatalf("%+v, %v", configs, err)
	}
	want := repodata.RepoConfig{ID: "a", Name: "a", BaseURL: []string{"https://eu-1.example/"}, Enabled: true, Priority: 99, Cost: 500, IncludePkgs: []string{"bash", "glibc*"},
		ModuleHotfixes: true, SSLInsecure: true, SSLCACert: "/ca", SSLClientCert: "/cert", SSLClientKey: "/key", Username: "u", Password: "p=q",
		Proxy: "http://proxy:3128", ProxyUsername: "pu", ProxyPassword: "pp", Timeout: time.Minute, Retries: -1}
	if !reflect.DeepEqual(configs[0], want) || configs[1].Retries != 3 || configs[1].Timeout != 5*time.Second {
		t.Errorf("%+v\nwant\n%+v", configs, want)
	}
	for body, want := range map[string]string{"timeout=soon": `"soon": want seconds`, "type=apt": `"apt": want rpm-md`, "sslverify=x": `want 1 or 0`, "retries=many": "many"} {
		if _, err := repodata.ParseRepoFile("x.repo", []byte("[a]\nbaseurl=b\n"+body+"\n"), nil); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "x.repo:3: ") {
			t.Errorf("%s: %v", body, err)
		}
	}
}
