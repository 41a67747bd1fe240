package fetch_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/repodata/fetch"
)

func client(t *testing.T) *fetch.Client {
	return &fetch.Client{Cache: t.TempDir(), Pause: time.Millisecond, Time: time.Unix(1700000000, 0)}
}

// TestSignature reads the repositories that libzypp is tested with; their names tell
// what is to be said of them. They have no packages, which is found out later.
func TestSignature(t *testing.T) {
	key, err := filepath.Abs("testdata/sigcheck/signed_repo/repodata/repomd.xml.key")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"signed_repo": "names no primary metadata", "unsigned_repo": "repomd.xml.asc: not found: repo_gpgcheck is set, and the repository is not signed",
		"wrongsig_repo": "is of other content", "unknownkey_repo": "not among those of gpgkey",
	} {
		server := httptest.NewServer(http.FileServer(http.Dir("testdata/sigcheck/" + name)))
		defer server.Close()
		for _, base := range []string{"testdata/sigcheck/" + name, server.URL} {
			cfg := config(base)
			cfg.RepoGPGCheck, cfg.GPGKey = true, []string{key}
			if name == "unknownkey_repo" {
				cfg.GPGKey = []string{"../../rpm/testdata/keys/rpm.org-rsa-2048-test.pub"}
			}
			_, err := client(t).Load(t.Context(), cfg)
			text := fmt.Sprint(err)
			if base == server.URL {
				text = strings.Replace(text, "HTTP status 404 Not Found: ", "", 1)
			}
			if errors.Is(err, fetch.ErrSignature) != (name != "signed_repo") || !strings.Contains(text, want) || !strings.HasPrefix(text, "RPM repository r: ") {
				t.Errorf("%s: %v, want %s", base, err, want)
			}
		}
	}
	cfg := config("testdata/sigcheck/signed_repo")
	cfg.RepoGPGCheck = true
	if _, err := client(t).Load(t.Context(), cfg); !errors.Is(err, fetch.ErrSignature) || !strings.Contains(err.Error(), "gpgkey names no key") {
		t.Errorf("without a key: %v", err)
	}
}

