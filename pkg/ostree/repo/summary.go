package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
)

// SummaryOptions say what a summary has besides what the repository tells.
type SummaryOptions struct {
	Time     int64           // of the summary, seconds since 1970 UTC
	Metadata ostree.Metadata // keys that libostree knows are left out
	// Sign returns signatures of bytes, as they stand in detached metadata of commits
	// and in summary.sig. nil leaves the summary unsigned.
	Sign func(data []byte) (ostree.Metadata, error)
}

// metadataRef is the ref that repositories with a collection ID keep their metadata on,
// in commits of an empty tree: a mirror may have no summary of its own.
const metadataRef = "ostree-metadata"

// UpdateSummary writes the summary and the delta indexes anew, as `ostree summary
// -u` does, and notes core.indexed-deltas in the configuration. A repository with a
// collection ID gets a commit on ostree-metadata before. The summary comes last, and
// its signature right behind it; one of the old summary is removed.
func (r *Repo) UpdateSummary(ctx context.Context, o SummaryOptions) (err error) {
	lock, err := r.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock(lock)) }()
	if r.Collection() != "" {
		if err := r.commitMetadata(ctx, o); err != nil {
			return fmt.Errorf("ref %s: %w", metadataRef, err)
		}
	}
	return r.writeSummary(o)
}

// commitMetadata makes the commit on ostree-metadata.
func (r *Repo) commitMetadata(ctx context.Context, o SummaryOptions) error {
	c := &ostree.Commit{Timestamp: uint64(o.Time)}
	bindings := ostree.Metadata{
		{Key: ostree.KeyRefBinding, Value: gvariant.Variant{Type: "as", Value: []any{metadataRef}}},
		{Key: ostree.KeyCollectionBinding, Value: gvariant.Variant{Type: "s", Value: r.Collection()}},
	}
	for _, m := range o.Metadata {
		if _, bound := bindings.Lookup(m.Key); !bound {
			c.Metadata = append(c.Metadata, m)
		}
	}
	c.Metadata = append(c.Metadata, bindings...)
	parent, err := r.Resolve(metadataRef)
	if err == nil {
		c.Parent = &parent
	} else if !errors.Is(err, ostree.ErrNotFound) {
		return err
	}
	txn, err := r.Begin(ctx)
	if err != nil {
		return err
	}
	defer txn.Abort()
	if c.Root, c.RootMeta, err = txn.WriteTree(ctx, filetree.NewDir(0o755), TreeOptions{}); err != nil {
		return err
	}
	sum, err := txn.WriteCommit(c)
	if err != nil {
		return err
	}
	if err := txn.signCommit(c, sum, o.Sign); err != nil {
		return err
	}
	txn.SetRef(metadataRef, sum)
	return txn.Commit(ctx)
}

// signCommit writes signatures of a commit.
func (t *Txn) signCommit(c *ostree.Commit, sum ostree.Checksum, sign func([]byte) (ostree.Metadata, error)) error {
	if sign == nil {
		return nil
	}
	raw, err := c.Encode()
	if err != nil {
		return err
	}
	sigs, err := signed(raw, sign)
	if err != nil {
		return err
	}
	return t.WriteDetached(sum, sigs)
}

func signed(data []byte, sign func([]byte) (ostree.Metadata, error)) ([]byte, error) {
	sigs, err := sign(data)
	if err != nil {
		return nil, err
	}
	return sigs.Encode()
}

