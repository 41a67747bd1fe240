package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lock takes the repository's lock as libostree does: an open-file-description lock
// on .lock, shared or exclusive. It ends when the file is closed.
func (r *Repo) lock(ctx context.Context, exclusive bool) (*os.File, error) {
	f, err := os.OpenFile(r.file(".lock"), os.O_RDWR|os.O_CREATE, 0o660)
	if err != nil {
		return nil, err
	}
	if err := waitLock(ctx, f, exclusive); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock of repository %s: %w", r.path, err)
	}
	return f, nil
}

func tryLock(f *os.File, exclusive bool) error {
	l := unix.Flock_t{Type: unix.F_RDLCK}
	if exclusive {
		l.Type = unix.F_WRLCK
	}
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l)
}

func waitLock(ctx context.Context, f *os.File, exclusive bool) error {
	for {
		err := tryLock(f, exclusive)
		if err == nil || !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
