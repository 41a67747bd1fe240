package repo

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/ostree"
)

// verify reads objects, by several goroutines that take them in their order.
func (f *fsck) verify(ctx context.Context, todo []Object) error {
	v := &verifier{f: f, todo: todo, last: len(todo), total: int64(f.report.Objects)}
	v.done = v.total - int64(len(todo)) // the walk has read the others
	group, gctx := errgroup.WithContext(ctx)
	for range f.o.Workers {
		group.Go(func() error { return v.work(gctx) })
	}
	return group.Wait()
}

type verifier struct {
	f    *fsck
	todo []Object

	mu          sync.Mutex
	next        int // to be taken
	last        int // where to stop
	done, total int64
}

// take returns the index of the next object; ok is false at the end.
func (v *verifier) take() (i int, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.next >= v.last {
		return 0, false
	}
	v.next++
	return v.next - 1, true
}

func (v *verifier) work(ctx context.Context) error {
	for {
		i, ok := v.take()
		if !ok {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := v.note(i, v.f.r.verifyObject(v.todo[i])); err != nil {
			return err
		}
	}
}

// note takes down the result of the object at i. Those before it have been taken, so
// that the first one that is corrupt is the same in every run.
func (v *verifier) note(i int, err error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.done++; v.done <= v.total {
		v.f.o.Progress(v.done, v.total)
	}
	if err == nil {
		return nil
	}
	if v.f.o.First && !errors.Is(err, ostree.ErrNotFound) {
		v.last = min(v.last, i)
	}
	return v.f.note(v.todo[i], err)
}

// verifyObject reads an object and compares it with its checksum, or with its format
// when it has none.
func (r *Repo) verifyObject(o Object) error {
	switch o.Type {
	case ostree.TypeFile:
		return r.VerifyFile(o.Checksum)
	case ostree.TypePayloadLink, ostree.TypeFileXattrs, ostree.TypeFileXattrsLink:
		return nil // the files that need them tell
	}
	raw, err := r.ReadObject(o.Type, o.Checksum)
	if err != nil {
		return err
	}
	switch o.Type {
	case ostree.TypeDirTree:
		_, err = ostree.ParseDirTree(raw)
	case ostree.TypeDirMeta:
		_, err = ostree.ParseDirMeta(raw)
	case ostree.TypeCommit:
		_, err = ostree.ParseCommit(raw)
	default:
		_, err = ostree.ParseMetadata(raw)
	}
	return objectError(o.Type, o.Checksum, err)
}
