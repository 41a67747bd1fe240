package source

import (
	"io"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

// Checksum is that of the object which a file or link on disk would have; of a folder
// that of its dirmeta. Links are not followed.
func Checksum(path string, noXattrs bool) (c ostree.Checksum, err error) {
	f := &folderReader{t: New(Changes{NoXattrs: noXattrs})}
	n, err := f.node(path, path)
	if err != nil {
		return c, err
	}
	if n.Kind == filetree.Dir {
		m := ostree.DirMeta{UID: n.UID, GID: n.GID, Mode: n.Mode, Xattrs: n.Xattrs}
		b, err := m.Encode()
		return ostree.Sum(b), err
	}
	h, err := ostree.FileOf(n)
	if err != nil {
		return c, err
	}
	sum, err := h.NewHash()
	if err != nil {
		return c, err
	}
	if n.Kind == filetree.File {
		r, err := n.From.Open()
		if err != nil {
			return c, err
		}
		defer r.Close()
		if _, err := io.Copy(sum, r); err != nil {
			return c, err
		}
	}
	sum.Sum(c[:0])
	return c, nil
}
