package repo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/keyfile"
	"github.com/treewright/treewright/pkg/ostree"
)

// A tombstone says that a commit was deleted on purpose. It is an object of the
// commit's name, with metadata that has the name again.

// writeTombstone writes the tombstone of a commit.
func (r *Repo) writeTombstone(c ostree.Checksum) error {
	name := append([]byte(c.String()), 0)
	raw, err := ostree.Metadata{{Key: "commit", Value: gvariant.Variant{Type: "ay", Value: name}}}.Encode()
	if err != nil {
		return err
	}
	p := r.objectPath(ostree.TypeTombstone, c)
	if err := os.Mkdir(filepath.Dir(p), 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return objectError(ostree.TypeTombstone, c, fsutil.WriteBytes(p, 0o644, raw))
}

// removeTombstone takes away that of a commit that is here again.
func (r *Repo) removeTombstone(c ostree.Checksum) error {
	err := os.Remove(r.objectPath(ostree.TypeTombstone, c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// tombstones tells whether commits that are deleted leave a tombstone.
func (r *Repo) tombstones() (bool, error) { return r.config.flag("core.tombstone-commits", false) }

// keepTombstones makes prunes write tombstones from now on.
func (r *Repo) keepTombstones() error {
	on, err := r.tombstones()
	if err != nil || on {
		return err
	}
	return r.EditConfig(func(f *keyfile.File) error { return f.Set("core", "tombstone-commits", "true") })
}
