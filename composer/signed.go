package composer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/rpm"
)

// keys loads the keys of the RPM repositories that have gpgcheck on and that a package
// is from. Others have none.
func (r *resolution) keys(ctx context.Context) (map[string]*openpgp.Keyring, error) {
	out := map[string]*openpgp.Keyring{}
	for _, p := range r.packages {
		c := r.configs[p.Repo.ID]
		if !c.GPGCheck || out[c.ID] != nil {
			continue
		}
		keys, err := r.client.Keys(ctx, c)
		if err != nil {
			return nil, &hintError{loadError(err), "gpgkey= of [" + c.ID + "] in its .repo file has to name the file or URL of an OpenPGP public key"}
		}
		out[c.ID] = keys
	}
	return out, nil
}

// signedBy tells whether the package was seen to be signed by one of keys, if keys are
// asked for.
func (rec *record) signedBy(keys *openpgp.Keyring) bool {
	if keys == nil {
		return true
	}
	if rec.Signed == "" {
		return false
	}
	k, err := keys.Find(rec.Signed)
	return err == nil && !k.Revoked
}

// importError names the package, and says what to do when its signature is at fault.
func importError(err error, p *repodata.Package, file string, c repodata.RepoConfig) error {
	var se *rpm.SignatureError
	if !errors.As(err, &se) {
		return fmt.Errorf("package %s: %s: %w", p.NEVRA, file, corrupt(err))
	}
	err = kindError{fmt.Errorf("package %s from RPM repository %s: %w", p.NEVRA, c.ID, err), ErrCorrupt}
	return &hintError{err, signatureHint(se, c)}
}

func signatureHint(se *rpm.SignatureError, c repodata.RepoConfig) string {
	section := "[" + c.ID + "] in its .repo file"
	switch {
	case errors.Is(se, rpm.ErrNoKey):
		return fmt.Sprintf("if you trust key %s, add the file or URL that has it to gpgkey= of %s; there is %s", se.KeyID, section, strings.Join(c.GPGKey, ", "))
	case errors.Is(se, rpm.ErrNotSigned):
		return "set gpgcheck=0 of " + section + " if you trust the place it names"
	case errors.Is(se, rpm.ErrNotTrusted):
		return "the repository has to sign the package anew, or gpgkey= of " + section + " has to name a newer copy of the key"
	case errors.Is(se, rpm.ErrUnsupportedSignature):
		return "the repository has to sign the package with RSA, ECDSA or EdDSA, or set gpgcheck=0 of " + section + " if you trust the place it names"
	}
	return "the package was changed after it was signed: take it from another mirror, and tell who runs this one"
}
