package ostreecmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/sign"
)

// signOptions are the flags of sign.
type signOptions struct {
	remove, verify          *bool
	kind, keysFile, keysDir *string
}

func signCommand() *command {
	c := newCommand("sign", "COMMIT KEY-ID...", "Add signatures to a commit, verify or remove them")
	f := c.flags
	o := signOptions{
		remove:   f.BoolP("delete", "d", false, "remove the signatures by the keys KEY-ID"),
		verify:   f.Bool("verify", false, "verify signatures by the public keys KEY-ID"),
		kind:     f.StringP("sign-type", "s", sign.KindEd25519, "the kind of signatures is `NAME`"),
		keysFile: f.String("keys-file", "", "the keys are in the file `NAME`, one a line"),
		keysDir:  f.String("keys-dir", "", "the keys to verify by are in the folder `NAME`: trusted.NAME, revoked.NAME"),
	}
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		switch {
		case err != nil:
			return err
		case len(e.args) < 1:
			return usagef("Need a COMMIT to sign or verify")
		case !*o.verify && *o.keysFile == "" && len(e.args) < 2:
			return usagef("Need at least one KEY-ID to sign with")
		}
		sum, err := r.Resolve(e.args[0])
		if err != nil {
			return err
		}
		raw, err := r.ReadObject(ostree.TypeCommit, sum)
		if err != nil {
			return err
		}
		meta, err := r.ReadDetached(sum)
		switch {
		case err != nil:
			return err
		case *o.verify:
			return e.verifyKind(o, raw, meta)
		case *o.remove:
			return e.removeKind(ctx, r, sum, raw, meta, o)
		}
		return e.addKind(ctx, r, sum, raw, meta, o)
	}
	return c
}

func (e *env) addKind(ctx context.Context, r *repo.Repo, sum ostree.Checksum, raw []byte, meta ostree.Metadata, o signOptions) error {
	var files []string
	if *o.keysFile != "" {
		files = append(files, *o.keysFile)
	}
	signers, err := e.keySigners(*o.kind, e.args[1:], files)
	if err != nil {
		return err
	}
	if meta, err = sign.Sign(meta, raw, signers...); err != nil {
		return err
	}
	return writeDetached(ctx, r, sum, meta)
}

// removeKind removes the signatures that the public keys of the command line verify.
func (e *env) removeKind(ctx context.Context, r *repo.Repo, sum ostree.Checksum, raw []byte, meta ostree.Metadata, o signOptions) error {
	v, err := e.verifier(o)
	if err != nil {
		return err
	}
	for _, key := range e.args[1:] {
		if err := v.AddKey(key); err != nil {
			return err
		}
	}
	var keep [][]byte
	all := sign.Signatures(meta, v.Kind())
	for _, sig := range all {
		if _, err := v.Verify(raw, sign.WithSignatures(nil, v.Kind(), [][]byte{sig})); err != nil {
			keep = append(keep, sig)
		}
	}
	if len(keep) < len(all) {
		if err := writeDetached(ctx, r, sum, sign.WithSignatures(meta, v.Kind(), keep)); err != nil {
			return err
		}
	}
	e.printf("Signatures deleted: %d\n", len(all)-len(keep))
	return nil
}

// verifier judges by no keys yet but those of --keys-file.
func (e *env) verifier(o signOptions) (*sign.Verifier, error) {
	a := e.allow()
	if *o.keysDir != "" {
		a.System = []string{*o.keysDir}
	}
	v, err := sign.NewVerifier(*o.kind, a)
	if err != nil || *o.keysFile == "" {
		return v, err
	}
	return v, v.AddFile(*o.keysFile)
}

// verifyKind wants a signature by a key of the command line, else one by a key of
// --keys-file or of the system.
func (e *env) verifyKind(o signOptions, raw []byte, meta ostree.Metadata) error {
	if *o.kind == sign.KindDummy && !e.allow().Dummy {
		return errNoValid
	}
	for _, key := range e.args[1:] {
		v, err := e.verifier(signOptions{kind: o.kind, keysFile: new(string), keysDir: o.keysDir})
		if err != nil {
			return err
		}
		if err := v.AddKey(key); err != nil {
			return err
		}
		if name, err := v.Verify(raw, meta); err == nil {
			e.verified(v.Kind(), name)
			return nil
		}
	}
	if len(e.args) > 1 && *o.keysFile == "" {
		return errNoValid
	}
	v, err := e.verifier(o)
	if err != nil {
		return err
	}
	if *o.keysFile == "" {
		if err := v.AddSystem(); err != nil {
			return err
		}
	}
	name, err := v.Verify(raw, meta)
	if err != nil {
		return err
	}
	e.verified(v.Kind(), name)
	return nil
}

var errNoValid = errors.New("No valid signatures found")

// verified says by which key a signature is.
func (e *env) verified(kind, key string) {
	text := fmt.Sprintf("%s: Signature verified successfully with key '%s'", kind, key)
	if kind == sign.KindDummy {
		text = "dummy: Signature verified"
	}
	e.printf("%s\n", text)
}
