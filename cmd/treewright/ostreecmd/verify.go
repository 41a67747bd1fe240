package ostreecmd

import (
	"errors"

	"github.com/treewright/treewright/pkg/ostree/pull"
	"github.com/treewright/treewright/pkg/ostree/sign"
)

// verifyKinds tells which signatures a pull wants.
type verifyKinds struct{ gpg, gpgSummary bool }

// addVerify makes a pull judge the signatures that are wanted by the keys of a remote.
func (e *env) addVerify(o *pull.Options, remote string, k verifyKinds) error {
	if !k.gpg && !k.gpgSummary {
		return nil
	}
	if remote == "" {
		return errors.New("Must specify remote name to enable gpg verification")
	}
	with, err := e.checkerOptions()
	if err != nil {
		return err
	}
	check := sign.NewChecker(o.To, remote, sign.Wants{GPG: k.gpg, GPGSummary: k.gpgSummary}, with)
	o.VerifyCommit, o.VerifySummary = check.Commit, check.Summary
	return nil
}

// checkerOptions are what the environment says of keys.
func (e *env) checkerOptions() (o sign.CheckerOptions, err error) {
	o.Keyrings, o.Allow = e.keyrings(), e.allow()
	o.Now, err = e.now()
	return o, err
}

func (e *env) keyrings() sign.Keyrings {
	return sign.Keyrings{System: e.getenv("OSTREE_GPG_HOME")}
}

func (e *env) allow() sign.Allow {
	return sign.Allow{Dummy: e.getenv("OSTREE_DUMMY_SIGN_ENABLED") != ""}
}
