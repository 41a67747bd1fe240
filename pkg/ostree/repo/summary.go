package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
)

// UpdateSummary writes the summary and the delta indexes anew, as `ostree summary
// -u` does, and notes core.indexed-deltas in the configuration. now is in seconds
// since 1970 UTC. A signature of the old summary is removed.
//
// Of a repository with a collection ID the commit on ostree-metadata is not made.
func (r *Repo) UpdateSummary(now int64) (err error) {
	lock, err := r.lockUntil(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock(lock)) }()
	s, err := r.summary(now)
	if err != nil {
		return err
	}
	raw, err := s.Encode()
	if err != nil {
		return err
	}
	if err := r.setConfig("core", "indexed-deltas", "true"); err != nil {
		return err
	}
	if err := fsutil.WriteBytes(r.file("summary"), 0o644, raw); err != nil {
		return err
	}
	if err := os.Remove(r.file("summary.sig")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// summary puts together what the summary says, and writes the delta indexes.
func (r *Repo) summary(now int64) (*ostree.Summary, error) {
	s := &ostree.Summary{Mode: r.mode, LastModified: uint64(now), Indexed: true, Collection: r.config["core.collection-id"]}
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
	mirrors, err := r.Mirrors()
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(mirrors)) {
		list, err := r.summaryRefs(mirrors[id])
		if err != nil {
			return nil, fmt.Errorf("collection %s: %w", id, err)
		}
		s.Collections = append(s.Collections, ostree.Collection{ID: id, Refs: list})
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

// summaryRefs looks refs' commits up.
func (r *Repo) summaryRefs(refs map[string]ostree.Checksum) ([]ostree.SummaryRef, error) {
	var out []ostree.SummaryRef
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		raw, err := r.ReadObject(ostree.TypeCommit, refs[name])
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
