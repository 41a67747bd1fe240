package sysroot

import (
	"context"
	"fmt"
	"io"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

type object struct {
	kind     ostree.ObjectType
	checksum ostree.Checksum
}

// builder walks one commit and collects its objects.
type builder struct {
	ctx     context.Context
	r       ObjectReader
	o       Options
	objects map[object]*filetree.Node // as they lie in the bare repository
}

// metadata reads an object that is not a file and keeps it for the repository.
func (b *builder) metadata(t ostree.ObjectType, c ostree.Checksum) ([]byte, error) {
	raw, err := b.r.ReadObject(t, c)
	if err != nil {
		return nil, err
	}
	if k := (object{t, c}); b.objects[k] == nil {
		b.objects[k] = filetree.Bytes(raw, 0o644)
	}
	return raw, nil
}

func (b *builder) commit() (*ostree.Commit, error) {
	raw, err := b.metadata(ostree.TypeCommit, b.o.Commit)
	if err != nil {
		return nil, err
	}
	// Detached metadata, such as signatures, travels with the commit.
	if meta, err := b.r.ReadObject(ostree.TypeCommitMeta, b.o.Commit); err == nil {
		b.objects[object{ostree.TypeCommitMeta, b.o.Commit}] = filetree.Bytes(meta, 0o644)
	}
	return ostree.ParseCommit(raw)
}

// checkout returns the tree of the commit as hard links to its file objects.
func (b *builder) checkout(commit *ostree.Commit) (*filetree.Node, error) {
	return b.dir(commit.Root, commit.RootMeta)
}

func (b *builder) dir(tree, meta ostree.Checksum) (*filetree.Node, error) {
	if err := b.ctx.Err(); err != nil {
		return nil, context.Cause(b.ctx)
	}
	rawMeta, err := b.metadata(ostree.TypeDirMeta, meta)
	if err != nil {
		return nil, err
	}
	rawTree, err := b.metadata(ostree.TypeDirTree, tree)
	if err != nil {
		return nil, err
	}
	dm, err := ostree.ParseDirMeta(rawMeta)
	if err != nil {
		return nil, fmt.Errorf("object %s.dirmeta: %w", meta, err)
	}
	dt, err := ostree.ParseDirTree(rawTree)
	if err != nil {
		return nil, fmt.Errorf("object %s.dirtree: %w", tree, err)
	}
	d := &filetree.Node{Kind: filetree.Dir, Mode: dm.Mode & 0o7777, UID: dm.UID, GID: dm.GID, Xattrs: dm.Xattrs}
	for _, f := range dt.Files {
		n, err := b.file(f.Checksum)
		if err != nil {
			return nil, err
		}
		if err := d.Set(f.Name, n); err != nil {
			return nil, err
		}
	}
	for _, s := range dt.Dirs {
		n, err := b.dir(s.Tree, s.Meta)
		if err != nil {
			return nil, err
		}
		if err := d.Set(s.Name, n); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// file returns the deployment's node of a file object. Empty files are not shared
// with the repository, as libostree has it: there are too many links to them.
func (b *builder) file(c ostree.Checksum) (*filetree.Node, error) {
	k := object{ostree.TypeFile, c}
	stored := b.objects[k]
	if stored == nil {
		hdr, err := b.r.StatFile(c)
		if err != nil {
			return nil, err
		}
		stored = &filetree.Node{
			Kind: filetree.File, Mode: hdr.Mode & 0o7777, UID: hdr.UID, GID: hdr.GID, Xattrs: hdr.Xattrs,
			Size: hdr.Size, From: content{b.r, c},
		}
		if hdr.Target != "" {
			stored.Kind, stored.Target, stored.From, stored.Size = filetree.Symlink, hdr.Target, nil, 0
		}
		b.objects[k] = stored
	}
	if stored.Kind == filetree.File && stored.Size == 0 {
		own := *stored
		return &own, nil
	}
	return &filetree.Node{Kind: stored.Kind, Link: stored}, nil
}

// content is the content of a file object.
type content struct {
	r ObjectReader
	c ostree.Checksum
}

func (s content) Open() (io.ReadCloser, error) {
	_, rc, err := s.r.OpenFile(s.c)
	return rc, err
}

// inode returns the node that holds what n is.
func inode(n *filetree.Node) *filetree.Node {
	if n != nil && n.Link != nil {
		return n.Link
	}
	return n
}

// unlink returns a copy of a tree with inodes of its own.
func unlink(n *filetree.Node) *filetree.Node {
	c := inode(n).Clone()
	for _, name := range c.Names() {
		c.Set(name, unlink(c.Child(name))) // the name was good before
	}
	return c
}

// makeEtc gives the deployment its own, writable /etc: a copy of /usr/etc.
func makeEtc(deployment *filetree.Node, time int64) error {
	etc, usrEtc := deployment.Child("etc"), deployment.Lookup("usr/etc")
	if etc != nil && etc.Len() > 0 {
		if usrEtc != nil {
			return fmt.Errorf("tree has both /etc and /usr/etc")
		}
		return nil
	}
	deployment.Delete("etc")
	if usrEtc == nil {
		return nil
	}
	etc = unlink(usrEtc)
	etc.Delete(".updated")
	err := etc.Walk(func(_ string, n *filetree.Node) error {
		n.ModTime = time
		return nil
	})
	if err != nil {
		return err
	}
	return deployment.Set("etc", etc)
}
