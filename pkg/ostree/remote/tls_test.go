package remote_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/treewright/treewright/pkg/ostree/remote"
)

// writePEM writes PEM blocks into a file and returns its name.
func writePEM(t testing.TB, name, kind string, der []byte) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// A server's certificate is verified, a client's is shown, and HTTP/2 is spoken unless
// it is turned off.
func TestTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.ProtoMajor, len(r.TLS.PeerCertificates))
	}))
	srv.EnableHTTP2 = true
	srv.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	ca := writePEM(t, "ca.pem", "CERTIFICATE", srv.Certificate().Raw)
	pair := srv.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := writePEM(t, "c.pem", "CERTIFICATE", pair.Certificate[0]), writePEM(t, "k.pem", "PRIVATE KEY", der)
	for want, o := range map[string]remote.Options{
		"2 0": {CA: ca},
		"1 0": {CA: ca, NoHTTP2: true},
		"2 1": {CA: ca, ClientCert: cert, ClientKey: key},
		"1 1": {Insecure: true, NoHTTP2: true, ClientCert: cert, ClientKey: key},
	} {
		o.URL = srv.URL
		if got := file(t, open(t, o), "f"); got != want {
			t.Errorf("HTTP version and certificates of the client: %s, want %s", got, want)
		}
	}
	var transfer *remote.TransferError
	if _, err := open(t, remote.Options{URL: srv.URL}).File(t.Context(), "f", 10); !errors.As(err, &transfer) {
		t.Errorf("an unknown authority: %v", err)
	}
	if _, err := remote.Open(t.Context(), remote.Options{URL: srv.URL, ClientCert: cert}); !errors.Is(err, remote.ErrClientKey) {
		t.Errorf("a certificate without its key: %v", err)
	}
}
