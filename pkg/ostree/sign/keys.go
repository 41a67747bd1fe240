package sign

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// SystemKeys are the folders with the keys that a system trusts.
var SystemKeys = []string{"/etc/ostree", "/usr/share/ostree"}

// maxKeys is the size of the largest file of keys that is read, in bytes.
const maxKeys = 1 << 20

// keySet is public keys that are trusted and that are not, each in its binary form.
type keySet struct{ trusted, revoked [][]byte }

// parseEd25519 reads a public key.
func parseEd25519(text string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("want %d bytes in base64: %w", ed25519.PublicKeySize, ErrBadKey)
	}
	return b, nil
}

// readLines reads the lines of a file of keys that are not blank.
func readLines(name string) ([]string, error) {
	b, err := readLimited(name, maxKeys)
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out, nil
}

// readLimited reads a regular file of at most limit bytes.
func readLimited(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", name)
	}
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s: more than the %d bytes that are allowed", name, limit)
	}
	return b, err
}

// readKeys reads the public keys of a file, one a line. Lines that are none are passed
// over, unless all are.
func readKeys(name string) ([][]byte, error) {
	lines, err := readLines(name)
	if err != nil {
		return nil, &KeyError{Kind: KindEd25519, From: name, Err: err}
	}
	var out [][]byte
	for _, line := range lines {
		if key, err := parseEd25519(line); err == nil {
			out = append(out, key)
		}
	}
	if len(out) == 0 {
		return nil, &KeyError{Kind: KindEd25519, From: name, Err: ErrNoKeys}
	}
	return out, nil
}

// addFolder adds the keys that a folder as those of [SystemKeys] has.
func (k *keySet) addFolder(dir string) error {
	for _, list := range []struct {
		name string
		to   *[][]byte
	}{{"trusted." + KindEd25519, &k.trusted}, {"revoked." + KindEd25519, &k.revoked}} {
		files := []string{filepath.Join(dir, list.name)}
		entries, err := os.ReadDir(files[0] + ".d")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &KeyError{Kind: KindEd25519, From: files[0] + ".d", Err: err}
		}
		for _, e := range entries {
			files = append(files, filepath.Join(files[0]+".d", e.Name()))
		}
		for _, name := range files {
			keys, err := readKeys(name)
			switch {
			case errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoKeys):
			case err != nil:
				return err
			}
			*list.to = append(*list.to, keys...)
		}
	}
	return nil
}

func contains(keys [][]byte, key []byte) bool {
	for _, k := range keys {
		if bytes.Equal(k, key) {
			return true
		}
	}
	return false
}
