package ostreecmd

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/pull"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// revError is a word that should be a checksum.
type revError struct{ rev string }

func (e *revError) Error() string { return "Invalid rev " + e.rev }

// refNameError is a word that cannot be a ref.
type refNameError struct{ name string }

func (e *refNameError) Error() string { return "Invalid ref name " + e.name }

// pullSentence has the words for what keeps commits from being moved.
func pullSentence(err error) string {
	var ref *pull.RefError
	var rev *pull.RevError
	var bound *ostree.BindingError
	var older *pull.OlderError
	var sum *repo.MismatchError
	var mode *repo.ModeError
	var size *pull.SizeError
	var object *repo.ObjectError
	var name *ostree.NameError
	var none *pull.NoDeltaError
	switch {
	case errors.As(err, &none):
		return fmt.Sprintf("Static deltas required, but none found for %s to %s", none.Ref, none.To)
	case errors.As(err, &object) && errors.As(err, &name):
		return fmt.Sprintf("%s: %s", object.Object, fileNameSentence(name.Name))
	case errors.As(err, &ref) && ref.Summary && ref.Ref.Collection != "":
		return fmt.Sprintf("No such branch %s in repository summary", ref.Ref)
	case errors.As(err, &ref) && ref.Summary:
		return fmt.Sprintf("No such branch '%s' in repository summary", ref.Ref.Name)
	case errors.As(err, &ref):
		return fmt.Sprintf("Refspec '%s' not found", ref.Ref.Name)
	case errors.As(err, &rev):
		return fmt.Sprintf("Fetching checksum for ref (%s, %s): Invalid rev %s", orEmpty(rev.Ref.Collection), rev.Ref.Name, printable(rev.Rev))
	case errors.As(err, &bound):
		return fmt.Sprintf("Commit %s: %s", bound.Commit, bindingSentence(bound))
	case errors.As(err, &older):
		return fmt.Sprintf("Upgrade target revision '%s' with timestamp '%s' is chronologically older than current revision '%s' with timestamp '%s'",
			older.Commit, older.CommitTime.Format(time.RFC1123), older.Than, older.ThanTime.Format(time.RFC1123))
	case errors.As(err, &sum):
		return fmt.Sprintf("Corrupted %s object; checksum expected='%s' actual='%s'", sum.Object.Type, sum.Object.Checksum, sum.Actual)
	case errors.As(err, &mode):
		return fmt.Sprintf("Content object %s: invalid mode 0%04o with bits 0%02o", mode.Checksum, mode.Mode, mode.Bits())
	case errors.As(err, &size):
		return fmt.Sprintf("%s exceeded maximum size of %d bytes", size.Name, size.Limit)
	case errors.Is(err, pull.ErrNoDeltaList):
		return "Fetch configured to require static deltas, but no summary deltas or delta index found"
	case errors.Is(err, pull.ErrNoSummary):
		return "Fetching all refs was requested in mirror mode, but remote repository does not have a summary"
	}
	return ""
}

func fileNameSentence(name string) string {
	if strings.Contains(name, "/") {
		return "Invalid / in filename " + name
	}
	return "Invalid filename '" + name + "'"
}

func bindingSentence(e *ostree.BindingError) string {
	switch {
	case e.Ref != "" && e.Refs != nil:
		list := "no refs"
		if len(e.Refs) > 0 {
			list = "‘" + strings.Join(e.Refs, "’, ‘") + "’"
		}
		return fmt.Sprintf("Commit has no requested ref ‘%s’ in ref binding metadata (%s)", e.Ref, list)
	case e.Ref != "":
		return "Expected commit metadata to have ref binding information, found none"
	case e.Bound == "":
		return "Expected commit metadata to have collection ID binding information, found none"
	}
	return fmt.Sprintf("Commit has collection ID ‘%s’ in collection binding metadata, while the remote it came from has collection ID ‘%s’", e.Bound, e.Collection)
}

func orEmpty(s string) string {
	if s == "" {
		return "(empty)"
	}
	return s
}

// printable is the beginning of what stands in the place of a checksum, without
// characters that a terminal would obey.
func printable(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, s)
}

// cutLast is strings.Cut at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
