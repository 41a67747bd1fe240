package sign

import (
	"fmt"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// Import adds keys to the keyring of a remote, and what is new about those it has, and
// returns how many are new. The error is a [*repo.RemoteError] when there is no such
// remote.
func Import(r *repo.Repo, remote string, keys *openpgp.Keyring) (added int, err error) {
	m, err := r.Remote(remote)
	if err != nil {
		return 0, err
	}
	own, err := Own(m)
	if err != nil {
		return 0, err
	}
	added = own.Add(keys)
	b, err := own.Encode()
	if err != nil {
		return 0, fmt.Errorf("keyring of remote %q: %w", remote, err)
	}
	return added, fsutil.WriteBytes(r.Keyring(remote), 0o644, b)
}
