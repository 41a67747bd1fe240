package repo

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// fdWriter writes to a descriptor.
type fdWriter int

func (fd fdWriter) Write(b []byte) (n int, err error) {
	for n < len(b) {
		m, err := unix.Write(int(fd), b[n:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return n, errSystem("write", err)
		}
		n += m
	}
	return n, nil
}

// copyTo copies content of size bytes to a new file. Where content is a file the
// kernel copies, or shares the blocks.
func (p *writerPools) copyTo(fd int, content io.Reader, size int64) error {
	if f, ok := content.(*os.File); ok {
		done, err := copyRange(fd, f, size)
		if done || err != nil {
			return err
		}
	}
	return p.copyExactly(fdWriter(fd), content, size)
}

// copyRange has the kernel copy, and tells whether it did. A file that is too short
// is left to others.
func copyRange(fd int, f *os.File, size int64) (bool, error) {
	from := int(f.Fd())
	for left := size; left > 0; {
		n, err := unix.CopyFileRange(from, nil, fd, nil, int(min(left, 1<<30)), 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil && left == size && (errors.Is(err, unix.EXDEV) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL)):
			return false, nil
		case err != nil:
			return false, errSystem("copy_file_range", err)
		case n == 0 && left == size:
			return false, nil // also what some file systems say that cannot
		case n == 0:
			return false, sizeError(size-left, size)
		}
		left -= int64(max(n, 0))
	}
	return true, nil
}
