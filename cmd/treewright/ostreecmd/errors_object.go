package ostreecmd

import (
	"errors"
	"fmt"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// objectSentence is about an object that is not there.
func objectSentence(err error) string {
	var e *repo.ObjectError
	switch {
	case !errors.As(err, &e) || !errors.Is(e.Err, ostree.ErrNotFound):
		return ""
	case e.Object.Type == ostree.TypeFile:
		return fmt.Sprintf("Couldn't find file object '%s'", e.Object.Checksum)
	}
	return fmt.Sprintf("No such metadata object %s", e.Object)
}
