package sign

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// SystemKeyrings is the folder with the GPG keys that a system trusts.
const SystemKeyrings = "/usr/share/ostree/trusted.gpg.d"

// Keyrings tells where GPG keys are that are trusted.
type Keyrings struct {
	System string // the folder of the system; "": [SystemKeyrings]
	Home   string // a folder of GnuPG whose keys are trusted, too; "": none
}

func (k Keyrings) system() string {
	if k.System != "" {
		return k.System
	}
	return SystemKeyrings
}

// All are the keys of every remote of a repository, of the system, and of Home.
func (k Keyrings) All(r *repo.Repo) (*openpgp.Keyring, error) {
	out := &openpgp.Keyring{}
	for _, dir := range []string{r.Path(), k.system()} {
		if err := addFolder(out, dir); err != nil {
			return nil, err
		}
	}
	if k.Home == "" {
		return out, nil
	}
	if err := addFolder(out, k.Home); err != nil {
		return nil, err
	}
	return out, addOptional(out, filepath.Join(k.Home, "pubring.kbx"))
}

// Remote are the keys that are trusted for a remote: its own, and without a keyring of
// its own those of the system.
func (k Keyrings) Remote(m *repo.Remote) (*openpgp.Keyring, error) {
	out, err := OfRemote(m)
	if err != nil || exists(m.Keyring()) {
		return out, err
	}
	return out, addFolder(out, k.system())
}

// OfRemote are the keys that a remote has itself, not those of the system.
func OfRemote(m *repo.Remote) (*openpgp.Keyring, error) {
	out, err := Own(m)
	if err != nil {
		return nil, err
	}
	return out, addPaths(out, m)
}

// Own is the keyring of a remote alone, without keys when there is none.
func Own(m *repo.Remote) (*openpgp.Keyring, error) {
	out := &openpgp.Keyring{}
	return out, addOptional(out, m.Keyring())
}

// Global are the keys that the system trusts.
func (k Keyrings) Global() (*openpgp.Keyring, error) {
	out := &openpgp.Keyring{}
	return out, addFolder(out, k.system())
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// addPaths adds the keys of the files, and of all files of the folders, that the
// option gpgkeypath names. A file in a folder that has no keys is passed over.
func addPaths(to *openpgp.Keyring, m *repo.Remote) error {
	paths, err := m.Values("gpgkeypath")
	if err != nil {
		return err
	}
	for _, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			return &KeyError{Kind: KindGPG, From: path, Err: err}
		}
		if !st.IsDir() {
			if err := addFile(to, path); err != nil {
				return err
			}
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return &KeyError{Kind: KindGPG, From: path, Err: err}
		}
		for _, e := range entries {
			name := filepath.Join(path, e.Name())
			if st, err := os.Stat(name); err != nil || !st.Mode().IsRegular() {
				continue
			}
			if err := addFile(to, name); err != nil && !errors.Is(err, openpgp.ErrMalformed) {
				return err
			}
		}
	}
	return nil
}

// addFolder adds the keyrings of a folder: *.gpg, but not that with secrets.
func addFolder(to *openpgp.Keyring, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &KeyError{Kind: KindGPG, From: dir, Err: err}
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".gpg") || e.Name() == "secring.gpg" || e.Name() == "trustdb.gpg" {
			continue
		}
		if err := addFile(to, filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// addOptional adds the keys of a file that need not be there.
func addOptional(to *openpgp.Keyring, name string) error {
	err := addFile(to, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func addFile(to *openpgp.Keyring, name string) error {
	k, err := ReadKeyring(name)
	if err != nil {
		return err
	}
	to.Add(k)
	return nil
}

// ReadKeyring reads a file of GPG keys: binary, in armor, or a keybox. The error is a
// [*KeyError].
func ReadKeyring(name string) (*openpgp.Keyring, error) {
	b, err := readLimited(name, openpgp.MaxKeyring)
	if err != nil {
		return nil, &KeyError{Kind: KindGPG, From: name, Err: err}
	}
	read := openpgp.Read
	if openpgp.IsKeybox(b) {
		read = openpgp.ReadKeybox
	}
	k, err := read(b)
	if err != nil {
		return nil, &KeyError{Kind: KindGPG, From: name, Err: fmt.Errorf("%w: %w", ErrBadKey, err)}
	}
	return k, nil
}
