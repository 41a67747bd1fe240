package ostreecmd

import (
	"errors"
	"fmt"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// fsckSentence is about refs that a fsck finds fault with.
func fsckSentence(err error) string {
	var ref *repo.FsckRefError
	var bound *ostree.BindingError
	var back *repo.BackRefError
	switch {
	case errors.As(err, &ref) && errors.As(ref.Err, &bound):
		return ""
	case errors.As(err, &ref):
		return fmt.Sprintf("Loading commit for ref %s: %s", ref.Ref, sentence(ref.Err))
	case !errors.As(err, &back):
		return ""
	}
	name := "Ref ‘" + back.Ref.Name + "’"
	if back.Ref.Collection != "" {
		name = "Collection–ref " + back.Ref.String()
	}
	if back.Missing {
		return fmt.Sprintf("%s in bindings for commit %s does not exist", name, back.Commit)
	}
	return fmt.Sprintf("%s in bindings for commit %s does not resolve to that commit", name, back.Commit)
}
