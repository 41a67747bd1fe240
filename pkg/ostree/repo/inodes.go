package repo

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
)

// Inode names a file on this machine.
type Inode struct{ Dev, Ino uint64 }

// Inodes tells which files objects with content are, so that a hard link to one is
// known without being read. An archive repository has none.
func (r *Repo) Inodes(ctx context.Context) (map[Inode]ostree.Checksum, error) {
	if r.mode == ostree.ModeArchive {
		return nil, nil
	}
	top := r.file("objects")
	dirs, err := os.ReadDir(top)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	out := map[Inode]ostree.Checksum{}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, d := range dirs {
		group.Go(func() error {
			if gctx.Err() != nil {
				return context.Cause(gctx)
			}
			found, err := inodesIn(filepath.Join(top, d.Name()), d.Name())
			mu.Lock()
			defer mu.Unlock()
			for i, c := range found {
				out[i] = c
			}
			return err
		})
	}
	return out, group.Wait()
}

// inodesIn looks at the objects whose checksums begin with prefix.
func inodesIn(dir, prefix string) (map[Inode]ostree.Checksum, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	f.Close()
	if err != nil {
		return nil, err
	}
	out := map[Inode]ostree.Checksum{}
	for _, name := range names {
		rest, ok := strings.CutSuffix(name, ".file")
		if !ok || !ostree.IsChecksum(prefix+rest) {
			continue
		}
		c, err := ostree.ParseChecksum(prefix + rest)
		if err != nil {
			return nil, err
		}
		var st unix.Stat_t
		if err := unix.Lstat(dir+"/"+name, &st); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue // pruned
			}
			return nil, &os.PathError{Op: "lstat", Path: dir + "/" + name, Err: err}
		}
		if st.Nlink > 1 {
			out[Inode{uint64(st.Dev), st.Ino}] = c
		}
	}
	return out, nil
}
