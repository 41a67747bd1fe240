package pull

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/delta"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// DeltaUse tells whether static deltas are used in place of objects. An archive never
// uses any, and a source on this machine only when they are required.
type DeltaUse int

// The uses of static deltas.
const (
	DeltasOffered  DeltaUse = iota // where there are some
	DeltasNever                    // objects come one by one
	DeltasRequired                 // a commit that none leads to is a [*NoDeltaError]
)

// A NoDeltaError is a commit that no static delta leads to from what is here.
type NoDeltaError struct {
	Ref string // "": a commit was asked for
	To  ostree.Checksum
}

func (e *NoDeltaError) Error() string {
	return fmt.Sprintf("static delta of %q to %s: %v", e.Ref, e.To, ostree.ErrNotFound)
}

func (e *NoDeltaError) Unwrap() error { return ostree.ErrNotFound }

// ErrNoDeltaList is given when static deltas are required of a source that does not say
// which ones it has.
var ErrNoDeltaList = errors.New("neither a summary nor an index tells of static deltas")

// DeltaReport tells of the static deltas of a pull.
type DeltaReport struct {
	Parts, Fetched int    // of Parts, those that came over the wire
	Size, USize    uint64 // bytes of all parts and fallbacks, and of what is in them
	FetchedSize    uint64
}

// offer is a static delta that is to be used.
type offer struct {
	dir string // below the source
	sb  *delta.Superblock
}

// findDeltas looks for the static deltas to targets, and fetches their superblocks.
func (p *puller) findDeltas(ctx context.Context, targets []target) error {
	if !p.wantDeltas() {
		return nil
	}
	for _, t := range targets {
		whole, err := p.o.To.Whole(t.commit)
		if err != nil {
			return err
		}
		if _, again := p.offers[t.commit]; whole || again {
			continue
		}
		o, err := p.findDelta(ctx, t)
		if err != nil {
			return err
		}
		if o == nil && p.o.Deltas == DeltasRequired {
			return &NoDeltaError{t.Name, t.commit}
		}
		if o != nil {
			p.offers[t.commit] = o
			p.countDelta(o.sb)
		}
	}
	return nil
}

func (p *puller) wantDeltas() bool {
	switch {
	case p.o.Deltas == DeltasNever, p.o.To.Mode() == ostree.ModeArchive, p.o.CommitOnly, p.paths != nil:
		return false
	case p.o.Deltas == DeltasRequired:
		return true
	}
	return !isLocal(p.o.From)
}

func (p *puller) countDelta(sb *delta.Superblock) {
	d := &p.stats.r.Delta
	d.Parts += len(sb.Parts) + len(sb.Fallbacks)
	for _, part := range sb.Parts {
		d.Size, d.USize = d.Size+part.Size, d.USize+part.USize
	}
	for _, f := range sb.Fallbacks {
		d.Size, d.USize = d.Size+f.Size, d.USize+f.USize
	}
}

// findDelta finds the best delta to a target: from the newest commit that is here
// whole, else, when its ref is not here, from nothing.
func (p *puller) findDelta(ctx context.Context, t target) (*offer, error) {
	current, err := p.currentWhole(t)
	if err != nil {
		return nil, err
	}
	if p.summary == nil && !p.indexed {
		if p.o.Deltas == DeltasRequired {
			return nil, ErrNoDeltaList
		}
		if p.o.VerifySummary != nil {
			return nil, nil
		}
		return p.superblock(ctx, current, t.commit, nil)
	}
	list, err := p.listed(ctx, t.commit)
	if err != nil {
		return nil, err
	}
	var from *ostree.Checksum
	var digest *ostree.Checksum
	var newest uint64
	for _, d := range list {
		base, to, isBased := strings.Cut(d.Name, "-")
		if !isBased {
			base, to = "", d.Name
		}
		switch {
		case to != t.commit.String():
		case !isBased && current == nil && from == nil:
			digest = &d.Digest
		case isBased:
			c, stamp, ok := p.wholeCommit(base)
			if ok && (from == nil || stamp > newest) {
				from, digest, newest = &c, &d.Digest, stamp
			}
		}
	}
	if digest == nil {
		return nil, nil
	}
	return p.superblock(ctx, from, t.commit, digest)
}

