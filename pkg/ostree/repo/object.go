package repo

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
)

// Object names an object.
type Object struct {
	Type     ostree.ObjectType
	Checksum ostree.Checksum
}

// compare orders objects by their checksums, as they lie on disk.
func (o Object) compare(p Object) int {
	return cmp.Or(o.Checksum.Compare(p.Checksum), cmp.Compare(o.Type, p.Type))
}

func (o Object) String() string { return o.Checksum.String() + "." + o.Type.String() }

// objectName is an object's path below objects/.
func (r *Repo) objectName(t ostree.ObjectType, c ostree.Checksum) string {
	s, ext := c.String(), t.String()
	if t == ostree.TypeFile && r.mode == ostree.ModeArchive {
		ext = "filez"
	}
	return s[:2] + "/" + s[2:] + "." + ext
}

func (r *Repo) objectPath(t ostree.ObjectType, c ostree.Checksum) string {
	return r.path + "/objects/" + r.objectName(t, c)
}

// objectError names the object by an [*ObjectError], and gives a missing file and malformed bytes the
// sentinels of package ostree.
func objectError(t ostree.ObjectType, c ostree.Checksum, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		err = ostree.ErrNotFound
	case errors.Is(err, ostree.ErrMalformed) && !errors.Is(err, ostree.ErrCorrupt):
		err = malformed{err}
	}
	return &ObjectError{Object{t, c}, err}
}

// ObjectError tells which object could not be had.
type ObjectError struct {
	Object Object
	Err    error
}

func (e *ObjectError) Error() string { return fmt.Sprintf("object %s: %v", e.Object, e.Err) }

func (e *ObjectError) Unwrap() error { return e.Err }

// malformed is an object of the repository that cannot be read: it is corrupt, too.
type malformed struct{ error }

func (m malformed) Unwrap() []error { return []error{m.error, ostree.ErrCorrupt} }

// openRegular opens a regular file; anything else in its place is corrupt. It neither
// follows a link nor waits for a FIFO.
func openRegular(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, 0, fmt.Errorf("a symbolic link in the place of a file: %w", ostree.ErrCorrupt)
	}
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s in the place of a file: %w", st.Mode(), ostree.ErrCorrupt)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}

// above tells whether what was not found is to be looked for in the parent.
func (r *Repo) above(err error) bool { return r.parent != nil && errors.Is(err, fs.ErrNotExist) }

// own tells whether an object lies in this repository itself.
func (r *Repo) own(t ostree.ObjectType, c ostree.Checksum) bool {
	var st unix.Stat_t
	return unix.Lstat(r.objectPath(t, c), &st) == nil
}

// Has tells whether an object is there.
func (r *Repo) Has(t ostree.ObjectType, c ostree.Checksum) (bool, error) {
	var st unix.Stat_t
	err := unix.Lstat(r.objectPath(t, c), &st)
	if errors.Is(err, fs.ErrNotExist) {
		if r.parent != nil {
			return r.parent.Has(t, c)
		}
		return false, nil
	}
	return err == nil, objectError(t, c, err)
}

// StoredSize is the size, in bytes, of an object as it lies in the repository.
func (r *Repo) StoredSize(t ostree.ObjectType, c ostree.Checksum) (int64, error) {
	st, err := os.Lstat(r.objectPath(t, c))
	if r.above(err) {
		return r.parent.StoredSize(t, c)
	}
	if err != nil {
		return 0, objectError(t, c, err)
	}
	return st.Size(), nil
}

// ReadObject returns the bytes of a metadata object. Dirtrees, dirmetas and commits
// are compared with their checksums; the others are named by something else.
//
// Errors wrap [ostree.ErrNotFound] or [ostree.ErrCorrupt] where these apply.
func (r *Repo) ReadObject(t ostree.ObjectType, c ostree.Checksum) ([]byte, error) {
	if t == ostree.TypeFile {
		return nil, objectError(t, c, fmt.Errorf("reading it as metadata: %w", ostree.ErrUnsupported))
	}
	b, err := readMetadata(r.objectPath(t, c))
	if r.above(err) {
		return r.parent.ReadObject(t, c)
	}
	if err != nil {
		return nil, objectError(t, c, err)
	}
	if hashed(t) {
		if got := ostree.Sum(b); got != c {
			return nil, &MismatchError{Object{t, c}, got}
		}
	}
	return b, nil
}

