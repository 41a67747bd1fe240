package pull

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/remote"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/sign"
)

// RemoteOptions say how a remote is reached, besides what its configuration says.
type RemoteOptions struct {
	URL         string      // in place of the remote's
	Headers     [][2]string // name and value
	UserAgent   string
	Retries     int    // of a request; negative: as many as usual
	Cache       string // folder for summaries; "": none are kept
	StrictCache bool   // see [remote.Options]
	SystemProxy bool   // use the proxy that the environment names

	Keys sign.CheckerOptions // that signatures which the remote wants are judged by
}

// Remote is a remote whose source is open. Close it behind its use.
type Remote struct {
	Name       string
	Source     Source
	Collection string
	Branches   []string // to pull when none are named

	// What judges the signatures that the remote wants; nil: it wants none.
	VerifyCommit  func(c ostree.Checksum, raw []byte, detached ostree.Metadata) error
	VerifySummary func(raw, sig []byte) error

	close func()
}

// An UnconfiguredError is a remote whose configuration says what is to be done before
// it can be used.
type UnconfiguredError struct{ Remote, State string }

func (e *UnconfiguredError) Error() string {
	return fmt.Sprintf("remote %q is not configured: %s", e.Remote, e.State)
}

// A BackendError is a remote whose content comes through another program.
type BackendError struct{ Remote, Backend string }

func (e *BackendError) Error() string {
	return fmt.Sprintf("remote %q is served by %s", e.Remote, e.Backend)
}

// OpenRemote opens the source that a remote of a repository leads to: a repository on
// this machine, or one that is reached over HTTP.
func OpenRemote(ctx context.Context, r *repo.Repo, name string, o RemoteOptions) (*Remote, error) {
	m, err := r.Remote(name)
	if err != nil {
		return nil, err
	}
	out := &Remote{Name: name, Branches: m.List("branches"), close: func() {}}
	out.Collection, _ = m.Option("collection-id")
	check, err := sign.RemoteChecker(r, name, o.Keys)
	if err != nil {
		return nil, err
	}
	out.VerifyCommit, out.VerifySummary = check.Commit, check.Summary
	so, err := sourceOptions(r, m, o)
	if err != nil {
		return nil, err
	}
	if path, ok, err := localPath(so.URL); err != nil {
		return nil, err
	} else if ok && so.Metalink == "" {
		from, err := repo.Open(path)
		if err != nil {
			return nil, fmt.Errorf("remote %s: %w", name, err)
		}
		out.Source = Local{from}
		return out, nil
	}
	s, err := remote.Open(ctx, so)
	if err != nil {
		return nil, err
	}
	out.Source, out.close = s, s.Close
	return out, nil
}

// Usable tells whether a remote can be pulled from. The error is an
// [*UnconfiguredError] or a [*BackendError].
func Usable(m *repo.Remote) error {
	if backend, ok := m.Option("custom-backend"); ok {
		return &BackendError{m.Name, backend}
	}
	if state, ok := m.Option("unconfigured-state"); ok {
		return &UnconfiguredError{m.Name, state}
	}
	return nil
}

// Close ends its connections.
func (m *Remote) Close() { m.close() }

// Options are those of a pull from the remote.
func (m *Remote) Options() Options {
	return Options{
		From: m.Source, Remote: m.Name, Collection: m.Collection,
		VerifyCommit: m.VerifyCommit, VerifySummary: m.VerifySummary,
	}
}

// IsLocal tells whether the remote is a repository on this machine.
func (m *Remote) IsLocal() bool { return isLocal(m.Source) }

// localPath is the folder that a URL of this machine names.
func localPath(s string) (path string, ok bool, err error) {
	if !strings.HasPrefix(s, "file:") {
		return "", false, nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", false, err
	}
	return filepath.FromSlash(u.Path), true, nil
}

// sourceOptions takes over what the configuration of a remote says.
func sourceOptions(r *repo.Repo, m *repo.Remote, o RemoteOptions) (so remote.Options, err error) {
	so = remote.Options{
		Headers: o.Headers, UserAgent: o.UserAgent, Retries: o.Retries, SystemProxy: o.SystemProxy,
		Cache: o.Cache, Name: m.Name, StrictCache: o.StrictCache,
	}
	for key, field := range map[string]*string{
		"metalink": &so.Metalink, "contenturl": &so.ContentURL, "proxy": &so.Proxy, "tls-ca-path": &so.CA,
		"tls-client-cert-path": &so.ClientCert, "tls-client-key-path": &so.ClientKey,
	} {
		*field, _ = m.Option(key)
	}
	switch {
	case o.URL != "":
		so.URL, so.Metalink = o.URL, ""
	case so.Metalink == "":
		if so.URL, err = m.URL(); err != nil {
			return so, err
		}
	}
	if so.Insecure, err = m.Flag("tls-permissive", false); err != nil {
		return so, err
	}
	http2, err := m.Flag("http2", true)
	if err != nil {
		return so, err
	}
	so.NoHTTP2 = !http2
	so.Cookies, err = r.Cookies(m.Name)
	return so, err
}

// Summary returns the summary of the remote and the file of its signatures, each nil
// when there is none. Signatures are judged if the remote wants that.
func (m *Remote) Summary(ctx context.Context) (raw, sig []byte, err error) {
	f, err := fetchSummary(ctx, m.Source, m.VerifySummary)
	if err != nil || f == nil {
		return nil, nil, err
	}
	return f.raw, f.sig, nil
}
