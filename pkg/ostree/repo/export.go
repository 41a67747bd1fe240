package repo

import (
	"context"
	"io"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gnutar"
	"github.com/treewright/treewright/pkg/ostree"
)

// ExportOptions tells what [Repo.Export] writes.
type ExportOptions struct {
	Subpath  string // folder of the tree; empty: all
	Prefix   string // what stands before all names; they are not joined by a slash
	NoXattrs bool   // leave extended attributes out
	Pad      int64  // the archive is a multiple of so many bytes; 0: 512
}

// Export writes the tree of a commit to w, as a tar archive in the form of [gnutar]. All
// times are that of the commit. Files with the same object are written each: an archive
// tells nothing of links. The order is that of [Repo.Ls].
//
// A path that is no folder of the tree is a [*TreePathError].
func (r *Repo) Export(ctx context.Context, commit ostree.Checksum, w io.Writer, o ExportOptions) error {
	c, err := r.ReadCommit(commit)
	if err != nil {
		return err
	}
	top, err := r.lookup(c, o.Subpath)
	if err != nil {
		return err
	}
	root := "/" + strings.Join(splitPath(o.Subpath), "/")
	if top.isFile {
		return &TreePathError{root, filetree.ErrNotDir}
	}
	t := gnutar.NewWriter(w)
	err = r.Ls(ctx, commit, LsOptions{Path: o.Subpath, Recursive: true, content: readAhead}, func(e LsEntry) error {
		n := *e.Node
		if n.ModTime = int64(c.Timestamp); o.NoXattrs {
			n.Xattrs = nil
		}
		name := o.Prefix + strings.TrimPrefix(strings.TrimPrefix(e.Path, root), "/")
		if name == "" {
			name = "."
		}
		if err := t.WriteHeader(name, &n); err != nil {
			return err
		}
		return r.exportContent(t, &e)
	})
	if err != nil {
		return err
	}
	return t.Close(max(o.Pad, 512))
}

// readAhead is the largest content, in bytes, that is read before it is its turn.
const readAhead = 64 << 10

func (r *Repo) exportContent(w io.Writer, e *LsEntry) error {
	if e.Node.Kind != filetree.File || e.Node.Size == 0 {
		return nil
	}
	if e.content != nil {
		_, err := w.Write(e.content)
		return err
	}
	_, content, err := r.OpenFile(e.Checksum)
	if err != nil {
		return err
	}
	defer content.Close()
	var pools writerPools
	return objectError(ostree.TypeFile, e.Checksum, pools.copyExactly(w, content, e.Node.Size))
}