// currentWhole is where the ref of a target is, if that is here whole.
func (p *puller) currentWhole(t target) (*ostree.Checksum, error) {
	if t.Name == "" {
		return nil, nil
	}
	c, ok, err := p.current(t.Ref)
	if err != nil || !ok {
		return nil, err
	}
	whole, err := p.o.To.Whole(c)
	if err != nil || !whole {
		return nil, err
	}
	return &c, nil
}

// wholeCommit is a commit that is here whole, and its time.
func (p *puller) wholeCommit(name string) (c ostree.Checksum, stamp uint64, ok bool) {
	c, err := ostree.ParseChecksum(name)
	if err != nil {
		return c, 0, false
	}
	if whole, err := p.o.To.Whole(c); err != nil || !whole {
		return c, 0, false
	}
	commit, err := p.o.To.ReadCommit(c)
	if err != nil {
		return c, 0, false
	}
	return c, commit.Timestamp, true
}

// listed are the deltas to a commit that the source has: by its index, or its summary.
func (p *puller) listed(ctx context.Context, to ostree.Checksum) ([]ostree.DeltaDigest, error) {
	if p.summary != nil && !p.summary.s.Indexed {
		return p.summary.s.Deltas, nil
	}
	raw, err := optional(p.contentFile(ctx, "delta-indexes"+strings.TrimPrefix(delta.Dir(nil, to), "deltas")+".index", summaryLimit))
	p.stats.metadata(false, len(raw)) // also when there is none, as ostree counts
	if err != nil || raw == nil {
		return nil, err
	}
	return ostree.ParseDeltaIndex(raw)
}

// contentFile reads a file from where objects come from.
func (p *puller) contentFile(ctx context.Context, name string, limit int64) ([]byte, error) {
	if s, ok := p.o.From.(interface {
		ContentFile(context.Context, string, int64) ([]byte, error)
	}); ok {
		return s.ContentFile(ctx, name, limit)
	}
	return p.o.From.File(ctx, name, limit)
}

// superblock fetches the superblock of a delta; nil: there is none. digest is what the
// source says of it.
func (p *puller) superblock(ctx context.Context, from *ostree.Checksum, to ostree.Checksum, digest *ostree.Checksum) (*offer, error) {
	o := &offer{dir: delta.Dir(from, to)}
	raw, err := optional(p.contentFile(ctx, o.dir+"/superblock", delta.MaxSuperblock))
	p.stats.metadata(false, len(raw))
	if err != nil || raw == nil {
		return nil, err
	}
	if got := ostree.Checksum(sha256.Sum256(raw)); digest != nil && got != *digest {
		return nil, fmt.Errorf("superblock of the delta to %s: checksum is %s, the source says %s: %w", to, got, *digest, ostree.ErrCorrupt)
	}
	if o.sb, err = delta.ParseSuperblock(raw); err != nil {
		return nil, err
	}
	sameFrom := from == nil && o.sb.From == nil || from != nil && o.sb.From != nil && *from == *o.sb.From
	if o.sb.To != to || !sameFrom {
		return nil, fmt.Errorf("superblock of the delta to %s: it is of another delta: %w", to, ostree.ErrCorrupt)
	}
	return o, nil
}

// given is the commit of a superblock, or nil.
func (p *puller) given(o repo.Object) []byte {
	if d := p.offers[o.Checksum]; d != nil && o.Type == ostree.TypeCommit && ostree.Sum(d.sb.Commit) == o.Checksum {
		return d.sb.Commit
	}
	return nil
}

var errNoDryRun = errors.New("only static deltas tell beforehand what a pull costs")