// hashed tells whether objects of a type are named by the checksum of their bytes.
func hashed(t ostree.ObjectType) bool {
	return t == ostree.TypeDirTree || t == ostree.TypeDirMeta || t == ostree.TypeCommit
}

func readMetadata(path string) ([]byte, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > ostree.MaxMetadata {
		return nil, fmt.Errorf("%d bytes, at most %d are allowed: %w", size, ostree.MaxMetadata, ostree.ErrCorrupt)
	}
	b := make([]byte, size)
	_, err = io.ReadFull(f, b)
	return b, err
}

// ReadCommit reads a commit object.
func (r *Repo) ReadCommit(c ostree.Checksum) (*ostree.Commit, error) {
	raw, err := r.ReadObject(ostree.TypeCommit, c)
	if err != nil {
		return nil, err
	}
	commit, err := ostree.ParseCommit(raw)
	return commit, objectError(ostree.TypeCommit, c, err)
}

// ReadDetached reads the detached metadata of a commit: what may be added to it
// later, such as signatures. A commit without has none.
func (r *Repo) ReadDetached(c ostree.Checksum) (ostree.Metadata, error) {
	raw, err := r.ReadObject(ostree.TypeCommitMeta, c)
	if errors.Is(err, ostree.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := ostree.ParseMetadata(raw)
	return m, objectError(ostree.TypeCommitMeta, c, err)
}

func (r *Repo) readDirTree(c ostree.Checksum) (*ostree.DirTree, error) {
	raw, err := r.ReadObject(ostree.TypeDirTree, c)
	if err != nil {
		return nil, err
	}
	dt, err := ostree.ParseDirTree(raw)
	return dt, objectError(ostree.TypeDirTree, c, err)
}

func (r *Repo) readDirMeta(c ostree.Checksum) (*ostree.DirMeta, error) {
	raw, err := r.ReadObject(ostree.TypeDirMeta, c)
	if err != nil {
		return nil, err
	}
	dm, err := ostree.ParseDirMeta(raw)
	return dm, objectError(ostree.TypeDirMeta, c, err)
}

// Commits lists the commit objects of the repository, sorted.
func (r *Repo) Commits() ([]ostree.Checksum, error) {
	var out []ostree.Checksum
	err := r.loose(func(o Object) {
		if o.Type == ostree.TypeCommit {
			out = append(out, o.Checksum)
		}
	})
	return out, err
}

// loose calls fn for each object that lies below objects/, in the order of checksums.
func (r *Repo) loose(fn func(Object)) error {
	dirs, err := os.ReadDir(r.file("objects"))
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if len(d.Name()) != 2 || !d.IsDir() {
			continue
		}
		entries, err := os.ReadDir(r.file("objects", d.Name()))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if o, ok := r.parseName(d.Name(), e.Name()); ok {
				fn(o)
			}
		}
	}
	return nil
}

// parseName undoes objectName.
func (r *Repo) parseName(dir, base string) (Object, bool) {
	const rest = 2*len(ostree.Checksum{}) - 2
	if len(base) <= rest || base[rest] != '.' {
		return Object{}, false
	}
	c, err := ostree.ParseChecksum(dir + base[:rest])
	if err != nil {
		return Object{}, false
	}
	ext := base[rest+1:]
	if ext == "filez" && r.mode == ostree.ModeArchive {
		return Object{ostree.TypeFile, c}, true
	}
	t, ok := ostree.ParseObjectType(ext)
	return Object{t, c}, ok && (t != ostree.TypeFile || r.mode != ostree.ModeArchive)
}

// ReadRaw returns the bytes that are stored for a metadata object, whatever they are.
func (r *Repo) ReadRaw(t ostree.ObjectType, c ostree.Checksum) ([]byte, error) {
	if t == ostree.TypeFile {
		return nil, objectError(t, c, fmt.Errorf("reading it as metadata: %w", ostree.ErrUnsupported))
	}
	b, err := readMetadata(r.objectPath(t, c))
	if r.above(err) {
		return r.parent.ReadRaw(t, c)
	}
	return b, objectError(t, c, err)
}
