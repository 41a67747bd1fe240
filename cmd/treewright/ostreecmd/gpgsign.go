package ostreecmd

import (
	"context"
	"fmt"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/sign"
)

func gpgSignCommand() *command {
	c := newCommand("gpg-sign", "COMMIT KEY-ID...", "Add GPG signatures to a commit, or remove them")
	remove := c.flags.BoolP("delete", "d", false, "remove the signatures by the keys KEY-ID")
	home := c.flags.String("gpg-homedir", "", "GPG's folder `HOMEDIR`")
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		switch {
		case err != nil:
			return err
		case len(e.args) < 1:
			return usagef("Need a COMMIT to sign")
		case len(e.args) < 2:
			return usagef("Need at least one GPG KEY-ID to sign with")
		}
		sum, err := r.Resolve(e.args[0])
		if err != nil {
			return err
		}
		if *remove {
			return e.removeGPG(ctx, r, sum, *home)
		}
		return e.addGPG(ctx, r, sum, *home)
	}
	return c
}

// addGPG signs a commit with the keys of the command line.
func (e *env) addGPG(ctx context.Context, r *repo.Repo, sum ostree.Checksum, home string) error {
	signers, err := e.gpgSigners(home, e.args[1:])
	if err != nil {
		return err
	}
	h, err := sign.OpenHome(e.gpgHome(home))
	if err != nil {
		return err
	}
	raw, err := r.ReadObject(ostree.TypeCommit, sum)
	if err != nil {
		return err
	}
	meta, err := r.ReadDetached(sum)
	if err != nil {
		return err
	}
	for i, s := range signers {
		if id := e.args[1+i]; h.HasSigned(id, meta) {
			return fmt.Errorf("Commit is already signed with GPG key %s", id)
		}
		if meta, err = sign.Sign(meta, raw, s); err != nil {
			return err
		}
	}
	return writeDetached(ctx, r, sum, meta)
}

// removeGPG removes the signatures of a commit by the keys of the command line.
func (e *env) removeGPG(ctx context.Context, r *repo.Repo, sum ostree.Checksum, home string) error {
	h, err := sign.OpenHome(e.gpgHome(home))
	if err != nil {
		return err
	}
	meta, err := r.ReadDetached(sum)
	if err != nil {
		return err
	}
	meta, n := h.RemoveSignatures(meta, e.args[1:])
	if n > 0 {
		if err := writeDetached(ctx, r, sum, meta); err != nil {
			return err
		}
	}
	e.printf("Signatures deleted: %d\n", n)
	return nil
}

// writeDetached writes the detached metadata of a commit that is there.
func writeDetached(ctx context.Context, r *repo.Repo, sum ostree.Checksum, meta ostree.Metadata) error {
	b, err := meta.Encode()
	if err != nil {
		return err
	}
	txn, err := r.Begin(ctx)
	if err != nil {
		return err
	}
	defer txn.Abort()
	if err := txn.WriteDetached(sum, b); err != nil {
		return err
	}
	return txn.Commit(ctx)
}
