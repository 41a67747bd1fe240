package repo

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
)

// refKey names a ref of a transaction: NAME or REMOTE:NAME, or the NAME of another
// collection.
type refKey struct{ collection, name string }

func (k refKey) String() string {
	if k.collection == "" {
		return k.name
	}
	return "(" + k.collection + ", " + k.name + ")"
}

func compareRefKeys(a, b refKey) int {
	return cmp.Or(strings.Compare(a.collection, b.collection), strings.Compare(a.name, b.name))
}

// keyPath is the file of a ref.
func (r *Repo) keyPath(k refKey) (string, error) {
	if k.collection == "" {
		return r.refPath(k.name)
	}
	return r.file(mirrorsDir, k.collection, filepath.FromSlash(k.name)),
		errors.Join(ostree.CheckCollection(k.collection), ostree.CheckRef(k.name))
}

// SetMirror makes a ref of another collection point to a commit when the transaction
// ends.
func (t *Txn) SetMirror(collection, name string, c ostree.Checksum) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refs[refKey{collection, name}] = c
}

// ReadRaw returns the bytes that are stored for a metadata object, whatever they are.
func (r *Repo) ReadRaw(t ostree.ObjectType, c ostree.Checksum) ([]byte, error) {
	if t == ostree.TypeFile {
		return nil, objectError(t, c, fmt.Errorf("reading it as metadata: %w", ostree.ErrUnsupported))
	}
	b, err := readMetadata(r.objectPath(t, c))
	return b, objectError(t, c, err)
}
