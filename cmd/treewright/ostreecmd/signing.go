package ostreecmd

import (
	"errors"

	"github.com/spf13/pflag"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// signFlags are the flags of commands that sign what they write.
type signFlags struct {
	gpgKeys, keys      *[]string
	gpgHome, signature *string
}

func addSignFlags(f *pflag.FlagSet, what string) signFlags {
	return signFlags{
		gpgKeys:   f.StringArray("gpg-sign", nil, "sign "+what+" with the GPG key `KEY-ID`"),
		gpgHome:   f.String("gpg-homedir", "", "GPG's folder `HOMEDIR`"),
		keys:      f.StringArray("sign", nil, "sign "+what+" with the key `KEY-ID`"),
		signature: f.String("sign-type", "ed25519", "the kind of --sign's keys is `NAME`"),
	}
}

// signer is what signs as the flags say; nil: nothing is to be signed.
func (e *env) signer(_ *repo.Repo, o signFlags) (func([]byte) (ostree.Metadata, error), error) {
	if len(*o.gpgKeys)+len(*o.keys) == 0 {
		return nil, nil
	}
	return nil, errors.New("Requested signature type is not implemented")
}
