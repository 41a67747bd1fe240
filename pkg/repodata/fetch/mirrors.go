package fetch

import (
	"context"
	"fmt"
	"slices"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/repodata"
)

// findBases lists where a repository may be had, in the order to try. promised is
// what the index must be, when a metalink tells.
func (c *Client) findBases(ctx context.Context, rem *remote) (promised []digest.Digest, err error) {
	rem.bases = slices.Clone(rem.cfg.BaseURL)
	if url := rem.cfg.Mirrorlist; url != "" {
		b, err := c.small(ctx, rem, url)
		if err != nil && len(rem.bases) == 0 {
			return nil, fmt.Errorf("mirrorlist %w", err)
		}
		rem.bases = append(rem.bases, repodata.ParseMirrorlist(b)...)
	}
	if url := rem.cfg.Metalink; url != "" {
		b, err := c.small(ctx, rem, url)
		if err != nil {
			return nil, fmt.Errorf("metalink %w", err)
		}
		link, err := repodata.ParseMetalink(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", url, err)
		}
		rem.bases, promised = append(rem.bases, link.Bases...), link.Digests
	}
	if len(rem.bases) == 0 {
		return nil, fmt.Errorf("no mirror: %w", ErrNotFound)
	}
	return promised, nil
}

// checkPromise compares an index with what a metalink says of it.
func checkPromise(b []byte, promised []digest.Digest) error {
	if len(promised) == 0 {
		return nil
	}
	for _, d := range promised {
		h := d.Algorithm.New()
		h.Write(b)
		if digest.FromHash(d.Algorithm, h) == d {
			return nil
		}
	}
	return fmt.Errorf("its checksum is none that the metalink lists: %w", digest.ErrMismatch)
}
