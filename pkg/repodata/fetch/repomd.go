package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/repodata"
)

// loaded is repomd.xml as it was loaded.
type loaded struct {
	Base      string `json:"base"`
	Repomd    []byte `json:"repomd"`
	Signature []byte `json:"signature,omitempty"`
}

// repomd reads the index from the first base that has a good one, or from the cache
// when the run is offline, and puts that base in front.
func (c *Client) repomd(ctx context.Context, rem *remote) (*repodata.Repomd, error) {
	keys, err := c.signers(ctx, rem)
	if err != nil {
		return nil, err
	}
	promised, err := c.findBases(ctx, rem)
	if errors.Is(err, ErrOffline) {
		return c.cachedRepomd(rem, keys, err)
	}
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, base := range rem.bases {
		in, md, err := c.loadRepomd(ctx, rem, base, promised, keys)
		if errors.Is(err, ErrOffline) {
			return c.cachedRepomd(rem, keys, err)
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			errs = append(errs, err)
			continue
		}
		rem.prefer(base)
		if _, local := isLocal(base); local {
			return md, nil
		}
		return md, c.keepRepomd(rem, in)
	}
	return nil, errors.Join(errs...)
}

// loadRepomd reads and verifies the index of one base.
func (c *Client) loadRepomd(ctx context.Context, rem *remote, base string, promised []digest.Digest, keys *openpgp.Keyring) (in loaded, md *repodata.Repomd, err error) {
	url := join(base, "repodata/repomd.xml")
	in.Base = base
	if in.Repomd, err = c.small(ctx, rem, url); err != nil {
		return in, nil, err
	}
	if err := checkPromise(in.Repomd, promised); err != nil {
		return in, nil, fmt.Errorf("%s: %w", url, err)
	}
	if keys != nil {
		if in.Signature, err = c.small(ctx, rem, url+".asc"); errors.Is(err, ErrNotFound) {
			return in, nil, fmt.Errorf("%w: repo_gpgcheck is set, and the repository is not signed: %w", err, ErrSignature)
		} else if err != nil {
			return in, nil, err
		}
	}
	md, err = c.judge(in, keys)
	return in, md, err
}

// judge verifies the signature and parses the index.
func (c *Client) judge(in loaded, keys *openpgp.Keyring) (*repodata.Repomd, error) {
	url := join(in.Base, "repodata/repomd.xml")
	if keys != nil {
		if err := c.verify(in, keys); err != nil {
			return nil, fmt.Errorf("%s.asc: %w", url, err)
		}
	}
	md, err := repodata.ParseRepomd(in.Repomd)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	return md, nil
}

func (c *Client) verify(in loaded, keys *openpgp.Keyring) error {
	sigs, err := keys.Verify(in.Repomd, in.Signature, c.Time)
	if err != nil {
		return fmt.Errorf("%w: %w", err, ErrSignature)
	}
	var why []string
	for _, s := range sigs {
		switch {
		case s.Valid:
			return nil
		case s.Missing:
			why = append(why, "made by key "+s.Fingerprint+", which is not among those of gpgkey")
		case s.Revoked:
			why = append(why, "key "+s.Fingerprint+" is revoked")
		case s.KeyExpired, s.Expired:
			why = append(why, "of key "+s.Fingerprint+", is past its time")
		default:
			why = append(why, "of key "+s.Fingerprint+", is of other content")
		}
	}
	if why == nil {
		why = []string{"there is none"}
	}
	return fmt.Errorf("%s: %w", strings.Join(why, "; "), ErrSignature)
}

// signers reads the keys that may sign the index; nil when it need not be signed.
func (c *Client) signers(ctx context.Context, rem *remote) (*openpgp.Keyring, error) {
	if !rem.cfg.RepoGPGCheck {
		return nil, nil
	}
	if len(rem.cfg.GPGKey) == 0 {
		return nil, fmt.Errorf("repo_gpgcheck is set, and gpgkey names no key: %w", ErrSignature)
	}
	return c.keys(ctx, rem)
}

// write puts a file into the cache.
func write(file string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return fsutil.WriteBytes(file, 0o644, b)
}

// indexFile is where the index of a repository is kept.
func (c *Client) indexFile(rem *remote) string {
	cfg := rem.cfg
	places := strings.Join(append(append([]string{}, cfg.BaseURL...), cfg.Mirrorlist, cfg.Metalink), "\n")
	id := strings.Map(func(r rune) rune {
		if r == '/' || r == 0 {
			return '_'
		}
		return r
	}, cfg.ID)
	return filepath.Join(c.Cache, "repomd", id+"-"+digest.Sum([]byte(places)).Hex[:16]+".json")
}

func (c *Client) keepRepomd(rem *remote, in loaded) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return write(c.indexFile(rem), b)
}

// cachedRepomd is the index that was kept; offline is the error when there is none.
func (c *Client) cachedRepomd(rem *remote, keys *openpgp.Keyring, offline error) (*repodata.Repomd, error) {
	b, err := os.ReadFile(c.indexFile(rem))
	if err != nil {
		return nil, offline
	}
	var in loaded
	if json.Unmarshal(b, &in) != nil || in.Base == "" {
		return nil, offline
	}
	md, err := c.judge(in, keys)
	if err == nil {
		rem.prefer(in.Base)
	}
	return md, err
}
