package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/treewright/treewright/pkg/repodata"
)

// newHTTP is a client with a repository's proxy, certificates and times.
func newHTTP(cfg repodata.RepoConfig) (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	timeout := idleTime(cfg)
	t.DialContext = (&net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}).DialContext
	t.TLSHandshakeTimeout, t.ResponseHeaderTimeout = timeout, timeout
	t.DisableCompression = true // sizes and ranges are of the files as they are
	t.MaxIdleConnsPerHost = 16
	switch cfg.Proxy {
	case "":
	case "_none_":
		t.Proxy = nil
	default:
		p, err := url.Parse(cfg.Proxy)
		if err != nil || p.Host == "" {
			return nil, fmt.Errorf("proxy %q: want a URL", cfg.Proxy)
		}
		if cfg.ProxyUsername != "" {
			p.User = url.UserPassword(cfg.ProxyUsername, cfg.ProxyPassword)
		}
		t.Proxy = http.ProxyURL(p)
	}
	var err error
	if t.TLSClientConfig, err = tlsConfig(cfg); err != nil {
		return nil, err
	}
	return &http.Client{Transport: t, CheckRedirect: checkRedirect}, nil
}

// checkRedirect keeps passwords from other servers, also those of the same host.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("stopped after 10 redirects")
	}
	if first := via[0].URL; req.URL.Host != first.Host || req.URL.Scheme != first.Scheme {
		req.Header.Del("Authorization")
	}
	return nil
}

func tlsConfig(cfg repodata.RepoConfig) (*tls.Config, error) {
	out := &tls.Config{InsecureSkipVerify: cfg.SSLInsecure} // the user asked for it: sslverify=0
	if cfg.SSLCACert != "" {
		b, err := os.ReadFile(cfg.SSLCACert)
		if err != nil {
			return nil, fmt.Errorf("sslcacert: %w", err)
		}
		if out.RootCAs = x509.NewCertPool(); !out.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("sslcacert %s: no certificate in PEM form", cfg.SSLCACert)
		}
	}
	if cfg.SSLClientCert != "" {
		key := cfg.SSLClientKey
		if key == "" {
			key = cfg.SSLClientCert
		}
		pair, err := tls.LoadX509KeyPair(cfg.SSLClientCert, key)
		if err != nil {
			return nil, fmt.Errorf("sslclientcert: %w", err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

func idleTime(cfg repodata.RepoConfig) time.Duration {
	if cfg.Timeout > 0 {
		return cfg.Timeout
	}
	return defaultTimeout
}

// authorise gives a request the repository's name and password, when it goes to a
// host that the configuration names: a mirror or another place is not told.
func (r *remote) authorise(req *http.Request) {
	if r.cfg.Username == "" {
		return
	}
	for _, place := range append(slices.Clone(r.cfg.BaseURL), r.cfg.Mirrorlist, r.cfg.Metalink) {
		if u, err := url.Parse(place); err == nil && u.Host == req.URL.Host && u.Scheme == req.URL.Scheme {
			req.SetBasicAuth(r.cfg.Username, r.cfg.Password)
			return
		}
	}
}
