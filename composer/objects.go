package composer

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
)

// objectTable remembers which object a file became: content, owner, mode and attributes
// to checksum. So a file that a compose changes, by a label for example, is not read
// again by the next one.
//
// On disk it is pairs of 32 bytes, sorted, and their SHA-256. A table that is damaged
// is an empty one.
type objectTable struct {
	path string
	old  map[[32]byte]ostree.Checksum // read only

	mu  sync.Mutex
	now map[[32]byte]ostree.Checksum // what this compose has met
}

// maxObjects is how many a table keeps of earlier composes.
const maxObjects = 1 << 20

func loadObjectTable(path string) (*objectTable, error) {
	t := &objectTable{path: path, old: map[[32]byte]ostree.Checksum{}, now: map[[32]byte]ostree.Checksum{}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	if len(b)%64 != 32 {
		return t, nil
	}
	body, sum := b[:len(b)-32], b[len(b)-32:]
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		return t, nil
	}
	for ; len(body) > 0; body = body[64:] {
		t.old[[32]byte(body)] = ostree.Checksum(body[32:64])
	}
	return t, nil
}

// objectKey is equal for files that are the same object; ok is false when the content
// has no digest.
func objectKey(n *filetree.Node) (key [32]byte, ok bool) {
	if n.Kind != filetree.File || n.Digest.IsZero() {
		return key, false
	}
	b := fmt.Appendf(nil, "%s %o %d %d", n.Digest, n.Mode, n.UID, n.GID)
	for _, x := range n.Xattrs {
		b = fmt.Appendf(b, " %q=%q", x.Name, x.Value)
	}
	return sha256.Sum256(b), true
}

func (t *objectTable) lookup(n *filetree.Node) (ostree.Checksum, bool) {
	key, ok := objectKey(n)
	if !ok {
		return ostree.Checksum{}, false
	}
	c, ok := t.old[key]
	if ok {
		t.mu.Lock()
		t.now[key] = c
		t.mu.Unlock()
	}
	return c, ok
}

func (t *objectTable) learned(n *filetree.Node, c ostree.Checksum) {
	if key, ok := objectKey(n); ok {
		t.mu.Lock()
		t.now[key] = c
		t.mu.Unlock()
	}
}

// save writes what this compose has met, and as much of the rest as fits.
func (t *objectTable) save() error {
	if len(t.now) == 0 {
		return nil
	}
	if len(t.old)+len(t.now) <= maxObjects {
		maps.Copy(t.old, t.now)
	} else {
		t.old = t.now
	}
	keys := slices.SortedFunc(maps.Keys(t.old), func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	b := make([]byte, 0, 64*len(keys)+32)
	for _, k := range keys {
		c := t.old[k]
		b = append(append(b, k[:]...), c[:]...)
	}
	sum := sha256.Sum256(b)
	return fsutil.WriteBytes(t.path, 0o644, append(b, sum[:]...))
}
