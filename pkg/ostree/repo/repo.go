// Package repo is an OSTree repository on disk, in the layout of libostree: stock
// `ostree` reads and writes the same folder.
//
// # Layout
//
//	config                          [core] repo_version=1, mode=…
//	objects/XX/REST.TYPE            XX are the first two digits of the checksum
//	refs/heads/…, refs/remotes/REMOTE/…, refs/mirrors/…
//	tmp/, state/, extensions/
//	.lock                           shared while a transaction runs
//	summary, deltas/, delta-indexes/
//
// How a file object is stored depends on the mode. archive: REST.filez, see package
// ostree. bare: the file itself, with owner, mode and attributes. bare-user: a file
// that this user owns, of mode 0644 or so, with owner, mode and attributes in the
// extended attribute user.ostreemeta; a link is a file that holds its target.
//
// bare-user-only: the files and links themselves, of this user, without attributes.
//
// # Safety
//
// A transaction writes objects into a folder of its own under tmp/, syncs the file
// system once, renames them into place, commits last, and then moves refs. A run that
// dies leaves the repository as it was, or with objects that no commit leads to; the
// next transaction removes its folder. Locks are those of libostree, so that its prune
// and our transactions wait for one another.
//
// Metadata objects are compared with their checksums whenever they are read; content
// is by [Repo.Fsck] alone.
//
// Source: ostree 2022.7 and 2026.4 as observed; see docs/FORMATS.md.
package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/keyfile"
	"github.com/treewright/treewright/pkg/ostree"
)

// Repo is an open repository. Its methods may be called by several goroutines.
type Repo struct {
	path   string
	mode   ostree.Mode
	keys   *keyfile.File // the configuration
	config config        // the same, for look-ups
	system string        // root of the system whose repository this is, or ""
	level  int           // of DEFLATE in archive mode
	fsync  bool
	each   bool // objects are synced one by one as well
	xattrs bool // extended attributes are read and written
	room   roomRule
	parent *Repo // where to look for what is not here; nil: nowhere
	pool   *readerPool
	held   *held            // the lock, in a Repo of WithLock
	clock  func() time.Time // nil: see SetClock
}

// folders of a repository. One is there when objects/ is, so that comes last.
var folders = []string{"tmp", "tmp/cache", "extensions", "state", "refs", "refs/heads", "refs/mirrors", "refs/remotes", "objects"}

// Create is [CreateWith] of a mode alone.
func Create(path string, mode ostree.Mode) (*Repo, error) {
	return CreateWith(path, CreateOptions{Mode: mode})
}

// CreateOptions say what a new repository is like.
type CreateOptions struct {
	Mode       ostree.Mode
	Collection string // the collection ID that its refs belong to, or ""
}

