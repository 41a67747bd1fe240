package delta

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// File is a delta on disk.
type File struct {
	*Superblock
	Signed *Signed // nil: it has no signatures
	dir    string  // of the parts
}

// OpenFile reads the superblock in a file. Whether its signatures are good is for the
// caller to ask.
func OpenFile(path string) (*File, error) {
	b, err := readAtMost(path, MaxSuperblock)
	if err != nil {
		return nil, err
	}
	f := &File{dir: filepath.Dir(path)}
	if f.Signed, err = ParseSigned(b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if f.Signed != nil {
		b = f.Signed.Superblock
	}
	if f.Superblock, err = ParseSuperblock(b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Part returns the file of a part, which may be in the superblock. Its checksum is not
// looked at.
func (f *File) Part(i int) ([]byte, error) {
	if i < len(f.Inline) {
		return f.Inline[i], nil
	}
	return readAtMost(filepath.Join(f.dir, strconv.Itoa(i)), maxPayload)
}

// readAtMost reads a file that must not be longer than limit.
func readAtMost(path string, limit int64) (b []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if b, err = io.ReadAll(io.LimitReader(f, limit+1)); err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s: more than %d bytes: %w", path, limit, ErrMalformed)
	}
	return b, err
}
