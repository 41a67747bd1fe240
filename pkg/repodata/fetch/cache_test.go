package fetch_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/repodata/fetch"
)

// TestMirrorOfPackage takes a package from the next mirror when one has not got it, or
// has another one.
func TestMirrorOfPackage(t *testing.T) {
	dir := repository(t)
	good := served(t, dir, func(_ string, b []byte) []byte { return b })
	for name, change := range map[string]func([]byte) []byte{
		"gone": func([]byte) []byte { return nil }, "damaged": func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, "cut off": func(b []byte) []byte { return b[:100] },
	} {
		bad := served(t, dir, func(path string, b []byte) []byte {
			if strings.HasSuffix(path, ".rpm") {
				return change(b)
			}
			return b
		})
		c := client(t)
		repo, err := c.Load(t.Context(), config(bad, good))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Packages(t.Context(), all(repo)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := filepath.Glob(filepath.Join(c.Cache, "rpms", "*", "*.part")); err != nil || len(left) > 0 {
			t.Errorf("%s: left %q, %v", name, left, err)
		}
	}
}

// TestPartOfOther goes on with a part that is of something else, finds out, and begins
// again.
func TestPartOfOther(t *testing.T) {
	dir := repository(t)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	for _, junk := range []int{1, 1000, 10 << 20} {
		c := client(t)
		repo, err := c.Load(t.Context(), config(server.URL))
		if err != nil {
			t.Fatal(err)
		}
		p := all(repo)[0]
		part := filepath.Join(c.Cache, "rpms", p.Checksum.Hex[:2], p.Checksum.Hex+".rpm.part")
		if err := os.MkdirAll(filepath.Dir(part), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(part, bytes.Repeat([]byte("x"), junk), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Packages(t.Context(), all(repo)[:1]); err != nil {
			t.Errorf("%d bytes of junk: %v", junk, err)
		}
	}
}

// TestTwoProcesses has two processes fill one cache at the same time: each package is
// asked for once, and each process has all.
func TestTwoProcesses(t *testing.T) {
	if base := os.Getenv("FETCH_TEST_BASE"); base != "" { // one of the processes
		c := &fetch.Client{Cache: os.Getenv("FETCH_TEST_CACHE"), Pause: time.Millisecond}
		repo, err := c.Load(t.Context(), config(base))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Packages(t.Context(), all(repo)); err != nil {
			t.Fatal(err)
		}
		return
	}
	dir := repository(t)
	var mu sync.Mutex
	asked := map[string]int{}
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[filepath.Ext(r.URL.Path)+r.URL.Path]++
		mu.Unlock()
		time.Sleep(50 * time.Millisecond)
		files.ServeHTTP(w, r)
	}))
	defer server.Close()
	cache := t.TempDir()
	var cmds []*exec.Cmd
	for range 2 {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestTwoProcesses$")
		cmd.Env = append(os.Environ(), "FETCH_TEST_BASE="+server.URL, "FETCH_TEST_CACHE="+cache)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	server.Close()
	mu.Lock()
	defer mu.Unlock()
	for path, n := range asked {
		if n > 1 && !strings.HasSuffix(path, "repomd.xml") {
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
	if left, err := filepath.Glob(filepath.Join(cache, "*", "*.part")); err != nil || len(left) > 0 {
		t.Errorf("left %q, %v", left, err)
	}
}

// TestDamagedCache loads what is damaged in the cache again.
func TestDamagedCache(t *testing.T) {
	server := httptest.NewServer(http.FileServer(http.Dir(repository(t))))
	defer server.Close()
	c := client(t)
	if _, err := c.Load(t.Context(), config(server.URL)); err != nil {
		t.Fatal(err)
	}
	for _, folders := range [][]string{{"parsed"}, {"parsed", "metadata"}} {
		for _, folder := range folders {
			files, err := filepath.Glob(filepath.Join(c.Cache, folder, "*"))
			if err != nil || len(files) != 1 {
				t.Fatalf("%s: %q, %v", folder, files, err)
			}
			if err := os.Truncate(files[0], 300); err != nil {
				t.Fatal(err)
			}
		}
		if repo, err := c.Load(t.Context(), config(server.URL)); err != nil || repo.Packed.Len() != 3 {
			t.Errorf("%v damaged: %v", folders, err)
		}
	}
}

// TestPassword tells name and password to the repository's host, and to no other.
func TestPassword(t *testing.T) {
	dir := repository(t)
	files := http.FileServer(http.Dir(dir))
	var leaked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			leaked.Add(1)
		}
		files.ServeHTTP(w, r)
	}))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, password, _ := r.BasicAuth()
		switch {
		case name != "me" || password != "secret":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/mirrors":
			fmt.Fprintln(w, other.URL)
		case strings.HasSuffix(r.URL.Path, ".rpm"):
			http.Redirect(w, r, other.URL+r.URL.Path, http.StatusFound)
		default:
			files.ServeHTTP(w, r)
		}
	}))
	defer server.Close()
	cfg := config(server.URL)
	if _, err := client(t).Load(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "401 Unauthorized") {
		t.Errorf("without a password: %v", err)
	}
	cfg.Username, cfg.Password = "me", "secret"
	c := client(t)
	repo, err := c.Load(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Packages(t.Context(), all(repo)); err != nil {
		t.Error(err)
	}
	cfg.BaseURL, cfg.Mirrorlist = nil, server.URL+"/mirrors"
	if _, err := client(t).Load(t.Context(), cfg); err != nil {
		t.Error(err)
	}
	if leaked.Load() > 0 {
		t.Errorf("%d requests to another host had the password", leaked.Load())
	}
}

