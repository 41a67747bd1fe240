package ostreecmd

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/treewright/treewright/pkg/keyfile"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

func configSentence(err error) string {
	var bad *keyfile.LineError
	switch {
	case !errors.As(err, &bad):
		return ""
	case bad.Early:
		return "opening repo: Couldn't parse config file: Key file does not start with a group"
	}
	return fmt.Sprintf("opening repo: Couldn't parse config file: Key file contains line “%s” which is not a key-value pair, group, or comment", bad.Text)
}

func remoteSentence(err error) string {
	var e *repo.RemoteError
	if !errors.As(err, &e) {
		return ""
	}
	switch {
	case errors.Is(e, fs.ErrExist):
		return fmt.Sprintf("Remote configuration for %q already exists: %s", e.Name, e.File)
	case errors.Is(e, ostree.ErrNotFound) && e.Key != "":
		return fmt.Sprintf("No %q option in remote %q", e.Key, e.Name)
	case errors.Is(e, ostree.ErrNotFound):
		return fmt.Sprintf("Remote %q not found", e.Name)
	case errors.Is(e, ostree.ErrMalformed) && e.Key == "":
		return "Invalid remote name " + e.Name
	}
	return ""
}

// isMissingRemote tells whether an error says that there is no remote of a name.
func isMissingRemote(err error) bool {
	var e *repo.RemoteError
	return errors.As(err, &e) && e.Key == "" && errors.Is(e, ostree.ErrNotFound)
}
