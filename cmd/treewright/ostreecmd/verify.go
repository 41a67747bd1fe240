package ostreecmd

import (
	"errors"

	"github.com/treewright/treewright/pkg/ostree/pull"
)

// verifyKinds tells which signatures a pull wants.
type verifyKinds struct{ gpg, gpgSummary bool }

// addVerify makes a pull judge signatures by the keys of a remote.
func addVerify(o *pull.Options, remote string, k verifyKinds) error {
	if !k.gpg && !k.gpgSummary {
		return nil
	}
	if remote == "" {
		return errors.New("Must specify remote name to enable gpg verification")
	}
	return nil
}
