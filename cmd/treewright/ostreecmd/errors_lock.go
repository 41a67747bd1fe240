package ostreecmd

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree/repo"
)

// lockSentence is about what must not be done now: a repository that others work on, a
// commit that a ref points to.
func lockSentence(err error) string {
	var lock *repo.LockError
	var refers *repo.RefersError
	var file *fs.PathError
	switch {
	case errors.As(err, &file) && filepath.Base(file.Path) == ".lock" && (errors.Is(err, unix.EROFS) || errors.Is(err, unix.EACCES)):
		return "Cannot write to repository: " + strerror(err)
	case errors.As(err, &lock):
		how, why := "shared", strerror(lock.Err)
		if lock.Exclusive {
			how = "exclusive"
		}
		if errors.Is(lock, repo.ErrLocked) {
			why = "Resource temporarily unavailable"
		}
		return fmt.Sprintf("Locking repo %s failed: %s", how, why)
	case errors.As(err, &refers) && refers.Ref.Collection == "":
		return fmt.Sprintf("Commit '%s' is referenced by '%s'", refers.Commit, refers.Ref.Name)
	case errors.As(err, &refers):
		return fmt.Sprintf("Commit '%s' is referenced by %s", refers.Commit, refers.Ref)
	}
	return ""
}
