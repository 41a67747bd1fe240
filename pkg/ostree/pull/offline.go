package pull

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/delta"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// A FromError tells that the commit is not here that a delta starts from.
type FromError struct{ From ostree.Checksum }

func (e *FromError) Error() string {
	return fmt.Sprintf("commit %s, which the delta starts from: %v", e.From, ostree.ErrNotFound)
}

func (e *FromError) Unwrap() error { return ostree.ErrNotFound }

// A FallbackError tells that a delta leaves objects to be fetched, and nothing can be.
type FallbackError struct{ Objects int }

func (e *FallbackError) Error() string {
	return fmt.Sprintf("the delta leaves %d objects to be fetched: %v", e.Objects, ostree.ErrUnsupported)
}

func (e *FallbackError) Unwrap() error { return ostree.ErrUnsupported }

// ApplyOffline makes the commit of a delta that is on disk: it and its objects appear
// together, or not at all. Refs stay as they are. Signatures are for the caller to judge.
//
// The error is a [*FromError] or a [*FallbackError], or wraps [delta.ErrMalformed] or
// [ostree.ErrCorrupt].
func ApplyOffline(ctx context.Context, to *repo.Repo, d *delta.File) error {
	if d.From != nil {
		there, err := to.Has(ostree.TypeCommit, *d.From)
		if err != nil {
			return err
		}
		if !there {
			return &FromError{*d.From}
		}
	}
	if n := len(d.Fallbacks); n > 0 {
		return &FallbackError{n}
	}
	txn, err := to.Begin(ctx)
	if err != nil {
		return err
	}
	defer txn.Abort()
	for i := range d.Parts {
		if err := offlinePart(ctx, d, i, offlineTarget{to, txn}); err != nil {
			return fmt.Errorf("delta to %s: part %d: %w", d.To, i, err)
		}
	}
	commit := repo.Object{Type: ostree.TypeCommit, Checksum: d.To}
	if err := checkForm(commit, d.Commit); err != nil {
		return err
	}
	if d.Detached != nil {
		raw, err := d.Detached.Encode()
		if err != nil {
			return err
		}
		if err := txn.WriteDetached(d.To, raw); err != nil {
			return err
		}
	}
	if err := txn.ImportMetadata(commit, d.Commit, repo.ImportOptions{}); err != nil {
		return err
	}
	return txn.Commit(ctx)
}

// offlinePart applies a part, unless all its objects are here.
func offlinePart(ctx context.Context, d *delta.File, i int, to offlineTarget) error {
	head, missing := d.Parts[i], false
	for _, n := range head.Objects {
		there, err := to.HasObject(n)
		if err != nil {
			return err
		}
		missing = missing || !there
	}
	if !missing {
		return nil
	}
	raw, err := d.Part(i)
	if err != nil {
		return err
	}
	if got := ostree.Checksum(sha256.Sum256(raw)); i >= len(d.Inline) && got != head.Checksum {
		return fmt.Errorf("checksum is %s, want %s: %w", got, head.Checksum, ostree.ErrCorrupt)
	}
	return delta.ApplyPart(ctx, raw, head.Objects, to)
}

// offlineTarget is where the objects are made: in a transaction.
type offlineTarget struct {
	r   *repo.Repo
	txn *repo.Txn
}

// HasObject implements [delta.Target].
func (t offlineTarget) HasObject(o delta.ObjectName) (bool, error) {
	return t.txn.Has(o.Type, o.Checksum)
}

// PutMetadata implements [delta.Target].
func (t offlineTarget) PutMetadata(n delta.ObjectName, raw []byte) error {
	o := repo.Object{Type: n.Type, Checksum: n.Checksum}
	if err := checkForm(o, raw); err != nil {
		return err
	}
	return t.txn.ImportMetadata(o, raw, repo.ImportOptions{})
}

// PutFile implements [delta.Target].
func (t offlineTarget) PutFile(c ostree.Checksum, h *ostree.File, r io.Reader) error {
	_, err := t.txn.ImportContent(c, h, r, repo.ImportOptions{})
	return err
}

// OpenFile implements [delta.Target].
func (t offlineTarget) OpenFile(c ostree.Checksum) (io.ReadCloser, error) {
	_, rc, err := t.r.OpenFile(c)
	return rc, err
}
