package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked is wrapped when another program has had the repository to itself for
// longer than core.lock-timeout-secs.
var ErrLocked = errors.New("locked by another program")

const lockTimeout = 300 // seconds, where the configuration says nothing

// lock takes the repository's lock as libostree does for all but prune: a shared
// open-file-description lock on .lock. It ends when the file is closed. The file is
// nil when the configuration turns locks off.
func (r *Repo) lock(ctx context.Context) (*os.File, error) {
	f, err := r.lockUntil(ctx.Done())
	if errors.Is(err, errStopped) {
		err = context.Cause(ctx)
	}
	return f, err
}

// errStopped tells that done was closed first.
var errStopped = errors.New("stopped")

// lockUntil is lock for callers without a context: done may be nil.
func (r *Repo) lockUntil(done <-chan struct{}) (*os.File, error) {
	on, err := r.config.flag("core.locking", true)
	if err != nil || !on {
		return nil, err
	}
	seconds, err := r.config.number("core.lock-timeout-secs", lockTimeout)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(r.file(".lock"), os.O_RDWR|os.O_CREATE, 0o660)
	if err != nil {
		return nil, err
	}
	if err := waitLock(done, f, seconds); err != nil {
		f.Close()
		return nil, fmt.Errorf("repository %s: %w", r.path, err)
	}
	return f, nil
}

// tryLock takes a lock if nobody is in the way; else the error is EAGAIN.
func tryLock(f *os.File, exclusive bool) error {
	l := unix.Flock_t{Type: unix.F_RDLCK}
	if exclusive {
		l.Type = unix.F_WRLCK
	}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l)
	if errors.Is(err, unix.EACCES) {
		return unix.EAGAIN
	}
	return err
}

// waitLock waits for a shared lock; a negative number of seconds is for ever.
func waitLock(done <-chan struct{}, f *os.File, seconds int) error {
	const pause = 100 * time.Millisecond
	for waited := time.Duration(0); ; waited += pause {
		err := tryLock(f, false)
		if !errors.Is(err, unix.EAGAIN) {
			return err
		}
		if seconds >= 0 && waited >= time.Duration(seconds)*time.Second {
			return fmt.Errorf("waited %d seconds: %w", seconds, ErrLocked)
		}
		select {
		case <-done:
			return errStopped
		case <-time.After(pause):
		}
	}
}
