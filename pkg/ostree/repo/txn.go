package repo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
)

// Txn is a transaction: objects become visible, and refs move, all at its end. Its
// writing methods may be called by several goroutines.
type Txn struct {
	r       *Repo
	lock    *os.File // of the repository; nil: locks are off
	staging *staging
	room    *room
	names   atomic.Int64 // of temporary files
	pools   writerPools

	mu     sync.Mutex
	ended  bool
	stats  Stats
	staged map[string]bool // object names below objects/; false: being written
	broken error           // an object that others may count on was not written
	dirs   [256]bool       // that the staging folder has for objects
	refs   map[RefName]ostree.Checksum
}

// errEnded is what the methods of a transaction give behind its end.
var errEnded = errors.New("the transaction has ended")

// Begin starts a transaction. It waits while another program has the repository to
// itself, as long as core.lock-timeout-secs says, and then gives [ErrLocked]. Every
// Begin needs a [Txn.Commit] or a [Txn.Abort].
func (r *Repo) Begin(ctx context.Context) (*Txn, error) {
	lock, err := r.lock(ctx)
	if err != nil {
		return nil, err
	}
	t := &Txn{r: r, lock: lock, staged: map[string]bool{}, refs: map[RefName]ostree.Checksum{}}
	if t.room, err = r.measure(); err == nil {
		t.staging, err = r.stage()
	}
	if err != nil {
		return nil, errors.Join(err, unlock(lock))
	}
	if err := t.adopt(); err != nil {
		return nil, errors.Join(err, t.end())
	}
	return t, nil
}

func unlock(f *os.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}

// Written is how many new objects the transaction holds.
func (t *Txn) Written() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.staged)
}

// stagedPath is where an object lies until the end: in folders as below objects/, which
// can be renamed as a whole, but for commits and what belongs to them.
func (t *Txn) stagedPath(object string) string {
	if publishRank(object) < 0 {
		return t.staging.dir + "/" + object
	}
	return t.staging.dir + "/" + strings.Replace(object, "/", "-", 1)
}

// stagedDir makes the folder for an object.
func (t *Txn) stagedDir(ty ostree.ObjectType, c ostree.Checksum) error {
	if ty == ostree.TypeCommit || ty == ostree.TypeCommitMeta || ty == ostree.TypeTombstone {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dirs[c[0]] {
		return nil
	}
	err := os.Mkdir(t.staging.dir+"/"+c.String()[:2], 0o777)
	t.dirs[c[0]] = err == nil
	return err
}

// has tells whether an object is in the repository or in this transaction.
func (t *Txn) has(ty ostree.ObjectType, c ostree.Checksum) (bool, error) {
	t.mu.Lock()
	_, ok := t.staged[t.r.objectName(ty, c)]
	ended := t.ended
	t.mu.Unlock()
	if ended {
		return false, errEnded
	}
	if ok {
		return true, nil
	}
	return t.r.Has(ty, c)
}

// keep turns a temporary file of the staging folder into a staged object.
func (t *Txn) keep(tmp string, ty ostree.ObjectType, c ostree.Checksum) error {
	if err := t.stagedDir(ty, c); err != nil {
		return err
	}
	name := t.r.objectName(ty, c)
	if err := os.Rename(tmp, t.stagedPath(name)); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.staged[name] = true
	return nil
}

// claim tells whether the caller is to write an object, which it ends with settle.
func (t *Txn) claim(name string) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false, errEnded
	}
	if _, there := t.staged[name]; there {
		return false, nil
	}
	t.staged[name] = false
	return true, nil
}

// settle ends the writing of an object that was claimed.
func (t *Txn) settle(name string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		delete(t.staged, name)
		t.broken = err // somebody else may have found it claimed
		return
	}
	t.staged[name] = true
}

// SetRef makes a ref, NAME or REMOTE:NAME, point to a commit when the transaction ends.
func (t *Txn) SetRef(name string, c ostree.Checksum) { t.SetCollectionRef(RefName{Name: name}, c) }

// SetCollectionRef is [Txn.SetRef] of a ref that may belong to another collection.
func (t *Txn) SetCollectionRef(name RefName, c ostree.Checksum) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refs[name] = c
}

