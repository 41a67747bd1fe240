package fsutil

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// TryLock takes an exclusive lock on f that ends when f is closed. busy tells that
// another process, or another open file of this one, has it.
func TryLock(f *os.File) (busy bool, err error) {
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// OpenLocked opens a file, made when it is missing, and waits for the lock on it. The
// file is the one that is at path then: it may be renamed or removed under the lock.
func OpenLocked(ctx context.Context, path string, perm os.FileMode) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, perm)
		if err != nil {
			return nil, err
		}
		same, err := lockIfSame(f, path)
		if same {
			return f, nil
		}
		f.Close() // nothing was written
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// lockIfSame tries to lock f, and tells whether it has and f is still at path.
func lockIfSame(f *os.File, path string) (bool, error) {
	busy, err := TryLock(f)
	if busy || err != nil {
		return false, err
	}
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	return os.SameFile(mine, there), nil
}
