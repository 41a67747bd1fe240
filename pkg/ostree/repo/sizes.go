package repo

import (
	"bytes"
	"context"
	"slices"

	"github.com/treewright/treewright/pkg/ostree"
)

// Sizes lists the objects of a tree that lies in the repository or in this transaction,
// as [ostree.KeySizes] has them: sorted by checksum, files, dirtrees and dirmetas.
// The repository must be of mode archive.
func (t *Txn) Sizes(ctx context.Context, tree, meta ostree.Checksum) ([]ostree.ObjectSize, error) {
	s := &sizer{ctx: ctx, t: t, seen: map[Object]bool{}}
	if err := s.dir(tree, meta, 0); err != nil {
		return nil, err
	}
	slices.SortFunc(s.out, func(a, b ostree.ObjectSize) int { return bytes.Compare(a.Checksum[:], b.Checksum[:]) })
	return s.out, nil
}

type sizer struct {
	ctx  context.Context
	t    *Txn
	seen map[Object]bool
	out  []ostree.ObjectSize
}

func (s *sizer) first(ty ostree.ObjectType, c ostree.Checksum) bool {
	o := Object{ty, c}
	if s.seen[o] {
		return false
	}
	s.seen[o] = true
	return true
}

func (s *sizer) add(ty ostree.ObjectType, c ostree.Checksum, archived, unpacked int64) {
	s.out = append(s.out, ostree.ObjectSize{Checksum: c, Type: ty, Archived: uint64(archived), Unpacked: uint64(unpacked)})
}

func (s *sizer) metadata(ty ostree.ObjectType, c ostree.Checksum) ([]byte, error) {
	b, err := readMetadata(s.t.where(ty, c))
	if err != nil {
		return nil, objectError(ty, c, err)
	}
	s.add(ty, c, int64(len(b)), int64(len(b)))
	return b, nil
}

func (s *sizer) dir(tree, meta ostree.Checksum, depth int) error {
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	if depth > maxDepth {
		return errTooDeep
	}
	if s.first(ostree.TypeDirMeta, meta) {
		if _, err := s.metadata(ostree.TypeDirMeta, meta); err != nil {
			return err
		}
	}
	if !s.first(ostree.TypeDirTree, tree) {
		return nil
	}
	b, err := s.metadata(ostree.TypeDirTree, tree)
	if err != nil {
		return err
	}
	d, err := ostree.ParseDirTree(b)
	if err != nil {
		return objectError(ostree.TypeDirTree, tree, err)
	}
	for _, f := range d.Files {
		if err := s.file(f.Checksum); err != nil {
			return err
		}
	}
	for _, e := range d.Dirs {
		if err := s.dir(e.Tree, e.Meta, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (s *sizer) file(c ostree.Checksum) error {
	if !s.first(ostree.TypeFile, c) {
		return nil
	}
	f, size, err := openRegular(s.t.where(ostree.TypeFile, c))
	if err != nil {
		return objectError(ostree.TypeFile, c, err)
	}
	defer f.Close()
	h, err := readArchiveHeader(f)
	if err != nil {
		return objectError(ostree.TypeFile, c, err)
	}
	s.add(ostree.TypeFile, c, size, h.Size+int64(len(h.Target)))
	return nil
}

// where is the file of an object, in this transaction or in the repository.
func (t *Txn) where(ty ostree.ObjectType, c ostree.Checksum) string {
	name := t.r.objectName(ty, c)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.staged[name] {
		return t.stagedPath(name)
	}
	return t.r.file("objects", name)
}
