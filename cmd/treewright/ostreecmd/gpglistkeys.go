package ostreecmd

import (
	"context"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/sign"
)

func gpgListKeysCommand() *command {
	c := newCommand("gpg-list-keys", "[NAME]", "Print the GPG keys that a remote has, or without NAME those of the system")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		now, err := e.now()
		if err != nil {
			return err
		}
		keys, err := e.listedKeys(r)
		if err != nil {
			return err
		}
		for _, key := range keys.Keys() {
			var b strings.Builder
			describeKey(&b, key, now)
			e.printf("%s", b.String())
		}
		return nil
	}
	return c
}

func (e *env) listedKeys(r *repo.Repo) (*openpgp.Keyring, error) {
	if len(e.args) == 0 {
		return e.keyrings().Global()
	}
	m, err := r.Remote(e.args[0])
	if err != nil {
		return nil, err
	}
	return sign.OfRemote(m)
}

// describeKey says in lines what is known about a key.
func describeKey(b *strings.Builder, key *openpgp.Key, now time.Time) {
	describeKeyTimes(b, key, "", "Key", key.Revoked, now)
	for _, id := range key.UserIDs {
		b.WriteString("  UID: " + id.Text + revokedMark(key.Revoked || id.Revoked) + "\n")
		advanced, direct := id.UpdateURLs()
		b.WriteString("  Advanced update URL: " + advanced + "\n")
		b.WriteString("  Direct update URL: " + direct + "\n")
	}
	for _, sub := range key.Subkeys {
		describeKeyTimes(b, sub, "  ", "Subkey", key.Revoked || sub.Revoked, now)
	}
}

func describeKeyTimes(b *strings.Builder, key *openpgp.Key, prefix, what string, revoked bool, now time.Time) {
	b.WriteString(prefix + what + ": " + key.Fingerprint + revokedMark(revoked) + "\n")
	b.WriteString(prefix + "  Created: " + formatTime(key.Created) + "\n")
	switch {
	case key.Expires.IsZero():
	case key.Expired(now) && !revoked:
		b.WriteString(prefix + "  Expired: " + formatTime(key.Expires) + "\n")
	default: // also of a revoked key, whose time does not matter any more
		b.WriteString(prefix + "  Expires: " + formatTime(key.Expires) + "\n")
	}
}

func revokedMark(revoked bool) string {
	if revoked {
		return " (revoked)"
	}
	return ""
}
