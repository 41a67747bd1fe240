package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/sign"
)

func gpgImportCommand() *command {
	c := newCommand("gpg-import", "NAME [KEY-ID...]", "Trust GPG keys for a remote: all, or those that are named")
	files := c.flags.StringArrayP("keyring", "k", nil, "the keys are in `FILE`; default: GPG's own")
	stdin := c.flags.Bool("stdin", false, "the keys are read from standard input")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		switch {
		case err != nil:
			return err
		case len(e.args) < 1:
			return usagef("NAME must be specified")
		case *stdin && len(*files) > 0:
			return usagef("--keyring and --stdin are mutually exclusive")
		}
		if _, err := r.Remote(e.args[0]); err != nil {
			return fmt.Errorf("GPG: %s", sentence(err))
		}
		keys, err := e.keysToImport(*files, *stdin)
		if err != nil {
			return err
		}
		return e.importKeys(r, e.args[0], keys, e.args[1:])
	}
	return c
}

// keysToImport reads keys from files, standard input, or the folder of GnuPG.
func (e *env) keysToImport(files []string, stdin bool) (*openpgp.Keyring, error) {
	if stdin {
		b, err := io.ReadAll(io.LimitReader(e.In, openpgp.MaxKeyring+1))
		if err != nil {
			return nil, err
		}
		k, err := openpgp.Read(b)
		if err != nil {
			return nil, errNoGPGKeys
		}
		return k, nil
	}
	if len(files) == 0 {
		h, err := sign.OpenHome(e.gpgHome(""))
		if err != nil {
			return nil, err
		}
		return h.Keys(), nil
	}
	out := &openpgp.Keyring{}
	for _, name := range files {
		k, err := sign.ReadKeyring(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			path, _ := filepath.Abs(name)
			return nil, fmt.Errorf("Error opening file %s: No such file or directory", path)
		case errors.Is(err, sign.ErrBadKey):
			return nil, errNoGPGKeys
		case err != nil:
			return nil, err
		}
		out.Add(k)
	}
	return out, nil
}

// errNoGPGKeys is about a keyring without keys.
var errNoGPGKeys = errors.New("GPG: Unable to export keys: GPGME: No data")

// importKeys adds keys to the keyring of a remote, and says how many are new.
func (e *env) importKeys(r *repo.Repo, remote string, keys *openpgp.Keyring, ids []string) error {
	if len(ids) > 0 {
		for _, id := range ids {
			if sign.CheckKeyID(id) != nil {
				return fmt.Errorf("GPG: Unable to find key \"%s\": GPGME: Invalid value", id)
			}
			if _, err := keys.Find(id); err != nil {
				return fmt.Errorf("GPG: Unable to find key \"%s\": GPGME: End of file", id)
			}
		}
		var err error
		if keys, err = keys.Select(ids...); err != nil {
			return err
		}
	}
	if len(keys.Keys()) == 0 {
		return errNoGPGKeys
	}
	n, err := sign.Import(r, remote, keys)
	if err != nil {
		return err
	}
	s := "s"
	if n == 1 {
		s = ""
	}
	e.printf("Imported %d GPG key%s to remote \"%s\"\n", n, s, remote)
	return nil
}
