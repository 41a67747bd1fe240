package ostreecmd

import (
	"errors"
	"strings"

	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/sign"
)

// showSignatures describes the GPG signatures of a commit, if it has any, by the keys
// of a remote, or of all remotes and of a folder of GnuPG.
func (e *env) showSignatures(r *repo.Repo, sum ostree.Checksum, raw []byte, home, remote string) error {
	now, err := e.now()
	if err != nil {
		return err
	}
	keys, err := e.showKeys(r, home, remote)
	if err != nil {
		return err
	}
	meta, err := r.ReadDetached(sum)
	if err != nil {
		return err
	}
	list, err := sign.JudgeGPG(keys, raw, meta, now)
	if errors.Is(err, sign.ErrNoSignatures) {
		return nil
	}
	if err != nil {
		return err
	}
	s := "s"
	if len(list) == 1 {
		s = ""
	}
	e.printf("Found %d signature%s:\n", len(list), s)
	for _, sig := range list {
		var b strings.Builder
		describeSignature(&b, sig, "  ", now)
		e.printf("\n%s", b.String())
	}
	return nil
}

func (e *env) showKeys(r *repo.Repo, home, remote string) (*openpgp.Keyring, error) {
	k := e.keyrings()
	if remote == "" {
		k.Home = home
		return k.All(r)
	}
	m, err := r.Remote(remote)
	if err != nil {
		return nil, err
	}
	return k.Remote(m)
}
