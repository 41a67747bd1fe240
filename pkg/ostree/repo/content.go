package repo

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/ostree"
)

// bareMetaXattr holds owner, mode and attributes of a file in a bare-user repository.
const bareMetaXattr = "user.ostreemeta"

// StatFile returns the header of a file object, without opening its content.
func (r *Repo) StatFile(c ostree.Checksum) (*ostree.File, error) {
	h, err := r.stat(c)
	if r.above(err) {
		return r.parent.StatFile(c)
	}
	if err != nil {
		return nil, objectError(ostree.TypeFile, c, err)
	}
	return h, nil
}

// stat reads the header of an object of this repository itself.
func (r *Repo) stat(c ostree.Checksum) (*ostree.File, error) {
	p := r.objectPath(ostree.TypeFile, c)
	switch r.mode {
	case ostree.ModeArchive:
		return r.statArchive(p)
	case ostree.ModeBareUser:
		return statBareUser(p)
	case ostree.ModeSplitXattrs:
		return r.statSplit(p, c)
	}
	return r.statBare(p)
}

// statSplit reads owner and mode from the file, attributes from an object of their own.
func (r *Repo) statSplit(path string, c ostree.Checksum) (*ostree.File, error) {
	h, err := r.statBare(path)
	if err != nil {
		return nil, err
	}
	b, err := readMetadata(r.objectPath(ostree.TypeFileXattrsLink, c))
	if err != nil {
		return nil, fmt.Errorf("its attributes: %w", err)
	}
	h.Xattrs, err = ostree.ParseFileXattrs(b)
	return h, err
}

// OpenFile returns the header and the content of a file object; a link has none. In
// the bare modes the content of a file is an *os.File. In archive mode it ends, with
// an error, where it has more or fewer bytes than the header promises.
func (r *Repo) OpenFile(c ostree.Checksum) (*ostree.File, io.ReadCloser, error) {
	open := r.openBare
	if r.mode == ostree.ModeArchive {
		open = r.openArchive
	}
	h, rc, err := open(c)
	if r.above(err) {
		return r.parent.OpenFile(c)
	}
	if err != nil {
		return nil, nil, objectError(ostree.TypeFile, c, err)
	}
	return h, rc, nil
}

var noContent = io.NopCloser(bytes.NewReader(nil))

// readerPool keeps what it takes to read content.
type readerPool struct{ buffers, inflaters, copies, stored, whole, fast sync.Pool }

func (p *readerPool) buffer(r io.Reader) *bufio.Reader {
	if b, ok := p.buffers.Get().(*bufio.Reader); ok {
		b.Reset(r)
		return b
	}
	return bufio.NewReaderSize(r, 32<<10)
}

// resetter is a DEFLATE reader that can be used again.
type resetter interface {
	io.ReadCloser
	Reset(r io.Reader, dict []byte) error
}

func (p *readerPool) inflater(r io.Reader) (io.ReadCloser, error) {
	if z, ok := p.inflaters.Get().(resetter); ok {
		return z, z.Reset(r, nil)
	}
	return compress.NewDeflateReader(r), nil
}

func (r *Repo) statArchive(path string) (*ostree.File, error) {
	f, _, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readArchiveHeader(f)
}