// TestSignedByGPG has gpg sign a repository that is then read offline, too.
func TestSignedByGPG(t *testing.T) {
	gpg := fixture.Tool(t, "gpg")
	dir, home := repository(t), t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(gpg, append([]string{"--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("gpg: %v\n%s", err, out)
		}
	}
	run("--quick-generate-key", "repo@example.org", "rsa2048", "sign", "never")
	run("--armor", "--output", dir+"/key", "--export")
	run("--armor", "--detach-sign", dir+"/repodata/repomd.xml")
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	cfg := config(server.URL)
	cfg.RepoGPGCheck, cfg.GPGKey = true, []string{server.URL + "/key"}
	c := client(t)
	for _, offline := range []bool{false, true} {
		if c.Offline = offline; offline {
			server.Close()
		}
		if repo, err := c.Load(t.Context(), cfg); err != nil || repo.Packed.Len() != 3 {
			t.Errorf("offline %v: %v", offline, err)
		}
	}
	// what the cache has is judged again
	kept, err := filepath.Glob(filepath.Join(c.Cache, "repomd", "*.json"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("%q, %v", kept, err)
	}
	b, err := os.ReadFile(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(string(b), `"signature":"`) + 100
	b[i] ^= 2
	if err := os.WriteFile(kept[0], b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Load(t.Context(), cfg); !errors.Is(err, fetch.ErrSignature) {
		t.Errorf("a changed signature in the cache: %v", err)
	}
}

// served is a server of a folder, with some files replaced.
func served(t *testing.T, dir string, replace func(path string, b []byte) []byte) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := os.ReadFile(filepath.Join(dir, r.URL.Path))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		if b = replace(r.URL.Path, b); b == nil {
			http.NotFound(w, r)
			return
		}
		w.Write(b)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestLies has an index that does not fit its files, and files that do not fit it: one
// line names the file, and nothing stays in the cache.
func TestLies(t *testing.T) {
	dir := repository(t)
	primary := func(change func([]byte) []byte) func(string, []byte) []byte {
		return func(path string, b []byte) []byte {
			if strings.Contains(path, "primary") {
				return change(b)
			}
			return b
		}
	}
	index := func(from, to string) func(string, []byte) []byte {
		return func(path string, b []byte) []byte {
			if strings.HasSuffix(path, "repomd.xml") {
				out := strings.Replace(string(b), from, to, 1)
				if out == string(b) {
					t.Errorf("%q is not in the index", from)
				}
				return []byte(out)
			}
			return b
		}
	}
	for name, tc := range map[string]struct {
		replace func(string, []byte) []byte
		want    error
	}{
		"cut off":        {primary(func(b []byte) []byte { return b[:len(b)/2] }), digest.ErrMismatch},
		"longer":         {primary(func(b []byte) []byte { return append(b, 0) }), digest.ErrMismatch},
		"changed":        {primary(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }), digest.ErrMismatch},
		"gone":           {primary(func(b []byte) []byte { return nil }), fetch.ErrNotFound},
		"wrong checksum": {index(`<checksum type="sha256">`, `<checksum type="sha256">0000`), repodata.ErrMalformed},
		"wrong content":  {index(`<open-checksum type="sha256">`+openChecksum(t, dir)[:4], `<open-checksum type="sha256">0000`), digest.ErrMismatch},
		"weak checksum":  {index(`<checksum type="sha256">`, `<checksum type="md5">`), repodata.ErrMalformed},
		"no XML":         {func(path string, b []byte) []byte { return []byte("<html>") }, repodata.ErrMalformed},
		"place outside":  {index(`href="repodata/`, `href="../repodata/`), repodata.ErrMalformed},
	} {
		c := client(t)
		_, err := c.Load(t.Context(), config(served(t, dir, tc.replace)))
		if !errors.Is(err, tc.want) || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "RPM repository r: ") {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		if left, _ := filepath.Glob(filepath.Join(c.Cache, "parsed", "*")); len(left) > 0 {
			t.Errorf("%s left %q", name, left)
		}
		left, _ := filepath.Glob(filepath.Join(c.Cache, "metadata", "*"))
		if len(left) > 0 && name != "wrong content" { // of which the file itself is as promised
			if st, err := os.Stat(left[0]); name != "cut off" || err != nil || !strings.HasSuffix(left[0], ".part") || st.Size() == 0 {
				t.Errorf("%s left %q", name, left)
			}
		}
	}
}

func openChecksum(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(dir + "/repodata/repomd.xml")
	if err != nil {
		t.Fatal(err)
	}
	md, err := repodata.ParseRepomd(b)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := md.Find("primary")
	return d.OpenChecksum.Hex
}

// TestMetalink takes the index from a mirror only when it is one that the metalink
// lists.
func TestMetalink(t *testing.T) {
	dir := repository(t)
	b, err := os.ReadFile(dir + "/repodata/repomd.xml")
	if err != nil {
		t.Fatal(err)
	}
	same := func(_ string, b []byte) []byte { return b }
	good := served(t, dir, same)
	stale := served(t, dir, func(path string, b []byte) []byte {
		if strings.HasSuffix(path, "repomd.xml") {
			return append(b, ' ')
		}
		return b
	})
	link := func(hash string, bases ...string) string {
		text := `<metalink version="3.0" xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager"><files><file name="repomd.xml"><verification><hash type="md5">0</hash><hash type="sha256">` +
			strings.Repeat("0", 64) + `</hash></verification><mm0:alternates><mm0:alternate><verification><hash type="sha256">` + hash + `</hash></verification></mm0:alternate></mm0:alternates><resources maxconnections="1">`
		for i, base := range bases {
			text += fmt.Sprintf(`<url protocol="http" type="http" preference="%d">%s/repodata/repomd.xml</url>`, 100-i, base)
		}
		dir := t.TempDir()
		if err := os.WriteFile(dir+"/m", []byte(text+"</resources></file></files></metalink>"), 0o644); err != nil {
			t.Fatal(err)
		}
		return served(t, dir, same) + "/m"
	}
	cfg := repodata.RepoConfig{ID: "r", Metalink: link(digest.Sum(b).Hex, stale, good)}
	if repo, err := client(t).Load(t.Context(), cfg); err != nil || repo.Packed.Len() != 3 {
		t.Errorf("a stale mirror and a good one: %v", err)
	}
	cfg.Metalink = link(strings.Repeat("1", 64), good)
	if _, err := client(t).Load(t.Context(), cfg); !errors.Is(err, digest.ErrMismatch) || !strings.Contains(err.Error(), good+"/repodata/repomd.xml: its checksum is none that the metalink lists") {
		t.Errorf("no mirror has what the metalink lists: %v", err)
	}
}

// TestCreaterepo reads what createrepo_c writes in each compression, with zchunk files
// beside.
func TestCreaterepo(t *testing.T) {
	createrepo := fixture.Tool(t, "createrepo_c")
	for _, kind := range []string{"gz", "bz2", "xz", "zck"} {
		dir := repository(t)
		if err := os.RemoveAll(dir + "/repodata"); err != nil {
			t.Fatal(err)
		}
		args := []string{"--general-compress-type=" + kind, dir}
		if kind == "zck" {
			args[0] = "--zck"
		}
		if out, err := exec.Command(createrepo, args...).CombinedOutput(); err != nil {
			t.Fatalf("createrepo_c: %v\n%s", err, out)
		}
		repo, err := client(t).Load(t.Context(), config(dir))
		if err != nil || repo.Packed.Len() != 3 {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestFolder reads packages without metadata.
func TestFolder(t *testing.T) {
	dir := repository(t)
	c := client(t)
	want, err := c.Load(t.Context(), config(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir + "/repodata"); err != nil {
		t.Fatal(err)
	}
	c = client(t)
	got, err := c.Load(t.Context(), config("file://"+dir))
	if err != nil || len(got.Packages) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, p := range got.Packages {
		if w := want.Packed.Package(i); p.NEVRA.String() != w.NEVRA.String() || p.Checksum != w.Checksum || p.Repo != got {
			t.Errorf("package %d: %+v, want %+v", i, p, w)
		}
	}
	if _, err := c.Packages(t.Context(), got.Packages); err != nil {
		t.Error(err)
	}
	if _, err := client(t).Load(t.Context(), config(t.TempDir())); !errors.Is(err, fetch.ErrNotFound) {
		t.Errorf("an empty folder: %v", err)
	}
}
