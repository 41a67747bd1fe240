package repo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
)

// Folders of static deltas and of their indexes. The file of a delta or an index is
// the base64 of its checksums, the first two characters being a folder.
const (
	deltasDir  = "deltas"
	indexesDir = "delta-indexes"
	indexExt   = ".index"
)

// Deltas lists the static deltas, with the SHA-256 of their superblocks, sorted by
// name: FROM-TO, or TO of one from nothing. Folders that are no deltas are passed over.
func (r *Repo) Deltas() ([]ostree.DeltaDigest, error) {
	var out []ostree.DeltaDigest
	err := r.fanOut(deltasDir, func(encoded, dir string) error {
		name, err := deltaName(encoded)
		if err != nil {
			return nil
		}
		f, _, err := openRegular(filepath.Join(dir, "superblock"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // not finished
		}
		if err != nil {
			return fmt.Errorf("delta %s: superblock: %w", name, err)
		}
		defer f.Close()
		sum := sha256.New()
		if _, err := io.Copy(sum, f); err != nil {
			return fmt.Errorf("delta %s: superblock: %w", name, err)
		}
		out = append(out, ostree.DeltaDigest{Name: name, Digest: ostree.Checksum(sum.Sum(nil))})
		return nil
	})
	slices.SortFunc(out, func(a, b ostree.DeltaDigest) int { return strings.Compare(a.Name, b.Name) })
	return out, err
}

// DeltaNames lists the static deltas as [Repo.Deltas] does, without reading them.
func (r *Repo) DeltaNames() ([]string, error) {
	var out []string
	err := r.fanOut(deltasDir, func(encoded, dir string) error {
		name, err := deltaName(encoded)
		if err != nil {
			return nil
		}
		if _, err := os.Lstat(filepath.Join(dir, "superblock")); err == nil {
			out = append(out, name)
		}
		return nil
	})
	slices.Sort(out)
	return out, err
}

// DeltaIndexes lists the commits that there are delta indexes for, sorted.
func (r *Repo) DeltaIndexes() ([]string, error) {
	var out []string
	err := r.fanOut(indexesDir, func(encoded, _ string) error {
		encoded, ok := strings.CutSuffix(encoded, indexExt)
		if name, err := deltaName(encoded); ok && err == nil && ostree.IsChecksum(name) {
			out = append(out, name)
		}
		return nil
	})
	slices.Sort(out)
	return out, err
}

// DeleteDelta removes the static delta in a folder of the repository, as delta.Dir
// names it. The repository is locked for others meanwhile. The error wraps
// [ostree.ErrNotFound] when there is none.
func (r *Repo) DeleteDelta(ctx context.Context, dir string) error {
	return r.WithLock(ctx, true, func(r *Repo) error {
		p := r.file(filepath.FromSlash(dir))
		if _, err := os.Lstat(p); missing(err) {
			return fmt.Errorf("delta %s: %w", dir, ostree.ErrNotFound)
		} else if err != nil {
			return err
		}
		return removeDelta(p)
	})
}

// Reindex writes the delta indexes anew: all of them, or that of one commit.
func (r *Repo) Reindex(ctx context.Context, to *ostree.Checksum) error {
	return r.WithLock(ctx, false, func(r *Repo) error {
		deltas, err := r.Deltas()
		if err != nil {
			return err
		}
		if to == nil {
			return r.writeDeltaIndexes(deltas)
		}
		deltas = slices.DeleteFunc(deltas, func(d ostree.DeltaDigest) bool { return !strings.HasSuffix(d.Name, to.String()) })
		if len(deltas) == 0 {
			return ignoreMissing(os.Remove(r.indexFile(*to)))
		}
		return writeIndex(r.indexFile(*to), deltas)
	})
}

// fanOut calls fn for each entry of the folders in top: with the folder's and the
// entry's name as one, and the entry's path.
func (r *Repo) fanOut(top string, fn func(name, path string) error) error {
	dirs, err := os.ReadDir(r.file(top))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if !d.IsDir() {
			continue
		}
		entries, err := os.ReadDir(r.file(top, d.Name()))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := fn(d.Name()+e.Name(), r.file(top, d.Name(), e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// deltaName turns the base64 names of a delta's folder into checksums.
func deltaName(s string) (string, error) {
	var out []string
	for part := range strings.SplitSeq(s, "-") {
		b, err := base64.RawStdEncoding.DecodeString(strings.ReplaceAll(part, "_", "/"))
		if err != nil || len(b) != sha256.Size || len(out) == 2 {
			return "", fmt.Errorf("delta name %q: %w", s, ostree.ErrMalformed)
		}
		out = append(out, ostree.Checksum(b).String())
	}
	return strings.Join(out, "-"), nil
}

// indexFile is the file of the index of deltas to a commit.
func (r *Repo) indexFile(to ostree.Checksum) string {
	name := strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(to[:]), "/", "_")
	return r.file(indexesDir, name[:2], name[2:]+indexExt)
}

// writeDeltaIndexes writes one index for each commit that a delta leads to, and
// removes those of commits that none leads to any more.
func (r *Repo) writeDeltaIndexes(deltas []ostree.DeltaDigest) error {
	byFile := map[string][]ostree.DeltaDigest{}
	var files []string
	for _, d := range deltas {
		to, err := ostree.ParseChecksum(d.Name[strings.LastIndexByte(d.Name, '-')+1:])
		if err != nil {
			return err
		}
		f := r.indexFile(to)
		if byFile[f] == nil {
			files = append(files, f)
		}
		byFile[f] = append(byFile[f], d)
	}
	for _, f := range files {
		if err := writeIndex(f, byFile[f]); err != nil {
			return err
		}
	}
	return r.fanOut(indexesDir, func(name, path string) error {
		if !strings.HasSuffix(name, indexExt) || byFile[path] != nil {
			return nil
		}
		return os.Remove(path)
	})
}

// writeIndex writes one delta index.
func writeIndex(file string, deltas []ostree.DeltaDigest) error {
	raw, err := ostree.EncodeDeltaIndex(deltas)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o775); err != nil {
		return err
	}
	return fsutil.WriteBytes(file, 0o644, raw)
}