// Commit makes the objects visible, then moves the refs, whose commits must be in the
// repository by then. On error nothing has become visible but objects that no ref
// leads to; only when refs cannot be written may some have moved.
func (t *Txn) Commit(ctx context.Context) (err error) {
	t.mu.Lock()
	ended, broken := t.ended, t.broken
	t.mu.Unlock()
	if ended {
		return errEnded
	}
	defer func() { err = errors.Join(err, t.end()) }()
	if broken != nil {
		return broken
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	plan, err := t.planRefs()
	if err != nil {
		return err
	}
	if err := t.publish(slices.Collect(maps.Keys(t.staged)), true); err != nil {
		return fmt.Errorf("repository %s: %w", t.r.path, err)
	}
	return t.r.applyRefs(plan)
}

// planRefs finds early what would fail late.
func (t *Txn) planRefs() ([]refChange, error) {
	var changes []RefChange
	for name, c := range t.refs {
		changes = append(changes, RefChange{RefName: name, Commit: &c})
	}
	return t.r.planRefs(changes, t.has)
}

// publish syncs staged objects and renames them into place: what commits lead to
// before commits, so that no commit is ever without its objects. whole tells that
// nobody writes any more, so that folders can be renamed with what is in them.
func (t *Txn) publish(names []string, whole bool) error {
	if len(names) == 0 {
		return nil
	}
	if err := t.r.sync(); err != nil {
		return err
	}
	var dirs []string
	renamed := false // the folder of the objects that come now
	slices.SortFunc(names, publishOrder)
	for _, name := range names {
		if dir := name[:2]; !slices.Contains(dirs, dir) {
			var err error
			if renamed, err = t.publishDir(dir, whole); err != nil {
				return err
			}
			dirs = append(dirs, dir)
		}
		if renamed && publishRank(name) < 0 {
			continue
		}
		if err := t.publishOne(name); err != nil {
			return err
		}
		if o, ok := t.r.parseName(name[:2], name[3:]); ok && o.Type == ostree.TypeCommit {
			if err := t.r.removeTombstone(o.Checksum); err != nil {
				return err
			}
		}
	}
	return t.r.syncDirs(dirs)
}

// publishDir makes a folder below objects/, by renaming the one that the staging folder
// has if that can be: a cold repository takes 256 renames then, whatever it holds.
func (t *Txn) publishDir(dir string, whole bool) (renamed bool, err error) {
	to := t.r.file("objects", dir)
	if whole {
		err := unix.Renameat2(unix.AT_FDCWD, t.staging.dir+"/"+dir, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
		if err == nil {
			return true, nil
		}
	}
	if err := os.Mkdir(to, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	return false, nil
}

// publishOrder sorts commits behind all other objects, and detached metadata before
// them, so that a commit does not appear without its signatures.
func publishOrder(a, b string) int {
	return cmp.Or(cmp.Compare(publishRank(a), publishRank(b)), strings.Compare(a, b))
}

// publishRank is negative for objects that commits lead to.
func publishRank(name string) int {
	return slices.Index([]string{".commitmeta", ".commit"}, filepath.Ext(name))
}

// publishOne renames one object into place. An object that is there already stays,
// but for detached metadata.
func (t *Txn) publishOne(name string) error {
	from, to := t.stagedPath(name), t.r.file("objects", name)
	if filepath.Ext(name) == ".commitmeta" {
		return os.Rename(from, to)
	}
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	switch {
	case errors.Is(err, unix.EEXIST):
		return nil
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS):
		return os.Rename(from, to) // not every file system can
	case err != nil:
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// sync flushes the repository's file system, unless the configuration says not to.
func (r *Repo) sync() error {
	if !r.fsync {
		return nil
	}
	d, err := os.Open(r.path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

// syncDirs makes renames into folders below objects/ durable.
func (r *Repo) syncDirs(dirs []string) error {
	if !r.fsync {
		return nil
	}
	for _, d := range dirs {
		if err := fsutil.SyncDir(r.file("objects", d)); err != nil {
			return err
		}
	}
	return fsutil.SyncDir(r.file("objects"))
}

// Abort ends the transaction and leaves the repository as it was. Behind a Commit it
// does nothing.
func (t *Txn) Abort() error { return t.end() }

func (t *Txn) end() error {
	t.mu.Lock()
	ended := t.ended
	t.ended = true
	t.mu.Unlock()
	if ended {
		return nil
	}
	return errors.Join(t.staging.remove(), unlock(t.lock))
}
