package sign

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// A Checker judges what comes from a remote. A function is nil when no signature is
// wanted. Both may be called by several goroutines.
type Checker struct {
	// Commit judges a commit by its bytes and its detached metadata. The error is a
	// [*CommitError].
	Commit func(c ostree.Checksum, raw []byte, detached ostree.Metadata) error

	// Summary judges a summary by the bytes of it and of summary.sig, nil for what is
	// not there. The error wraps [ErrNoSummary] or [ErrNoSummarySignatures], or is a
	// [*GPGError], a [*KindError], or about keys.
	Summary func(raw, sig []byte) error
}

// CheckerOptions tell where keys are and what time it is.
type CheckerOptions struct {
	Keyrings
	Allow
	Now time.Time
}

// Wants are the signatures that are wanted of a remote: GPG's, and those of kinds that
// have keys.
type Wants struct {
	GPG, GPGSummary bool
	Kinds, Summary  []*Verifier
}

// RemoteChecker makes a checker of what the options of a remote want.
func RemoteChecker(r *repo.Repo, remote string, o CheckerOptions) (*Checker, error) {
	m, err := r.Remote(remote)
	if err != nil {
		return nil, err
	}
	w, err := RemoteWants(m, o.Allow)
	if err != nil {
		return nil, err
	}
	return NewChecker(r, remote, w, o), nil
}

// RemoteWants reads what the options of a remote want.
func RemoteWants(m *repo.Remote, a Allow) (w Wants, err error) {
	if w.GPG, err = m.Flag("gpg-verify", true); err != nil {
		return w, err
	}
	if w.GPGSummary, err = m.Flag("gpg-verify-summary", false); err != nil {
		return w, err
	}
	if w.Kinds, err = remoteVerifiers(m, "sign-verify", a); err != nil {
		return w, err
	}
	w.Summary, err = remoteVerifiers(m, "sign-verify-summary", a)
	return w, err
}

// NewChecker makes a checker. The remote need not exist unless GPG signatures are
// judged.
func NewChecker(r *repo.Repo, remote string, w Wants, o CheckerOptions) *Checker {
	keys := sync.OnceValues(func() (*openpgp.Keyring, error) {
		m, err := r.Remote(remote)
		if err != nil {
			return nil, err
		}
		return o.Keyrings.Remote(m)
	})
	gpg := func(data []byte, m ostree.Metadata) error {
		k, err := keys()
		if err != nil {
			return err
		}
		return verifyGPG(k, data, m, o.Now)
	}
	c := &Checker{}
	if w.GPG || len(w.Kinds) > 0 {
		c.Commit = func(sum ostree.Checksum, raw []byte, detached ostree.Metadata) error {
			if err := w.commit(gpg, raw, detached); err != nil {
				return &CommitError{Commit: sum, Detached: detached != nil, Err: err}
			}
			return nil
		}
	}
	if w.GPGSummary || len(w.Summary) > 0 {
		c.Summary = func(raw, sig []byte) error { return w.summary(gpg, raw, sig) }
	}
	return c
}

type gpgFunc func(data []byte, m ostree.Metadata) error

func (w Wants) commit(gpg gpgFunc, raw []byte, detached ostree.Metadata) error {
	if w.GPG {
		if err := gpg(raw, detached); err != nil {
			return err
		}
	}
	if len(w.Kinds) > 0 {
		return verifyAny(w.Kinds, raw, detached)
	}
	return nil
}

func (w Wants) summary(gpg gpgFunc, raw, sig []byte) error {
	if w.GPGSummary {
		switch {
		case raw == nil:
			return &GPGSummaryError{ErrNoSummary}
		case sig == nil:
			return &GPGSummaryError{ErrNoSummarySignatures}
		}
	}
	if sig == nil {
		return ErrNoSummarySignatures
	}
	if raw == nil {
		return ErrNoSummary
	}
	m, err := ostree.ParseMetadata(sig)
	if err != nil {
		m = nil // no signature in it counts
	}
	if w.GPGSummary {
		if err := gpg(raw, m); err != nil {
			return err
		}
	}
	if len(w.Summary) > 0 {
		return verifyAny(w.Summary, raw, m)
	}
	return nil
}

// remoteVerifiers are the verifiers that an option of a remote wants: none, all kinds,
// or those of a list, which then need keys of their own.
func remoteVerifiers(m *repo.Remote, option string, a Allow) ([]*Verifier, error) {
	value, _ := m.Option(option)
	var kinds []string
	required := false
	switch strings.ToLower(value) {
	case "", "false", "no", "0", "none":
		return nil, nil
	case "true", "yes", "1":
		if kinds = []string{KindEd25519}; a.Dummy {
			kinds = append(kinds, KindDummy)
		}
	default:
		list, err := m.Values(option)
		if err != nil {
			return nil, err
		}
		required = true
		kinds = slices.DeleteFunc(list, func(s string) bool { return s == "" })
	}
	var out []*Verifier
	for _, kind := range kinds {
		v, err := NewVerifier(kind, a)
		if err != nil {
			return nil, fmt.Errorf("remote %q: %s: %w", m.Name, option, err)
		}
		if err := addRemoteKeys(v, m, required); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// addRemoteKeys adds the keys that the options of a remote have.
func addRemoteKeys(v *Verifier, m *repo.Remote, required bool) error {
	file, hasFile := m.Option("verification-" + v.Kind() + "-file")
	if hasFile {
		if err := v.AddFile(file); err != nil {
			return &KeyError{Kind: v.Kind(), From: file, Err: err}
		}
	}
	key, hasKey := m.Option("verification-" + v.Kind() + "-key")
	if hasKey {
		if err := v.AddKey(key); err != nil {
			return &KeyError{Kind: v.Kind(), Err: err}
		}
	}
	if required && !hasFile && !hasKey {
		return &KeyError{Kind: v.Kind(), Err: ErrNoKeys}
	}
	return nil
}
