package repo

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
)

// UpdateSummary writes the summary and the delta indexes anew, as `ostree summary
// -u` does. now is in seconds since 1970 UTC. A signature of the old summary is
// removed.
func (r *Repo) UpdateSummary(now int64) error {
	s := &ostree.Summary{Mode: r.mode, LastModified: uint64(now), Indexed: true, Tombstones: r.config["core.tombstone-commits"] == "true"}
	refs, err := r.Refs()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(keys(refs)) {
		if strings.Contains(name, ":") {
			continue // a remote's
		}
		raw, err := r.ReadObject(ostree.TypeCommit, refs[name])
		if err != nil {
			return fmt.Errorf("ref %s: %w", name, err)
		}
		c, err := ostree.ParseCommit(raw)
		if err != nil {
			return fmt.Errorf("ref %s: %w", name, err)
		}
		s.Refs = append(s.Refs, ostree.SummaryRef{Name: name, Commit: refs[name], Size: uint64(len(raw)), Timestamp: c.Timestamp, Version: c.Version()})
	}
	if s.Deltas, err = r.Deltas(); err != nil {
		return err
	}
	if err := r.writeDeltaIndexes(s.Deltas); err != nil {
		return err
	}
	raw, err := s.Encode()
	if err != nil {
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

// Deltas lists the static deltas, with the SHA-256 of their superblocks.
func (r *Repo) Deltas() ([]ostree.DeltaDigest, error) {
	found, err := filepath.Glob(r.file("deltas", "*", "*", "superblock"))
	if err != nil {
		return nil, err
	}
	var out []ostree.DeltaDigest
	for _, f := range found {
		dir := filepath.Dir(f)
		name, err := deltaName(filepath.Base(filepath.Dir(dir)) + filepath.Base(dir))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		out = append(out, ostree.DeltaDigest{Name: name, Digest: sha256.Sum256(b)})
	}
	slices.SortFunc(out, func(a, b ostree.DeltaDigest) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// deltaName turns the base64 names of a delta's folder into checksums.
func deltaName(s string) (string, error) {
	var out []string
	for part := range strings.SplitSeq(s, "-") {
		b, err := base64.RawStdEncoding.DecodeString(strings.ReplaceAll(part, "_", "/"))
		if err != nil || len(b) != sha256.Size {
			return "", fmt.Errorf("delta name %q: %w", s, ostree.ErrMalformed)
		}
		out = append(out, ostree.Checksum(b).String())
	}
	return strings.Join(out, "-"), nil
}

// writeDeltaIndexes writes one index for each commit that a delta leads to, and
// removes those of commits that none leads to any more.
func (r *Repo) writeDeltaIndexes(deltas []ostree.DeltaDigest) error {
	byTo := map[string][]ostree.DeltaDigest{}
	for _, d := range deltas {
		to := d.Name[strings.LastIndexByte(d.Name, '-')+1:]
		byTo[to] = append(byTo[to], d)
	}
	keep := map[string]bool{}
	for _, to := range slices.Sorted(keys(byTo)) {
		c, err := ostree.ParseChecksum(to)
		if err != nil {
			return err
		}
		name := strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(c[:]), "/", "_")
		file := r.file("delta-indexes", name[:2], name[2:]+".index")
		keep[file] = true
		raw, err := ostree.EncodeDeltaIndex(byTo[to])
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := fsutil.WriteBytes(file, 0o644, raw); err != nil {
			return err
		}
	}
	old, err := filepath.Glob(r.file("delta-indexes", "*", "*.index"))
	if err != nil {
		return err
	}
	for _, f := range old {
		if !keep[f] {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	return nil
}