// readArchiveHeader reads a header, with one read when it has no more than a few
// attributes.
func readArchiveHeader(f *os.File) (*ostree.File, error) {
	var buf [512]byte
	n, err := io.ReadFull(f, buf[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && err != io.EOF {
		return nil, err
	}
	return ostree.ReadArchiveHeader(io.MultiReader(bytes.NewReader(buf[:n]), f))
}

func (r *Repo) openArchive(c ostree.Checksum) (*ostree.File, io.ReadCloser, error) {
	f, err := openRaw(r.objectPath(ostree.TypeFile, c))
	if err != nil {
		return nil, nil, err
	}
	br := r.pool.buffer(f)
	h, err := ostree.ReadArchiveHeader(br)
	if err != nil || h.IsLink() {
		r.pool.buffers.Put(br)
		return h, noContent, errors.Join(err, f.Close())
	}
	z, err := r.pool.inflater(br)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return h, &archived{c: c, pool: r.pool, f: f, br: br, z: z, left: h.Size}, nil
}

// archived is the content of a .filez.
type archived struct {
	c    ostree.Checksum
	pool *readerPool
	f    *rawFile
	br   *bufio.Reader
	z    io.ReadCloser
	left int64 // bytes that the header promises and that have not come yet
}

func (a *archived) Read(p []byte) (int, error) {
	if a.z == nil {
		return 0, fs.ErrClosed
	}
	n, err := a.z.Read(p)
	if a.left -= int64(n); a.left < 0 {
		return 0, a.bad("content has more bytes than the header says")
	}
	var fault *fs.PathError
	switch {
	case err == nil:
		return n, nil
	case errors.As(err, &fault): // of the disk, not of the format
		return n, objectError(ostree.TypeFile, a.c, err)
	case err != io.EOF:
		return n, a.bad(err.Error())
	case a.left > 0:
		return n, a.bad(fmt.Sprintf("content ends %d bytes early", a.left))
	}
	return n, io.EOF
}

func (a *archived) bad(why string) error {
	return objectError(ostree.TypeFile, a.c, fmt.Errorf("%s: %w", why, ostree.ErrCorrupt))
}

func (a *archived) Close() error {
	if a.z == nil {
		return nil
	}
	a.pool.buffers.Put(a.br)
	a.pool.inflaters.Put(a.z)
	a.z, a.br = nil, nil
	return a.f.Close()
}

// openBare opens a file of one of the bare modes.
func (r *Repo) openBare(c ostree.Checksum) (*ostree.File, io.ReadCloser, error) {
	h, err := r.stat(c)
	if err != nil {
		return nil, nil, err
	}
	if h.IsLink() {
		return h, noContent, nil
	}
	f, _, err := openRegular(r.objectPath(ostree.TypeFile, c))
	return h, f, err
}

// statBareUser reads the attribute that has the header, and a link's target.
func statBareUser(path string) (*ostree.File, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("mode %o in the place of a file: %w", st.Mode, ostree.ErrCorrupt)
	}
	meta, err := getXattr(path, bareMetaXattr)
	if err != nil {
		return nil, bareMetaError(err)
	}
	h, err := ostree.ParseBareMeta(meta)
	if err != nil {
		return nil, err
	}
	if h.IsLink() {
		h.Target, err = readLinkFile(path)
		return h, err
	}
	h.Size = st.Size
	return h, nil
}

// readLinkFile reads the target of a link that is stored as a file. It ends at the
// first NUL.
func readLinkFile(path string) (string, error) {
	f, _, err := openRegular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return readTarget(f)
}

func readTarget(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, unix.PathMax))
	if err != nil {
		return "", err
	}
	target, _, _ := bytes.Cut(b, []byte{0})
	if len(target) == 0 {
		return "", fmt.Errorf("link without a target: %w", ostree.ErrCorrupt)
	}
	return string(target), nil
}

// statBare reads owner, mode and attributes from the file itself. In a bare-user-only
// repository owner and attributes do not count.
func (r *Repo) statBare(path string) (*ostree.File, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nil, err
	}
	h := &ostree.File{Mode: st.Mode}
	if t := st.Mode & unix.S_IFMT; t != unix.S_IFREG && t != unix.S_IFLNK {
		return nil, fmt.Errorf("mode %o in the place of a file: %w", st.Mode, ostree.ErrCorrupt)
	}
	if r.mode == ostree.ModeBare || r.mode == ostree.ModeSplitXattrs {
		h.UID, h.GID = st.Uid, st.Gid
		if r.xattrs && r.mode == ostree.ModeBare {
			var err error
			if h.Xattrs, err = ReadXattrs(path); err != nil {
				return nil, err
			}
		}
	}
	if !h.IsLink() {
		h.Size = st.Size
		return h, nil
	}
	target, err := os.Readlink(path)
	h.Target = target
	return h, err
}

// Content is the content of a file object, opened when it is asked for. It is
// comparable: equal for files with the same object.
type Content struct {
	Repo     *Repo
	Checksum ostree.Checksum
}

// Open opens it.
func (c Content) Open() (io.ReadCloser, error) {
	_, rc, err := c.Repo.OpenFile(c.Checksum)
	return rc, err
}

// Link makes a hard link to the object, when it lies in the repository as a plain file
// of that mode and the file system allows it.
func (c Content) Link(path string, mode uint32) (bool, error) {
	if c.Repo.mode != ostree.ModeBareUser && c.Repo.mode != ostree.ModeBareUserOnly {
		return false, nil
	}
	object := c.Repo.objectPath(ostree.TypeFile, c.Checksum)
	var st unix.Stat_t
	if err := unix.Lstat(object, &st); err != nil {
		if c.Repo.above(err) {
			return Content{c.Repo.parent, c.Checksum}.Link(path, mode)
		}
		return false, objectError(ostree.TypeFile, c.Checksum, err)
	}
	if st.Mode != unix.S_IFREG|mode {
		return false, nil
	}
	err := os.Link(object, path)
	if err != nil && cannotLink(err) {
		return false, nil
	}
	return err == nil, err
}
