package pull

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"path"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/delta"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

const (
	maxPart       = 1 << 30 // bytes of a part that is fetched
	partsParallel = 2       // each is in memory
)

// applyDeltas makes the objects of deltas. What is still missing then comes one by one.
func (p *puller) applyDeltas(ctx context.Context) error {
	if len(p.offers) == 0 {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(partsParallel)
	for to, o := range p.offers {
		for i := range o.sb.Parts {
			group.Go(func() error {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err := p.part(ctx, o, i); err != nil {
					return fmt.Errorf("delta to %s: part %d: %w", to, i, err)
				}
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return p.txn.Flush() // so that the walk sees them
}

// part fetches and applies one part, unless all its objects are here.
func (p *puller) part(ctx context.Context, o *offer, i int) error {
	head, target := o.sb.Parts[i], deltaTarget{p}
	missing := false
	for _, n := range head.Objects {
		there, err := target.HasObject(n)
		if err != nil {
			return err
		}
		missing = missing || !there
	}
	if !missing {
		return nil
	}
	raw, err := p.partFile(ctx, o, i)
	if err != nil {
		return err
	}
	return delta.ApplyPart(ctx, raw, head.Objects, target)
}

// partFile is the file of a part: of the superblock, or fetched and compared.
func (p *puller) partFile(ctx context.Context, o *offer, i int) ([]byte, error) {
	if i < len(o.sb.Inline) && o.sb.Inline[i] != nil {
		p.stats.part(0)
		return o.sb.Inline[i], nil
	}
	head := o.sb.Parts[i]
	raw, err := p.contentFile(ctx, path.Join(o.dir, strconv.Itoa(i)), int64(min(head.Size, maxPart)))
	if err != nil {
		return nil, err
	}
	if got := ostree.Checksum(sha256.Sum256(raw)); got != head.Checksum {
		return nil, fmt.Errorf("checksum is %s, want %s: %w", got, head.Checksum, ostree.ErrCorrupt)
	}
	p.stats.part(len(raw))
	return raw, nil
}

// deltaTarget is where objects of deltas are made: in the transaction of a pull.
type deltaTarget struct{ p *puller }

// HasObject implements [delta.Target].
func (t deltaTarget) HasObject(o delta.ObjectName) (bool, error) {
	return t.p.txn.Has(o.Type, o.Checksum)
}

// PutMetadata implements [delta.Target].
func (t deltaTarget) PutMetadata(n delta.ObjectName, raw []byte) error {
	o := repo.Object{Type: n.Type, Checksum: n.Checksum}
	if err := checkForm(o, raw); err != nil {
		return err
	}
	return t.p.txn.ImportMetadata(o, raw, repo.ImportOptions{})
}

// PutFile implements [delta.Target].
func (t deltaTarget) PutFile(c ostree.Checksum, h *ostree.File, r io.Reader) error {
	_, err := t.p.txn.ImportContent(c, h, r, repo.ImportOptions{UserOnly: t.p.o.Import.UserOnly})
	return err
}

// OpenFile implements [delta.Target].
func (t deltaTarget) OpenFile(c ostree.Checksum) (io.ReadCloser, error) {
	_, rc, err := t.p.o.To.OpenFile(c)
	return rc, err
}
