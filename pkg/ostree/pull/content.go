package pull

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/ostree"
)

// content fetches the files that are missing.
func (p *puller) content(ctx context.Context) error {
	p.tell(func(s *Status) { s.Files = len(p.files) })
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(p.o.Workers)
	for _, c := range p.files {
		if inner.Err() != nil {
			break
		}
		group.Go(func() error {
			defer p.tell(func(s *Status) { s.Done++ })
			return p.file(inner, c)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// file fetches one file object.
func (p *puller) file(ctx context.Context, c ostree.Checksum) error {
	there, err := p.txn.Has(ostree.TypeFile, c)
	if err != nil || there {
		return err
	}
	for _, cache := range p.o.Caches {
		if there, err := cache.Has(ostree.TypeFile, c); err != nil || !there {
			continue
		}
		opt := p.o.Import
		opt.Trust = false
		if written, err := p.txn.ImportFile(cache, c, opt); err == nil {
			p.stats.content(true, 0, written)
			return nil
		}
	}
	read, written, err := p.o.From.Content(ctx, p.txn, c, p.o.Import)
	if err == nil {
		p.stats.content(isLocal(p.o.From), read, written)
	}
	return err
}
