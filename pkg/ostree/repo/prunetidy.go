package repo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
)

// summariesDir holds summaries of remotes, as they were fetched last.
const summariesDir = "tmp/cache/summaries"

// tidy removes what belongs to commits and remotes that are no more.
func (p *prune) tidy() error {
	err := p.r.pruneDeltas(func(to ostree.Checksum) (bool, error) {
		there, err := p.r.Has(ostree.TypeCommit, to)
		return !there, err
	})
	if err != nil {
		return err
	}
	if err := p.r.pruneIndexes(); err != nil {
		return err
	}
	if err := p.r.pruneMarks(); err != nil {
		return err
	}
	return p.r.pruneSummaries()
}

// pruneDeltas removes the deltas to commits that gone says yes to.
func (r *Repo) pruneDeltas(gone func(to ostree.Checksum) (bool, error)) error {
	return r.fanOut(deltasDir, func(encoded, dir string) error {
		name, err := deltaName(encoded)
		if err != nil {
			return nil
		}
		_, to, err := ostree.ParseDeltaName(name)
		if err != nil {
			return nil
		}
		if yes, err := gone(to); err != nil || !yes {
			return err
		}
		return removeDelta(dir)
	})
}

// removeDelta removes the folder of a delta, and the one above when it is empty. The
// superblock goes first: without it there is no delta.
func removeDelta(dir string) error {
	if err := ignoreMissing(os.Remove(filepath.Join(dir, "superblock"))); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	os.Remove(filepath.Dir(dir)) // fails when it is not empty
	return nil
}

// pruneIndexes removes the indexes of deltas to commits that are not here.
func (r *Repo) pruneIndexes() error {
	return r.fanOut(indexesDir, func(name, path string) error {
		encoded, ok := strings.CutSuffix(name, indexExt)
		if !ok {
			return nil
		}
		to, err := deltaName(encoded)
		if err != nil {
			return nil
		}
		c, err := ostree.ParseChecksum(to)
		if err != nil {
			return nil
		}
		if there, err := r.Has(ostree.TypeCommit, c); err != nil || there {
			return err
		}
		return ignoreMissing(os.Remove(path))
	})
}

// pruneMarks removes marks of commits that are not here. A pull marks a commit before
// it writes it, but not while the repository is locked.
func (r *Repo) pruneMarks() error {
	entries, err := os.ReadDir(r.file("state"))
	if err = ignoreMissing(err); err != nil {
		return err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), partialExt)
		if !ok {
			continue
		}
		c, err := ostree.ParseChecksum(name)
		if err != nil {
			continue
		}
		there, err := r.Has(ostree.TypeCommit, c)
		if err == nil && !there {
			err = ignoreMissing(os.Remove(r.partialFile(c)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pruneSummaries removes cached summaries of remotes that are no more.
func (r *Repo) pruneSummaries() error {
	remotes, err := r.Remotes()
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, m := range remotes {
		known[m.Name], known[m.Name+".sig"] = true, true
	}
	entries, err := os.ReadDir(r.file(summariesDir))
	if err = ignoreMissing(err); err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if !known[e.Name()] && !known[strings.TrimSuffix(e.Name(), ".sig")] {
			errs = append(errs, ignoreMissing(os.Remove(r.file(summariesDir, e.Name()))))
		}
	}
	return errors.Join(errs...)
}
