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
// nil when the configuration turns locks off, or the lock is held already.
func (r *Repo) lock(ctx context.Context) (*os.File, error) { return r.lockAs(ctx, false) }

func (r *Repo) lockAs(ctx context.Context, exclusive bool) (*os.File, error) {
	f, err := r.lockUntil(ctx.Done(), exclusive)
	if errors.Is(err, errStopped) {
		err = context.Cause(ctx)
	}
	return f, err
}

// held is a lock that [Repo.WithLock] has taken.
type held struct {
	f         *os.File // nil: locks are off
	exclusive bool
}

// WithLock calls fn with the repository locked: shared with others who add to it, or
// exclusive, when something is to be removed. What fn does with its Repo finds the lock
// taken; a shared one becomes exclusive while an exclusive one is asked for. It waits as
// [Repo.Begin] does.
func (r *Repo) WithLock(ctx context.Context, exclusive bool, fn func(*Repo) error) (err error) {
	switch {
	case r.held != nil && (r.held.exclusive || !exclusive):
		return fn(r)
	case r.held != nil:
		return r.raise(ctx, fn)
	}
	f, err := r.lockAs(ctx, exclusive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock(f)) }()
	locked := *r
	locked.held = &held{f, exclusive}
	return fn(&locked)
}

// raise makes the shared lock that is held exclusive for a while.
func (r *Repo) raise(ctx context.Context, fn func(*Repo) error) (err error) {
	if r.held.f != nil {
		seconds, failed := r.config.number("core.lock-timeout-secs", lockTimeout)
		if failed != nil {
			return failed
		}
		if failed := waitLock(ctx.Done(), r.held.f, true, seconds); failed != nil {
			return r.lockError(failed, true)
		}
		defer func() { err = errors.Join(err, tryLock(r.held.f, false)) }()
	}
	locked := *r
	locked.held = &held{r.held.f, true}
	return fn(&locked)
}

// A LockError tells that the repository's lock could not be had.
type LockError struct {
	Path      string
	Exclusive bool
	Err       error // wraps ErrLocked, or is of the system
}

func (e *LockError) Error() string { return fmt.Sprintf("repository %s: %v", e.Path, e.Err) }

func (e *LockError) Unwrap() error { return e.Err }

func (r *Repo) lockError(err error, exclusive bool) error {
	if errors.Is(err, errStopped) {
		return err
	}
	return &LockError{r.path, exclusive, err}
}

// errStopped tells that done was closed first.
var errStopped = errors.New("stopped")

// lockUntil is lock for callers without a context: done may be nil.
func (r *Repo) lockUntil(done <-chan struct{}, exclusive bool) (*os.File, error) {
	if r.held != nil && (r.held.exclusive || !exclusive) {
		return nil, nil
	}
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
	if err := waitLock(done, f, exclusive, seconds); err != nil {
		f.Close()
		return nil, r.lockError(err, exclusive)
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

// waitLock waits for a lock; a negative number of seconds is for ever.
func waitLock(done <-chan struct{}, f *os.File, exclusive bool, seconds int) error {
	const pause = 100 * time.Millisecond
	for waited := time.Duration(0); ; waited += pause {
		err := tryLock(f, exclusive)
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
