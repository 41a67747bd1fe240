package repo

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// dirEntry is a name in a folder on disk.
type dirEntry struct {
	name  string
	ino   uint64
	isDir bool
}

// inodeChunk is how many names are sorted together.
const inodeChunk = 1000

// readDirByInode lists a folder in the order in which GLib does: each thousand names
// that the system tells by inode, which is also the order in which a disk has them.
func readDirByInode(dir string) ([]dirEntry, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []dirEntry
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.Getdents(int(f.Fd()), buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "getdents", Path: dir, Err: err}
		}
		if n == 0 {
			break
		}
		if out, err = appendEntries(out, dir, buf[:n]); err != nil {
			return nil, err
		}
	}
	for part := range slices.Chunk(out, inodeChunk) {
		slices.SortStableFunc(part, func(a, b dirEntry) int { return cmp.Compare(a.ino, b.ino) })
	}
	return out, nil
}

// appendEntries reads records: inode, offset, length (2 bytes), type, name and NULs.
func appendEntries(out []dirEntry, dir string, b []byte) ([]dirEntry, error) {
	for len(b) > 19 {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size < 19 || size > len(b) {
			return nil, &os.PathError{Op: "getdents", Path: dir, Err: unix.EIO}
		}
		name, _, _ := bytes.Cut(b[19:size], []byte{0})
		e := dirEntry{name: string(name), ino: binary.NativeEndian.Uint64(b), isDir: b[18] == unix.DT_DIR}
		known := b[18] != unix.DT_UNKNOWN
		b = b[size:]
		if e.name == "." || e.name == ".." {
			continue
		}
		if !known {
			st, err := os.Lstat(dir + "/" + e.name)
			if err != nil {
				return nil, err
			}
			e.isDir = st.IsDir()
		}
		out = append(out, e)
	}
	return out, nil
}
