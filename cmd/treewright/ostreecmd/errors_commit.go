package ostreecmd

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree/source"
)

// commitSentence has the words for what keeps trees from being committed.
func commitSentence(err error) string {
	var replace *source.ReplaceError
	var kind *source.KindError
	var open *source.OpenError
	var left *source.UnmatchedError
	var name *source.NameError
	switch {
	case errors.As(err, &name):
		return "Invalid UTF-8 in filename " + name.Name
	case archiveSentence(err) != "":
		return archiveSentence(err)
	case errors.As(err, &replace) && replace.Folder:
		return "Can't replace file with directory: " + replace.Name
	case errors.As(err, &replace):
		return "Can't replace directory with file: " + replace.Name
	case errors.As(err, &kind):
		return "Not a regular file or symlink: " + path.Base(kind.Path)
	case errors.As(err, &open):
		return fmt.Sprintf("opendir(%s): %s", open.Path, strerror(open.Err))
	case errors.As(err, &left):
		return "Unmatched " + left.What + " paths"
	case errors.Is(err, source.ErrNoSpace):
		return "Malformed statoverride file (no space found)"
	case errors.Is(err, source.ErrEmpty):
		return "Can't commit an empty tree"
	}
	return kernelSentence(err)
}

// printUnmatched lists the paths of an [*source.UnmatchedError].
func (e *env) printUnmatched(err error) {
	var left *source.UnmatchedError
	if errors.As(err, &left) {
		for _, p := range left.Paths {
			fmt.Fprintf(e.Err, "Unmatched %s path: %s\n", left.What, p)
		}
	}
}

// archiveSentence has the words for what is wrong with an archive.
func archiveSentence(err error) string {
	var at *source.PathError
	var missing *source.MissingError
	switch {
	case errors.As(err, &at) && at.Why == "type":
		return fmt.Sprintf("Unsupported file type for path %q", at.Path)
	case errors.As(err, &at):
		return fmt.Sprintf("While making relative path \"%s\":Invalid uplink '..' in path %s", at.Path, at.Path)
	case errors.As(err, &missing) && missing.Link != "":
		return fmt.Sprintf("ostree-tar: Processing deferred hardlink %s: Failed to find object: No such file or directory: %s", missing.Link, missing.Name)
	case errors.As(err, &missing):
		return "No such file or directory: " + missing.Name
	case errors.Is(err, source.ErrFormat):
		return "archive_read_open_filename: Unrecognized archive format"
	case errors.Is(err, source.ErrTruncated):
		return "Truncated tar archive"
	}
	return ""
}

func kernelSentence(err error) string {
	var e *source.KernelError
	switch {
	case !errors.As(err, &e):
		return ""
	case e.Missing != "":
		return "No such file or directory: " + e.Missing
	case e.Many:
		return "Multiple kernels found in /usr/lib/modules"
	}
	return "No kernel found in /usr/lib/modules"
}

// strerror is an error of the system in the words of the C library.
func strerror(err error) string {
	var no unix.Errno
	if !errors.As(err, &no) {
		return err.Error()
	}
	s := no.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}
