package ostreecmd

import (
	"cmp"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/sign"
)

// signFlags are the flags of commands that sign what they write.
type signFlags struct {
	gpgKeys, keys, keyFiles *[]string
	gpgHome, signature      *string
}

func addSignFlags(f *pflag.FlagSet, what string) signFlags {
	return signFlags{
		gpgKeys:   f.StringArray("gpg-sign", nil, "sign "+what+" with the GPG key `KEY-ID`"),
		gpgHome:   f.String("gpg-homedir", "", "GPG's folder `HOMEDIR`"),
		keys:      f.StringArray("sign", nil, "sign "+what+" with the key `KEY-ID`"),
		keyFiles:  f.StringArray("sign-from-file", nil, "sign "+what+" with the keys in the file `PATH`, one a line"),
		signature: f.String("sign-type", sign.KindEd25519, "the kind of --sign's keys is `NAME`"),
	}
}

// signer is what signs as the flags say; nil: nothing is to be signed.
func (e *env) signer(_ *repo.Repo, o signFlags) (func([]byte) (ostree.Metadata, error), error) {
	signers, err := e.keySigners(*o.signature, *o.keys, *o.keyFiles)
	if err != nil {
		return nil, err
	}
	gpg, err := e.gpgSigners(*o.gpgHome, *o.gpgKeys)
	if err != nil {
		return nil, err
	}
	signers = append(signers, gpg...)
	if len(signers) == 0 {
		return nil, nil
	}
	return func(data []byte) (ostree.Metadata, error) { return sign.Sign(nil, data, signers...) }, nil
}

// keySigners are signers by keys and files of them.
func (e *env) keySigners(kind string, keys, files []string) ([]sign.Signer, error) {
	if len(keys)+len(files) == 0 {
		return nil, nil
	}
	if kind == sign.KindDummy && !e.allow().Dummy {
		return nil, errDummy
	}
	var out []sign.Signer
	for _, key := range keys {
		s, err := sign.NewSigner(kind, key)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	for _, file := range files {
		list, err := sign.ReadSigners(kind, file)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// gpgSigners are signers by the GPG keys that have these IDs.
func (e *env) gpgSigners(home string, ids []string) ([]sign.Signer, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	now, err := e.now()
	if err != nil {
		return nil, err
	}
	h, err := sign.OpenHome(e.gpgHome(home))
	if err != nil {
		return nil, err
	}
	var out []sign.Signer
	for _, id := range ids {
		s, err := h.Signer(id, now)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// gpgHome is the folder of GnuPG: that of the flag, or where gpg looks.
func (e *env) gpgHome(flag string) string {
	return cmp.Or(flag, e.getenv("GNUPGHOME"), filepath.Join(e.getenv("HOME"), ".gnupg"))
}
