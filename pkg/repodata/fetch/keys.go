package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/repodata"
)

// Keys loads the OpenPGP keys that gpgkey= of a repository names: by URLs, file:// URLs
// or paths. Those from the network are kept, for when the run is offline.
func (c *Client) Keys(ctx context.Context, cfg repodata.RepoConfig) (*openpgp.Keyring, error) {
	rem, err := c.remote(cfg)
	if err == nil {
		var keys *openpgp.Keyring
		if keys, err = c.keys(ctx, rem); err == nil {
			return keys, nil
		}
	}
	return nil, fmt.Errorf("RPM repository %s: %w", cfg.ID, err)
}

func (c *Client) keys(ctx context.Context, rem *remote) (*openpgp.Keyring, error) {
	all := &openpgp.Keyring{}
	for _, url := range rem.cfg.GPGKey {
		b, err := c.key(ctx, rem, url)
		if err != nil {
			return nil, fmt.Errorf("gpgkey: %w", err)
		}
		keys, err := openpgp.Read(b)
		if err != nil {
			return nil, fmt.Errorf("gpgkey %s: %w", url, err)
		}
		if len(keys.Keys()) == 0 {
			return nil, fmt.Errorf("gpgkey %s: no key in it: %w", url, openpgp.ErrMalformed)
		}
		all.Add(keys)
	}
	return all, nil
}

// key loads a file of keys.
func (c *Client) key(ctx context.Context, rem *remote, url string) ([]byte, error) {
	_, local := isLocal(url)
	cached := filepath.Join(c.Cache, "keys", fmt.Sprintf("%x", sha256.Sum256([]byte(url))))
	if c.Offline && !local {
		b, err := os.ReadFile(cached)
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", url, ErrOffline)
		}
		return b, err
	}
	b, err := c.small(ctx, rem, url)
	if err != nil || local {
		return b, err
	}
	if err := os.MkdirAll(filepath.Dir(cached), 0o755); err != nil {
		return nil, err
	}
	return b, fsutil.WriteBytes(cached, 0o644, b)
}
