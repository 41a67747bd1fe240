package delta

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
)

// makeDir makes the folder in which the files are put together, on the file system
// that they are for.
func (g *generator) makeDir(repoDir string) (err error) {
	if g.o.File != "" {
		g.dir, err = os.MkdirTemp(filepath.Dir(g.o.File), ".delta-*")
		return err
	}
	tmp := filepath.Join(repoDir, "tmp")
	if err := os.MkdirAll(tmp, 0o775); err != nil {
		return err
	}
	g.dir, err = os.MkdirTemp(tmp, "delta-*")
	return err
}

// embed puts the commit's detached metadata, and the parts if they are to be inline,
// into the superblock.
func (g *generator) embed() error {
	raw, err := g.r.ReadObject(ostree.TypeCommitMeta, g.o.To)
	switch {
	case err == nil:
		if g.sb.Detached, err = ostree.ParseMetadata(raw); err != nil {
			return fmt.Errorf("object %s.commitmeta: %w", g.o.To, err)
		}
	case !errors.Is(err, ostree.ErrNotFound):
		return err
	}
	if !g.o.Inline {
		return nil
	}
	for i := range g.sb.Parts {
		name := filepath.Join(g.dir, strconv.Itoa(i))
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		g.sb.Inline = append(g.sb.Inline, b)
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// superblock is the file, signed if it is to be.
func (g *generator) superblock() ([]byte, error) {
	raw, err := g.sb.Encode()
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxSuperblock {
		return nil, fmt.Errorf("superblock of %d bytes, clients take at most %d: %w", len(raw), MaxSuperblock, ostree.ErrUnsupported)
	}
	if g.o.Sign == nil {
		return raw, nil
	}
	sigs, err := g.o.Sign(raw)
	if err != nil {
		return nil, err
	}
	return (&Signed{Superblock: raw, Signatures: sigs}).Encode()
}

// moveFiles moves the parts beside the superblock, which comes last.
func (g *generator) moveFiles(superblock []byte) error {
	dir := filepath.Dir(g.o.File)
	if !g.o.Inline {
		for i := range g.sb.Parts {
			name := strconv.Itoa(i)
			if err := os.Rename(filepath.Join(g.dir, name), filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(g.dir); err != nil {
		return err
	}
	return fsutil.WriteBytes(g.o.File, 0o644, superblock)
}

// publish moves the finished folder to its place.
func publish(tmp, dir string) error {
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := fsutil.SyncDir(tmp); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Rename(tmp, dir); err == nil {
		return nil
	}
	// Something is there: move it out of the way, so that no client sees a mix.
	old := tmp + "-old"
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return errors.Join(os.Rename(tmp, dir), os.RemoveAll(old))
}