// TestProxy goes through the proxy that the repository names.
func TestProxy(t *testing.T) {
	files := http.FileServer(http.Dir(repository(t)))
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != "repo.invalid" || r.Header.Get("Proxy-Authorization") != "Basic dTpw" { // u:p
			w.WriteHeader(http.StatusForbidden)
			return
		}
		files.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	cfg := config("http://repo.invalid")
	cfg.Proxy, cfg.ProxyUsername, cfg.ProxyPassword = proxy.URL, "u", "p"
	if repo, err := client(t).Load(t.Context(), cfg); err != nil || repo.Packed.Len() != 3 {
		t.Errorf("%v", err)
	}
	cfg.Proxy = "nothing"
	if _, err := client(t).Load(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), `proxy "nothing": want a URL`) {
		t.Errorf("%v", err)
	}
}

// TestCertificates asks a server whose certificate only sslcacert knows, and that
// wants one in turn.
func TestCertificates(t *testing.T) {
	server := httptest.NewUnstartedServer(http.FileServer(http.Dir(repository(t))))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	defer server.Close()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, "client.pem")
	if err := os.WriteFile(mine, clientPEM(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		cfg  repodata.RepoConfig
		want string
	}{
		"all":              {repodata.RepoConfig{SSLCACert: ca, SSLClientCert: mine, SSLClientKey: mine}, ""},
		"not verified":     {repodata.RepoConfig{SSLInsecure: true, SSLClientCert: mine}, ""},
		"unknown":          {repodata.RepoConfig{SSLClientCert: mine}, "certificate"},
		"no certificate":   {repodata.RepoConfig{SSLCACert: ca}, "certificate required"},
		"no such file":     {repodata.RepoConfig{SSLCACert: "/nosuch"}, "sslcacert: open /nosuch"},
		"no PEM":           {repodata.RepoConfig{SSLCACert: "cache_test.go"}, "no certificate in PEM form"},
		"no such key file": {repodata.RepoConfig{SSLClientCert: "/nosuch"}, "sslclientcert: open /nosuch"},
	} {
		cfg := tc.cfg
		cfg.ID, cfg.BaseURL, cfg.Retries = "r", []string{server.URL}, 1
		_, err := client(t).Load(t.Context(), cfg)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// clientPEM is a certificate that signs itself, with its key.
func clientPEM(t *testing.T) []byte {
	t.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
}

// TestSilence gives up on a server that stops in the middle, and one that never comes
// to an end of its errors.
func TestSilence(t *testing.T) {
	stop := make(chan struct{})
	var tries atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries.Add(1)
		if r.URL.Path == "/busy/repodata/repomd.xml" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte("<repomd>"))
		w.(http.Flusher).Flush()
		<-stop
	}))
	defer server.Close()
	defer close(stop)
	cfg := config(server.URL)
	cfg.Timeout, cfg.Retries = 30*time.Millisecond, 1
	begin := time.Now()
	if _, err := client(t).Load(t.Context(), cfg); err == nil || time.Since(begin) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
	tries.Store(0)
	cfg = config(server.URL + "/busy")
	cfg.Retries = 3
	if _, err := client(t).Load(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "503") || tries.Load() != 4 {
		t.Errorf("%v, %d tries", err, tries.Load())
	}
}

// TestForeignPlace refuses a package for which a server names a file of this machine.
func TestForeignPlace(t *testing.T) {
	dir := repository(t)
	c := client(t)
	repo, err := c.Load(t.Context(), config(served(t, dir, func(_ string, b []byte) []byte { return b })))
	if err != nil {
		t.Fatal(err)
	}
	p := all(repo)[0]
	p.Base = "file://" + dir
	if _, err := c.Packages(t.Context(), []*repodata.Package{p}); !errors.Is(err, repodata.ErrMalformed) || errors.Is(err, digest.ErrMismatch) {
		t.Errorf("%v", err)
	}
}
