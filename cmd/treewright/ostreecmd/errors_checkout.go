package ostreecmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// checkoutSentence is about writing a tree to disk, and about paths in trees.
func checkoutSentence(err error) string {
	var missing *repo.TreePathError
	var mode *repo.LinkModeError
	var device *repo.DifferentDeviceError
	var failed *repo.CheckoutError
	var file *fs.PathError
	switch {
	case errors.As(err, &missing) && errors.Is(err, filetree.ErrNotDir):
		return "Not a directory"
	case errors.As(err, &missing):
		return "No such file or directory: " + missing.Path
	case errors.As(err, &mode):
		return linkModeSentence(mode)
	case errors.As(err, &device) && device.Field == "xattrs":
		return fmt.Sprintf("existing destination file %s xattrs don't match", device.Name)
	case errors.As(err, &device):
		return fmt.Sprintf("existing destination file %s does not match %s %s", device.Name, device.Field, device.Want)
	case errors.Is(err, repo.ErrEmptyWhiteout):
		return "Invalid empty whiteout ''"
	case errors.As(err, &failed):
		return stepSentence(failed)
	case errors.As(err, &file) && file.Op == "mkdirat":
		return "mkdirat: " + strerror(file.Err)
	}
	return ""
}

func linkModeSentence(e *repo.LinkModeError) string {
	if e.Mode == ostree.ModeBareUser {
		return "User repository mode requires user checkout mode to hardlink"
	}
	return "Bare repository mode cannot hardlink in user checkout mode"
}

func stepSentence(e *repo.CheckoutError) string {
	sum := e.Object.String()
	switch e.Step {
	case repo.StepMkdir:
		return "mkdirat: " + strerror(e.Err)
	case repo.StepOpenDir:
		return fmt.Sprintf("opendir(%s): %s", e.Name, strerror(e.Err))
	case repo.StepLink:
		return fmt.Sprintf("Hardlinking %s/%s.file to %s: %s", sum[:2], sum[2:], e.Name, callSentence(e.Err))
	case repo.StepCopy:
		return fmt.Sprintf("Copy checkout of %s to %s: %s", sum, e.Name, callSentence(e.Err))
	case repo.StepUnpacked:
		return fmt.Sprintf("Using new cached uncompressed hardlink of %s to %s: %s", sum, e.Name, sentence(e.Err))
	case repo.StepReplace:
		return callSentence(e.Err)
	case repo.StepAcross:
		return "Unable to do hardlink checkout across devices " + e.Name
	case repo.StepDevice:
		return "Creating whiteout char device: " + callSentence(e.Err)
	}
	return ""
}

// callSentence is what a system call said.
func callSentence(err error) string {
	var file *fs.PathError
	var pair *os.LinkError
	var call *os.SyscallError
	switch {
	case errors.As(err, &pair):
		return fmt.Sprintf("%s(%s, %s): %s", pair.Op, pair.Old, pair.New, strerror(pair.Err))
	case errors.As(err, &file):
		return fmt.Sprintf("%s(%s): %s", file.Op, file.Path, strerror(file.Err))
	case errors.As(err, &call):
		return call.Syscall + ": " + strerror(call.Err)
	}
	return strerror(err)
}
