package repo

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
)

func workers() int { return runtime.GOMAXPROCS(0) }

// counted tells whether objects of a type are among those that are counted. The others
// go with what they belong to.
func counted(t ostree.ObjectType) bool {
	return t != ostree.TypeCommitMeta && t != ostree.TypeTombstone
}

// find lists what is to be deleted.
func (p *prune) find(ctx context.Context) ([]Object, error) {
	dirs, err := os.ReadDir(p.r.file("objects"))
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var doomed []Object
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(p.o.Workers)
	for _, d := range dirs {
		if len(d.Name()) != 2 || !d.IsDir() {
			continue
		}
		group.Go(func() error {
			if gctx.Err() != nil {
				return context.Cause(gctx)
			}
			found, part, err := p.findIn(d.Name())
			mu.Lock()
			defer mu.Unlock()
			doomed = append(doomed, found...)
			p.report.Objects += part.Objects
			p.report.Deleted += part.Deleted
			p.report.Freed += part.Freed
			return err
		})
	}
	return doomed, group.Wait()
}

// findIn looks at one folder of objects.
func (p *prune) findIn(dir string) (doomed []Object, part PruneReport, err error) {
	d, err := os.Open(p.r.file("objects", dir))
	if err != nil {
		return nil, part, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, part, err
	}
	for _, name := range names {
		o, ok := p.r.parseName(dir, name)
		if !ok || !counted(o.Type) || p.o.CommitsOnly && o.Type != ostree.TypeCommit {
			continue
		}
		part.Objects++
		kept, err := p.kept(o, d, name)
		if err != nil {
			return nil, part, err
		}
		if kept {
			continue
		}
		var st unix.Stat_t
		if err := unix.Fstatat(int(d.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return nil, part, &fs.PathError{Op: "stat", Path: p.r.objectPath(o.Type, o.Checksum), Err: err}
		}
		part.Deleted++
		part.Freed += uint64(st.Size)
		doomed = append(doomed, o)
	}
	return doomed, part, nil
}

// kept tells whether an object stays. It lies in d as name.
func (p *prune) kept(o Object, d *os.File, name string) (bool, error) {
	switch o.Type {
	case ostree.TypeCommit:
		return p.commits[o.Checksum] != nil, nil
	case ostree.TypeFileXattrsLink:
		_, ok := p.walk.files[o.Checksum]
		return ok, nil
	case ostree.TypeFileXattrs:
		// Each link has a name of the file; what nothing links to has one alone. The
		// links that go with this prune leave it for the next.
		var st unix.Stat_t
		err := unix.Fstatat(int(d.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
		return st.Nlink > 1, err
	case ostree.TypePayloadLink:
		target, err := os.Readlink(p.r.objectPath(o.Type, o.Checksum))
		if err != nil {
			return false, nil
		}
		of, ok := p.r.parseName(path.Base(path.Dir(target)), path.Base(target))
		return ok && p.walk.has(of), nil
	}
	return p.walk.has(o), nil
}

// remove deletes objects: commits before all else.
func (p *prune) remove(ctx context.Context, doomed []Object) error {
	var rest []Object
	for _, o := range doomed {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if o.Type != ostree.TypeCommit {
			rest = append(rest, o)
			continue
		}
		if err := p.r.deleteCommit(o.Checksum, p.bury); err != nil {
			return err
		}
	}
	const batch = 256
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(p.o.Workers)
	for at := 0; at < len(rest); at += batch {
		group.Go(func() error {
			for _, o := range rest[at:min(at+batch, len(rest))] {
				if gctx.Err() != nil {
					return context.Cause(gctx)
				}
				if err := p.r.deleteObject(o); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// deleteObject removes an object and the copy of it that checkouts use.
func (r *Repo) deleteObject(o Object) error {
	if err := unix.Unlink(r.objectPath(o.Type, o.Checksum)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return objectError(o.Type, o.Checksum, err)
	}
	if o.Type != ostree.TypeFile || r.mode != ostree.ModeArchive {
		return nil
	}
	s := o.Checksum.String()
	return ignoreMissing(unix.Unlink(r.file(cacheDir, s[:2], s[2:]+".file")))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	return err
}

// deleteCommit removes a commit, with what belongs to it.
func (r *Repo) deleteCommit(c ostree.Checksum, bury bool) error {
	if bury {
		if err := r.writeTombstone(c); err != nil {
			return err
		}
	}
	for _, p := range []string{r.objectPath(ostree.TypeCommit, c), r.objectPath(ostree.TypeCommitMeta, c), r.partialFile(c)} {
		if err := ignoreMissing(os.Remove(p)); err != nil {
			return objectError(ostree.TypeCommit, c, err)
		}
	}
	return nil
}
