package remote

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// Options tell where a repository is and how its server is spoken to.
type Options struct {
	// URL and ContentURL are bases, or "mirrorlist=" and the URL of a list of them.
	// Objects and deltas come from ContentURL; "": from URL.
	URL, ContentURL string
	// Metalink is the URL of an XML file that leads to the summary, in place of URL.
	Metalink string

	Headers   [][2]string // name and value, for all requests
	UserAgent string
	Cookies   []repo.Cookie

	CA                    string // PEM file of authorities to trust in place of the system's
	ClientCert, ClientKey string // PEM files
	Insecure              bool   // certificates are not verified
	NoHTTP2               bool
	Proxy                 string // URL
	SystemProxy           bool   // without Proxy, the one that the environment names

	// Retries is how often a request is made again; negative: 5.
	Retries int
	// SlowBytes a second, over SlowTime, is too slow; 0: 1000, over 30 s.
	SlowBytes int64
	SlowTime  time.Duration

	// Cache is the folder that keeps signed summaries by Name; "": none does.
	Cache, Name string
	// StrictCache makes a summary of the cache that does not fit its signature an error,
	// [ErrBadCache], where otherwise it is fetched anew.
	StrictCache bool
}

const defaultRetries = 5

func (o *Options) fill() {
	if o.Retries < 0 {
		o.Retries = defaultRetries
	}
	if o.SlowBytes <= 0 {
		o.SlowBytes = 1000
	}
	if o.SlowTime <= 0 {
		o.SlowTime = 30 * time.Second
	}
}

// client makes the HTTP client.
func (o *Options) client() (*http.Client, error) {
	t := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: o.SlowTime, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     !o.NoHTTP2,
		MaxIdleConnsPerHost:   parallelHTTP2,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   o.SlowTime,
		ResponseHeaderTimeout: o.SlowTime,
		DisableCompression:    true,
		ReadBufferSize:        64 << 10,
	}
	if o.NoHTTP2 {
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	switch {
	case o.Proxy != "":
		u, err := url.Parse(o.Proxy)
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		t.Proxy = http.ProxyURL(u)
	case o.SystemProxy:
		t.Proxy = http.ProxyFromEnvironment
	}
	var err error
	if t.TLSClientConfig, err = o.tls(); err != nil {
		return nil, err
	}
	t.RegisterProtocol("file", http.NewFileTransportFS(os.DirFS("/")))
	jar, err := o.jar()
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: t, Jar: jar}, nil
}

// ErrClientKey is given when only one of the certificate and its key is there.
var ErrClientKey = errors.New("a client's certificate needs its key, and a key its certificate")

func (o *Options) tls() (*tls.Config, error) {
	c := &tls.Config{InsecureSkipVerify: o.Insecure}
	if (o.ClientCert == "") != (o.ClientKey == "") {
		return nil, ErrClientKey
	}
	if o.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(o.ClientCert, o.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("client certificate %s: %w", o.ClientCert, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if o.CA != "" {
		b, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%s: no certificate: %w", o.CA, ostree.ErrMalformed)
		}
	}
	return c, nil
}

// jar holds the cookies that a remote has, and those that servers set.
func (o *Options) jar() (http.CookieJar, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	for _, c := range o.Cookies {
		host := strings.TrimPrefix(c.Domain, ".")
		h := &http.Cookie{Name: c.Name, Value: c.Value, Path: c.Path, Secure: c.Secure}
		if c.Expires > 0 {
			h.Expires = time.Unix(int64(c.Expires), 0)
		}
		if host != c.Domain {
			h.Domain = host // also of the hosts below it
		}
		jar.SetCookies(&url.URL{Scheme: "https", Host: host, Path: c.Path}, []*http.Cookie{h})
	}
	return jar, nil
}
