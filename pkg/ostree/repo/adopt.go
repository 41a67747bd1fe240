package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
)

// sharedPrefix begins the staging folders that libostree leaves to its next run:
// tmp/staging-BOOTID-N, with a lock as ours have while one is in use. They are of one boot: a machine that
// went down may not have written all of them.
const sharedPrefix = "staging-"

// BootID names the time since this machine was started.
func BootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}

// Suspend ends the transaction and leaves its objects to the next one, of libostree or
// of this package, until the machine is started again, which bootID tells. Commits are
// left out. No object is visible, and no ref has moved.
func (t *Txn) Suspend(bootID string) error {
	t.mu.Lock()
	ended := t.ended
	t.ended = true
	t.mu.Unlock()
	if ended {
		return errEnded
	}
	dir := fmt.Sprintf("%s/tmp/%s%s-%06d", t.r.path, sharedPrefix, bootID, os.Getpid()%1000000)
	err := errors.Join(os.Rename(t.staging.dir, dir), os.Remove(t.staging.lock.Name()))
	return errors.Join(err, t.staging.lock.Close(), unlock(t.lock))
}

// adopt takes over the objects of runs that were suspended, and removes those of before
// the machine was started.
func (t *Txn) adopt() error {
	found, err := filepath.Glob(t.r.file("tmp", sharedPrefix+"*"))
	if err != nil || len(found) == 0 {
		return err
	}
	id, err := BootID()
	if err != nil {
		return err
	}
	for _, name := range found {
		dir := strings.TrimSuffix(name, stagingLock) // a lock may be left without its folder
		thisBoot := strings.HasPrefix(filepath.Base(dir), sharedPrefix+id+"-")
		if err := t.adoptOne(dir, dir+stagingLock, thisBoot); err != nil {
			return err
		}
	}
	return nil
}

func (t *Txn) adoptOne(dir, name string, keep bool) error {
	lock, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o660)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := tryLock(lock, true); err != nil || !isAt(lock, name) {
		if errors.Is(err, unix.EAGAIN) {
			return nil // in use
		}
		return err
	}
	if keep {
		if err := t.take(dir); err != nil {
			return err
		}
	}
	return errors.Join(os.RemoveAll(dir), os.Remove(name))
}

// take moves the objects of a staging folder into ours, but for commits and what
// belongs to them.
func (t *Txn) take(dir string) error {
	found, err := filepath.Glob(dir + "/[0-9a-f][0-9a-f]/*")
	if err != nil {
		return err
	}
	for _, file := range found {
		o, ok := t.r.parseName(filepath.Base(filepath.Dir(file)), filepath.Base(file))
		if !ok || o.Type != ostree.TypeFile && o.Type != ostree.TypeDirTree && o.Type != ostree.TypeDirMeta {
			continue
		}
		if there, err := t.has(o.Type, o.Checksum); err != nil || there {
			if err != nil {
				return err
			}
			continue
		}
		if err := t.keep(file, o.Type, o.Checksum); err != nil {
			return err
		}
	}
	return nil
}
