package repo

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
)

// rawFile is a regular file that is read once, from the beginning: an [os.File] costs
// as many system calls again, which count where there are many small ones.
type rawFile struct {
	fd   int
	path string
	size int64
}

// openRaw is openRegular.
func openRaw(path string) (*rawFile, error) {
	f := &rawFile{path: path}
	for {
		var err error
		f.fd, err = unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ELOOP) {
			return nil, fmt.Errorf("a symbolic link in the place of a file: %w", ostree.ErrCorrupt)
		}
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		break
	}
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil {
		return nil, errors.Join(&fs.PathError{Op: "stat", Path: path, Err: err}, f.Close())
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, errors.Join(fmt.Errorf("mode %o in the place of a file: %w", st.Mode, ostree.ErrCorrupt), f.Close())
	}
	f.size = st.Size
	return f, nil
}

func (f *rawFile) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(f.fd, b)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, &fs.PathError{Op: "read", Path: f.path, Err: err}
		case n == 0 && len(b) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (f *rawFile) Close() error {
	if err := unix.Close(f.fd); err != nil {
		return &fs.PathError{Op: "close", Path: f.path, Err: err}
	}
	return nil
}

// xattr is an extended attribute.
func (f *rawFile) xattr(name string) ([]byte, error) {
	return twice(func(b []byte) (int, error) { return unix.Fgetxattr(f.fd, name, b) })
}
