package repo

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

const bareMetaXattr = "user.ostreemeta"

// Has tells whether an object is there.
func (r *Repo) Has(t ostree.ObjectType, c ostree.Checksum) (bool, error) {
	_, err := os.Lstat(r.objectPath(t, c))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// StoredSize is the size, in bytes, of an object as it lies in the repository.
func (r *Repo) StoredSize(t ostree.ObjectType, c ostree.Checksum) (int64, error) {
	st, err := os.Lstat(r.objectPath(t, c))
	if err != nil {
		return 0, objectError(t, c, err)
	}
	return st.Size(), nil
}

// ReadObject returns the bytes of a metadata object. They are not checked against
// the checksum; [Repo.Fsck] does that.
func (r *Repo) ReadObject(t ostree.ObjectType, c ostree.Checksum) ([]byte, error) {
	f, err := os.Open(r.objectPath(t, c))
	if err != nil {
		return nil, objectError(t, c, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, objectError(t, c, err)
	}
	if st.Size() > ostree.MaxMetadata {
		return nil, objectError(t, c, fmt.Errorf("%d bytes, at most %d are allowed: %w", st.Size(), ostree.MaxMetadata, ostree.ErrCorrupt))
	}
	b := make([]byte, st.Size())
	_, err = io.ReadFull(f, b)
	return b, objectError(t, c, err)
}

// StatFile returns the header of a file object.
func (r *Repo) StatFile(c ostree.Checksum) (*ostree.File, error) {
	h, rc, err := r.OpenFile(c)
	if err != nil {
		return nil, err
	}
	return h, rc.Close()
}

// OpenFile returns the header and the content of a file object; a link has none.
func (r *Repo) OpenFile(c ostree.Checksum) (*ostree.File, io.ReadCloser, error) {
	open := r.openBare
	switch r.mode {
	case ostree.ModeArchive:
		open = r.openArchive
	case ostree.ModeBareUser:
		open = r.openBareUser
	}
	h, rc, err := open(r.objectPath(ostree.TypeFile, c))
	if err != nil {
		if errors.Is(err, ostree.ErrMalformed) {
			err = fmt.Errorf("%v: %w", err, ostree.ErrCorrupt)
		}
		return nil, nil, objectError(ostree.TypeFile, c, err)
	}
	return h, rc, nil
}

var noContent = io.NopCloser(bytes.NewReader(nil))

// inflater is the content of a .filez.
type inflater struct {
	io.ReadCloser
	f *os.File
}

func (i inflater) Close() error { return errors.Join(i.ReadCloser.Close(), i.f.Close()) }

func (r *Repo) openArchive(path string) (*ostree.File, io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	br := bufio.NewReaderSize(f, 32<<10)
	h, err := ostree.ReadArchiveHeader(br)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	if h.IsLink() {
		return h, noContent, f.Close()
	}
	return h, inflater{compress.NewDeflateReader(br), f}, nil
}

// maxXattr is the largest value of an extended attribute that Linux keeps.
const maxXattr = 64 << 10

func (r *Repo) openBareUser(path string) (*ostree.File, io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	h, err := bareUserHeader(f)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	if h.IsLink() {
		target, err := io.ReadAll(io.LimitReader(f, unix.PathMax))
		target, _, _ = bytes.Cut(target, []byte{0})
		h.Target = string(target)
		return h, noContent, errors.Join(err, f.Close())
	}
	return h, f, nil
}

func bareUserHeader(f *os.File) (*ostree.File, error) {
	buf := make([]byte, 512)
	n, err := unix.Fgetxattr(int(f.Fd()), bareMetaXattr, buf)
	if errors.Is(err, unix.ERANGE) {
		buf = make([]byte, maxXattr)
		n, err = unix.Fgetxattr(int(f.Fd()), bareMetaXattr, buf)
	}
	if err != nil {
		return nil, fmt.Errorf("attribute %s: %w", bareMetaXattr, err)
	}
	h, err := ostree.ParseBareMeta(buf[:n])
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !h.IsLink() {
		h.Size = st.Size()
	}
	return h, nil
}

// openBare reads a file of a bare or bare-user-only repository.
func (r *Repo) openBare(path string) (*ostree.File, io.ReadCloser, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nil, nil, err
	}
	h := &ostree.File{UID: st.Uid, GID: st.Gid, Mode: st.Mode, Size: st.Size}
	if r.mode == ostree.ModeBareUserOnly {
		h.UID, h.GID = 0, 0
	} else {
		xattrs, err := readXattrs(path)
		if err != nil {
			return nil, nil, err
		}
		h.Xattrs = xattrs
	}
	if h.IsLink() {
		target, err := os.Readlink(path)
		h.Target, h.Size = target, 0
		return h, noContent, err
	}
	f, err := os.Open(path)
	return h, f, err
}

// readDir returns a folder and all below it.
func (r *Repo) readDir(tree, meta ostree.Checksum) (*filetree.Node, error) {
	rawMeta, err := r.ReadObject(ostree.TypeDirMeta, meta)
	if err != nil {
		return nil, err
	}
	dm, err := ostree.ParseDirMeta(rawMeta)
	if err != nil {
		return nil, objectError(ostree.TypeDirMeta, meta, err)
	}
	dt, err := r.readDirTree(tree)
	if err != nil {
		return nil, err
	}
	d := &filetree.Node{Kind: filetree.Dir, Mode: dm.Mode, UID: dm.UID, GID: dm.GID, Xattrs: dm.Xattrs}
	for _, f := range dt.Files {
		h, err := r.StatFile(f.Checksum)
		if err != nil {
			return nil, err
		}
		n := h.Node()
		if n.Kind == filetree.File {
			n.From = Content{r, f.Checksum}
		}
		if err := d.Set(f.Name, n); err != nil {
			return nil, err
		}
	}
	for _, s := range dt.Dirs {
		n, err := r.readDir(s.Tree, s.Meta)
		if err != nil {
			return nil, err
		}
		if err := d.Set(s.Name, n); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (r *Repo) readDirTree(c ostree.Checksum) (*ostree.DirTree, error) {
	raw, err := r.ReadObject(ostree.TypeDirTree, c)
	if err != nil {
		return nil, err
	}
	dt, err := ostree.ParseDirTree(raw)
	return dt, objectError(ostree.TypeDirTree, c, err)
}

// Content is the content of a file object. It is comparable.
type Content struct {
	Repo     *Repo
	Checksum ostree.Checksum
}

// Open opens it.
func (c Content) Open() (io.ReadCloser, error) {
	_, rc, err := c.Repo.OpenFile(c.Checksum)
	return rc, err
}