// writeSummary writes the summary. The repository is locked.
func (r *Repo) writeSummary(o SummaryOptions) error {
	s, err := r.summary(o.Time)
	if err != nil {
		return err
	}
	s.Other = o.other()
	raw, err := s.Encode()
	if err != nil {
		return err
	}
	var sig []byte
	if o.Sign != nil {
		if sig, err = signed(raw, o.Sign); err != nil {
			return err
		}
	}
	if err := r.setConfig("core", "indexed-deltas", "true"); err != nil {
		return err
	}
	if err := fsutil.WriteBytes(r.file("summary"), 0o644, raw); err != nil {
		return err
	}
	if sig != nil {
		err = fsutil.WriteBytes(r.file("summary.sig"), 0o644, sig)
	} else {
		err = os.Remove(r.file("summary.sig"))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return r.syncDir(r.path)
}

// other are the keys that stand in the summary as they are: each once, the last one of
// it.
func (o SummaryOptions) other() ostree.Metadata {
	var out ostree.Metadata
	for i, m := range o.Metadata {
		again := slices.ContainsFunc(o.Metadata[i+1:], func(n ostree.MetaEntry) bool { return n.Key == m.Key })
		if !again && !ostree.IsSummaryKey(m.Key) {
			out = append(out, m)
		}
	}
	return out
}

// autoSummary writes the summary when refs have changed, if the configuration says so.
func (r *Repo) autoSummary() error {
	old, err := r.config.flag("core.commit-update-summary", false)
	if err != nil {
		return err
	}
	on, err := r.config.flag("core.auto-update-summary", old)
	if err != nil || !on {
		return err
	}
	now, err := r.now()
	if err != nil {
		return err
	}
	return r.writeSummary(SummaryOptions{Time: now})
}

// SetClock sets what tells the time of summaries that are written because refs have
// changed; without one it is the time of that change as the file system has it.
func (r *Repo) SetClock(clock func() time.Time) { r.clock = clock }

func (r *Repo) now() (int64, error) {
	if r.clock != nil {
		return r.clock().Unix(), nil
	}
	st, err := os.Stat(r.path) // refs have just set it
	if err != nil {
		return 0, err
	}
	return st.ModTime().Unix(), nil
}

// ReadSummary returns the bytes of the summary, for [ostree.ParseSummary]. The error
// wraps [ostree.ErrNotFound] when there is none.
func (r *Repo) ReadSummary() ([]byte, error) {
	f, size, err := openRegular(r.file("summary"))
	if errors.Is(err, fs.ErrNotExist) {
		err = ostree.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("summary of %s: %w", r.path, err)
	}
	defer f.Close()
	if size > ostree.MaxMetadata {
		return nil, fmt.Errorf("summary of %s: %d bytes, at most %d are allowed: %w", r.path, size, ostree.MaxMetadata, ostree.ErrMalformed)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, fmt.Errorf("summary of %s: %w", r.path, err)
	}
	return b, nil
}

// summary puts together what the summary says, and writes the delta indexes.
func (r *Repo) summary(now int64) (*ostree.Summary, error) {
	s := &ostree.Summary{Mode: r.mode, LastModified: uint64(now), Indexed: true, Collection: r.Collection()}
	var err error
	if s.Tombstones, err = r.config.flag("core.tombstone-commits", false); err != nil {
		return nil, err
	}
	refs, err := r.Refs()
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(refs, func(name string, _ ostree.Checksum) bool { return strings.Contains(name, ":") })
	if s.Refs, err = r.summaryRefs(refs); err != nil {
		return nil, err
	}
	if s.Collections, err = r.otherCollections(); err != nil {
		return nil, err
	}
	deltas, err := r.Deltas()
	if err != nil {
		return nil, err
	}
	without, err := r.config.flag("core.no-deltas-in-summary", false)
	if err != nil {
		return nil, err
	}
	if !without {
		s.Deltas = deltas
	}
	return s, r.writeDeltaIndexes(deltas)
}

// otherCollections are the refs of collections that are not this repository's.
func (r *Repo) otherCollections() ([]ostree.Collection, error) {
	refs, err := r.CollectionRefs()
	if err != nil {
		return nil, err
	}
	byID := map[string]map[string]ostree.Checksum{}
	for n, c := range refs {
		if n.Collection == r.Collection() {
			continue
		}
		if byID[n.Collection] == nil {
			byID[n.Collection] = map[string]ostree.Checksum{}
		}
		byID[n.Collection][n.Name] = c
	}
	var out []ostree.Collection
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		list, err := r.summaryRefs(byID[id])
		if err != nil {
			return nil, fmt.Errorf("collection %s: %w", id, err)
		}
		out = append(out, ostree.Collection{ID: id, Refs: list})
	}
	return out, nil
}

// summaryRefs looks refs' commits up.
func (r *Repo) summaryRefs(refs map[string]ostree.Checksum) ([]ostree.SummaryRef, error) {
	var out []ostree.SummaryRef
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		// Damage is for fsck and for who pulls: one commit must not keep the refs of all
		// others from being published.
		raw, err := r.ReadRaw(ostree.TypeCommit, refs[name])
		if err != nil {
			return nil, fmt.Errorf("ref %s: %w", name, err)
		}
		c, err := ostree.ParseCommit(raw)
		if err != nil {
			return nil, fmt.Errorf("ref %s: %w", name, objectError(ostree.TypeCommit, refs[name], err))
		}
		out = append(out, ostree.SummaryRef{Name: name, Commit: refs[name], Size: uint64(len(raw)), Timestamp: c.Timestamp, Version: c.Version()})
	}
	return out, nil
}
