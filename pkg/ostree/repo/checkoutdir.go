package repo

import (
	"context"
	"errors"
	"path"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
)

// checkout is one run. Everything is reached through descriptors of folders, so that
// nobody can lead it elsewhere by renaming what it works in.
type checkout struct {
	r       *Repo
	o       CheckoutOptions
	crew    *crew
	private bool   // nobody sees the destination yet
	within  string // folder of the tree that the destination stands for
	pools   writerPools
	cache   *objectCache // of unpacked objects; nil: none

	mu     sync.Mutex
	budget budget
	metas  map[ostree.Checksum]*ostree.DirMeta
	open   map[*folder]bool
	top    *folder
}

func newCheckout(r *Repo, o CheckoutOptions) (*checkout, error) {
	c := &checkout{r: r, o: o, crew: newCrew(), metas: map[ostree.Checksum]*ostree.DirMeta{}, open: map[*folder]bool{}}
	if r.mode == ostree.ModeArchive && o.UserMode && o.Cache && !o.Copy {
		var err error
		if c.cache, err = r.openCache(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// close closes what an error has left open.
func (c *checkout) close() {
	for f := range c.open {
		unix.Close(f.fd)
	}
	c.cache.close()
}

// folder is a folder that is being written. It gets its mode, owner and time when all
// that is in it is there.
type folder struct {
	up      *folder // nil at the top
	name    string  // in the folder above
	fd      int
	path    string // below the destination, from "/" on, with a slash at its end
	meta    *ostree.DirMeta
	existed bool
	left    atomic.Int32 // parts that are still to be written
}

// run writes what is at a place of the tree to the folder dest.
func (c *checkout) run(ctx context.Context, top place, dest string) error {
	if c.within = c.o.Subpath; top.isFile {
		c.within = path.Dir(c.within)
		return c.oneFile(top, dest)
	}
	c.crew.add(func() error {
		return c.enter(nil, ostree.DirEntry{Name: dest, Tree: top.tree, Meta: top.meta}, "/", 0)
	})
	return c.crew.run(ctx, c.o.Workers)
}

// oneFile writes a file of the tree into the folder dest.
func (c *checkout) oneFile(top place, dest string) error {
	f, err := c.makeDir(nil, dest)
	if err != nil {
		return err
	}
	f.path, c.top, c.o.Skip = "/", f, nil
	if err := c.file(f, ostree.FileEntry{Name: top.name, Checksum: top.file}); err != nil {
		return err
	}
	c.closeDir(f)
	return nil
}

// batch is how many files are written as one job.
const batch = 64

// enter makes a folder, and writes its files or leaves them to others, as it does
// with the folders in it.
func (c *checkout) enter(up *folder, d ostree.DirEntry, at string, depth int) error {
	if c.o.Skip != nil && c.o.Skip(at) {
		if up == nil && c.private {
			return unix.Rmdir(d.Name)
		}
		return c.leave(up)
	}
	dt, err := c.r.readDirTree(d.Tree)
	if err != nil {
		return err
	}
	meta, err := c.dirMeta(d.Meta)
	if err != nil {
		return err
	}
	if err := c.take(depth, dt); err != nil {
		return err
	}
	if c.o.Whiteouts {
		if err := c.opaque(up, d.Name, dt); err != nil {
			return err
		}
	}
	f, err := c.makeDir(up, d.Name)
	if err != nil {
		return err
	}
	f.path, f.meta = at, meta
	if up == nil {
		c.top = f
	}
	if !f.existed {
		if err := c.dirXattrs(f); err != nil {
			return err
		}
	}
	files := dt.Files
	if c.o.Whiteouts {
		if files, err = c.deletions(f, files); err != nil {
			return err
		}
	}
	return c.contents(f, files, dt.Dirs, depth)
}

// contents writes the first files of a folder and leaves the rest to the crew.
func (c *checkout) contents(f *folder, files []ostree.FileEntry, dirs []ostree.DirEntry, depth int) error {
	var jobs []func() error
	for i := len(dirs) - 1; i >= 0; i-- {
		d := dirs[i]
		jobs = append(jobs, func() error { return c.enter(f, d, f.path+d.Name+"/", depth+1) })
	}
	for at := batch; at < len(files); at += batch {
		part := files[at:min(at+batch, len(files))]
		jobs = append(jobs, func() error { return c.files(f, part) })
	}
	f.left.Store(int32(len(jobs) + 1))
	c.crew.add(jobs...)
	return c.files(f, files[:min(batch, len(files))])
}

func (c *checkout) files(f *folder, list []ostree.FileEntry) error {
	for _, e := range list {
		if err := c.file(f, e); err != nil {
			return err
		}
	}
	return c.leave(f)
}

func (c *checkout) take(depth int, dt *ostree.DirTree) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.budget.take(depth, dt)
}

// dirMeta reads a dirmeta once.
func (c *checkout) dirMeta(sum ostree.Checksum) (*ostree.DirMeta, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m, ok := c.metas[sum]; ok {
		return m, nil
	}
	m, err := c.r.readDirMeta(sum)
	if err == nil {
		c.metas[sum] = m
	}
	return m, err
}

// fdOf is the descriptor that names in a folder are relative to.
func fdOf(f *folder) int {
	if f == nil {
		return unix.AT_FDCWD
	}
	return f.fd
}

const openDir = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NONBLOCK

// makeDir makes a folder, or opens the one that is there.
func (c *checkout) makeDir(up *folder, name string) (*folder, error) {
	f := &folder{up: up, name: name}
	known := up == nil && c.private // it was made for this checkout
	err := unix.Mkdirat(fdOf(up), name, 0o700)
	switch {
	case err == nil:
	case errors.Is(err, unix.EEXIST) && (known || up == nil || c.o.Overwrite != OverwriteNothing):
		f.existed = !known
	default:
		return nil, c.failed(StepMkdir, ostree.Checksum{}, name, err)
	}
	if f.existed {
		f.fd, err = c.openExisting(up, name)
	} else {
		f.fd, err = unix.Openat(fdOf(up), name, openDir|unix.O_NOFOLLOW, 0)
	}
	if err != nil {
		return nil, c.failed(StepOpenDir, ostree.Checksum{}, name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[f] = true
	return f, nil
}

// openExisting opens a folder that was there before. A link to one is followed as if
// the destination were the root of all files.
func (c *checkout) openExisting(up *folder, name string) (int, error) {
	if up == nil {
		return unix.Open(name, openDir, 0) // the user's own word
	}
	fd, err := unix.Openat(up.fd, name, openDir|unix.O_NOFOLLOW, 0)
	if !errors.Is(err, unix.ELOOP) && !errors.Is(err, unix.ENOTDIR) {
		return fd, err
	}
	return unix.Openat2(c.top.fd, "."+path.Join(up.path, name), &unix.OpenHow{Flags: openDir, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
}

// dirXattrs gives a new folder its attributes.
func (c *checkout) dirXattrs(f *folder) error {
	list, err := c.xattrs(f.meta.Xattrs, f.path, unix.S_IFDIR|f.meta.Mode)
	if err != nil {
		return err
	}
	return setXattrs(f.fd, f.path, list)
}

// leave tells that a part of a folder is written. Behind the last one the folder is
// finished, and is itself a part of the one above.
func (c *checkout) leave(f *folder) error {
	for ; f != nil && f.left.Add(-1) == 0; f = f.up {
		if err := c.finish(f); err != nil {
			return err
		}
	}
	return nil
}

// modified1970 leaves the time of the last access alone.
var modified1970 = []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {}}

// finish gives a new folder what others may see of it.
func (c *checkout) finish(f *folder) error {
	defer c.closeDir(f)
	if f.existed {
		return nil
	}
	mode := f.meta.Mode
	if c.o.PlainDirs {
		mode &= 0o775
	}
	err := unix.Fchmod(f.fd, mode)
	if err == nil && !c.o.UserMode {
		err = unix.Fchown(f.fd, int(f.meta.UID), int(f.meta.GID))
	}
	if err == nil && !c.o.Copy {
		err = unix.UtimesNanoAt(fdOf(f.up), f.name, modified1970, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return c.failed(StepFinish, ostree.Checksum{}, f.path, err)
	}
	return nil
}

func (c *checkout) closeDir(f *folder) {
	c.mu.Lock()
	defer c.mu.Unlock()
	unix.Close(f.fd)
	delete(c.open, f)
}
