package ostreecmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

func refSentence(err error) string {
	var none *repo.NoParentError
	if errors.As(err, &none) {
		return fmt.Sprintf("Commit %s has no parent", none.Commit)
	}
	var e *repo.RefError
	if !errors.As(err, &e) {
		return ""
	}
	switch {
	case errors.Is(e, ostree.ErrNotFound):
		return fmt.Sprintf("Refspec '%s' not found", e.Name)
	case errors.Is(e, repo.ErrAmbiguous):
		return fmt.Sprintf("Refspec %s not unique", e.Name)
	case errors.Is(e, repo.ErrAliased):
		return fmt.Sprintf("Ref '%s' has an active alias: '%s'", e.Name, e.Other)
	case errors.Is(e, repo.ErrConflict):
		return fmt.Sprintf("Conflict: %s exists under %s when attempting write", strings.TrimPrefix(e.Other, e.Name+"/"), e.Name)
	case errors.Is(e, ostree.ErrMalformed):
		return "Invalid refspec " + e.Name
	}
	return ""
}
