package repo

import (
	"errors"
	"io/fs"
	"os"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
)

// A commit that may lack objects has a file state/CHECKSUM.commitpartial. It is empty
// when a pull made it, and holds foundMark when a fsck did.
const (
	partialExt = ".commitpartial"
	foundMark  = "f"
)

func (r *Repo) partialFile(c ostree.Checksum) string { return r.file("state", c.String()+partialExt) }

// partial tells whether a commit is marked as one that may lack objects: a pull that
// is not finished, or one of a part of the tree. found is set when fsck made the mark.
func (r *Repo) partial(c ostree.Checksum) (marked, found bool, err error) {
	b, err := os.ReadFile(r.partialFile(c))
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	return err == nil, string(b) == foundMark, err
}

// Partial tells whether a commit is marked as one that may lack objects.
func (r *Repo) Partial(c ostree.Checksum) (bool, error) {
	marked, _, err := r.partial(c)
	return marked, err
}

// Whole tells whether a commit is here and not marked as one that may lack objects.
func (r *Repo) Whole(c ostree.Checksum) (bool, error) {
	if there, err := r.Has(ostree.TypeCommit, c); err != nil || !there {
		return false, err
	}
	marked, err := r.Partial(c)
	return err == nil && !marked, err
}

// MarkPartial notes that a commit may lack objects. A mark that is there stays.
func (r *Repo) MarkPartial(c ostree.Checksum) error {
	if marked, err := r.Partial(c); err != nil || marked {
		return err
	}
	return r.writePartial(c, nil)
}

// markDamaged notes that a fsck found objects of a commit missing. marked tells whether
// the mark is new.
func (r *Repo) markDamaged(c ostree.Checksum) (marked bool, err error) {
	if marked, _, err := r.partial(c); err != nil || marked {
		return false, err
	}
	return true, r.writePartial(c, []byte(foundMark))
}

func (r *Repo) writePartial(c ostree.Checksum, mark []byte) error {
	if err := os.MkdirAll(r.file("state"), 0o775); err != nil {
		return err
	}
	if err := fsutil.WriteBytes(r.partialFile(c), 0o644, mark); err != nil || !r.fsync {
		return err
	}
	return fsutil.SyncDir(r.file("state"))
}

// ClearPartial takes the mark off a commit that has all its objects.
func (r *Repo) ClearPartial(c ostree.Checksum) error {
	err := os.Remove(r.partialFile(c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