// CreateWith makes an empty repository in the folder path, which is made when it is
// missing. One that is there already is opened, whatever its mode.
//
// bare-user needs a file system that keeps attributes of users; without, the error
// wraps [ostree.ErrUnsupported].
func CreateWith(path string, o CreateOptions) (*Repo, error) {
	mode, err := ostree.ParseMode(string(o.Mode))
	if err != nil {
		return nil, err
	}
	if o.Collection != "" {
		if err := ostree.CheckCollection(o.Collection); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(filepath.Join(path, "objects")); err == nil {
		return Open(path)
	}
	if err := os.MkdirAll(path, 0o775); err != nil {
		return nil, err
	}
	if mode == ostree.ModeBareUser {
		if err := tryUserXattr(path); err != nil {
			return nil, fmt.Errorf("repository %s: %w", path, err)
		}
	}
	conf := filepath.Join(path, "config")
	if _, err := os.Stat(conf); errors.Is(err, fs.ErrNotExist) {
		text := "[core]\nrepo_version=1\nmode=" + string(mode) + "\n"
		if o.Collection != "" {
			text += "collection-id=" + o.Collection + "\n"
		}
		if err := fsutil.WriteBytes(conf, 0o644, []byte(text)); err != nil {
			return nil, err
		}
	}
	for _, d := range folders {
		if err := os.Mkdir(filepath.Join(path, d), 0o775); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return Open(path)
}

// tryUserXattr tells whether files in dir can have an attribute of a user.
func tryUserXattr(dir string) error {
	f, err := os.CreateTemp(dir, ".xattr-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := unix.Fsetxattr(int(f.Fd()), bareMetaXattr, []byte{0}, 0); err != nil {
		return fmt.Errorf("attribute %s: %v: mode bare-user needs a file system with user attributes: %w", bareMetaXattr, err, ostree.ErrUnsupported)
	}
	return nil
}

// Open opens a repository. The error is [ostree.ErrNotFound] when there is none.
//
// Objects and refs that are not in it are looked for in the repository that core.parent
// names, and so on.
func Open(path string) (*Repo, error) { return open(path, maxParents) }

func open(path string, parents int) (*Repo, error) {
	f, err := readKeyFile(filepath.Join(path, "config"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("repository %s: %w", path, ostree.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("repository %s: %w", path, err)
	}
	r := &Repo{path: path, keys: f, config: flatten(f), pool: &readerPool{}}
	if err := r.configure(); err != nil {
		return nil, fmt.Errorf("repository %s: config: %w", path, err)
	}
	os.Mkdir(r.file("tmp"), 0o775) // as ostree: who writes counts on it; who cannot make it only reads
	if p := r.config["core.parent"]; p != "" {
		if parents == 0 {
			return nil, fmt.Errorf("repository %s: core.parent: more than %d in a row: %w", path, maxParents, ostree.ErrUnsupported)
		}
		if r.parent, err = open(p, parents-1); err != nil {
			return nil, fmt.Errorf("repository %s: core.parent: %w", path, err)
		}
	}
	os.Mkdir(r.file("tmp"), 0o775) // where it is missing and may be made
	return r, nil
}

// OpenSystem opens the repository of the system whose root is given. Its remotes are
// also those of etc/ostree/remotes.d.
func OpenSystem(root string) (*Repo, error) {
	r, err := Open(filepath.Join(root, "ostree/repo"))
	if err == nil {
		r.system = root
	}
	return r, err
}

// configure takes over what the configuration says.
func (r *Repo) configure() (err error) {
	if v := r.config["core.repo_version"]; v != "1" {
		return fmt.Errorf("repo_version is %q, only 1 is known: %w", v, ostree.ErrUnsupported)
	}
	if r.mode, err = ostree.ParseMode(r.config["core.mode"]); err != nil {
		return err
	}
	if r.level, err = r.config.number("archive.zlib-level", 6); err != nil {
		return err
	}
	if r.level < 1 || r.level > 9 {
		return fmt.Errorf("archive.zlib-level is %d, want 1 to 9: %w", r.level, ostree.ErrUnsupported)
	}
	if r.fsync, err = r.config.flag("core.fsync", true); err != nil {
		return err
	}
	if r.each, err = r.config.flag("core.per-object-fsync", false); err != nil {
		return err
	}
	noXattrs, err := r.config.flag("core.disable-xattrs", false)
	if err != nil {
		return err
	}
	r.xattrs = !noXattrs
	r.room, err = parseRoom(r.config)
	return err
}

// Path is the repository's folder.
func (r *Repo) Path() string { return r.path }

// Mode is how objects are stored.
func (r *Repo) Mode() ostree.Mode { return r.mode }

// Xattrs tells whether the repository keeps extended attributes.
func (r *Repo) Xattrs() bool { return r.xattrs }

// DisableSync makes transactions not wait for the disk: for repositories that can be
// made again.
func (r *Repo) DisableSync() { r.fsync = false }

// SyncEach makes transactions write each object to the disk by itself, so that other
// programs need not wait for all of them at the end.
func (r *Repo) SyncEach() { r.each = true }

// syncOne writes one object to the disk when that is wanted.
func (r *Repo) syncOne(f *os.File) error {
	if !r.each || !r.fsync {
		return nil
	}
	return f.Sync()
}

func (r *Repo) file(elem ...string) string {
	return filepath.Join(append([]string{r.path}, elem...)...)
}
