package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/filetree"
)

// Change is a path that a program changed. Owners are the ids inside. Attributes other
// than mode and owner are not told.
type Change struct {
	Path    string // relative to the root
	Deleted bool
	Opaque  bool // of a folder: nothing that was in it before is there any more

	// Node is what is there now, nil when Deleted; of a folder without what is in it.
	// Content is read from the overlay, and file capabilities are the only attribute.
	Node *filetree.Node
}

// The folders of an overlay, and the mark of a folder that hides what is below it.
const (
	upperDir    = "upper"
	workDir     = "work"
	opaqueXattr = "user.overlay.opaque"
)

// mountOverlay mounts root with overlay above it in the place of root.
func mountOverlay(root, overlay string) error {
	var fds []any
	for _, dir := range []string{root, filepath.Join(overlay, upperDir), filepath.Join(overlay, workDir)} {
		if dir != root {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return stage(stageOverlay, err)
			}
		}
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return stage(stageOverlay, &os.PathError{Op: "open", Path: dir, Err: err})
		}
		defer unix.Close(fd)
		fds = append(fds, fdPath(fd)) // a name could have a colon or a comma
	}
	return stage(stageOverlay, unix.Mount("overlay", root, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,userxattr", fds...)))
}

// Changes lists what programs changed that ran with this [Options].Overlay, by path, a
// folder before what is in it. A folder is listed, too, when only something in it
// changed. Sockets and the like are left out. No program should run with this overlay
// afterwards: all in it belongs to root then, and see [Walk].
func Changes(ctx context.Context, overlay string) ([]Change, error) {
	upper := filepath.Join(overlay, upperDir)
	if _, err := os.Lstat(upper); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing ran
	}
	return Contents(ctx, upper)
}

// Contents lists all that is below a folder in which programs ran without an overlay,
// as [Changes] does.
func Contents(ctx context.Context, dir string) ([]Change, error) {
	given, err := owners(ctx, dir)
	if err != nil {
		return nil, err
	}
	var out []Change
	err = Walk(dir, func(p string, st *unix.Stat_t) error {
		c := Change{Path: p}
		full := filepath.Join(dir, p)
		if st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0 {
			c.Deleted = true
			out = append(out, c)
			return nil
		}
		n, err := ReadNode(full)
		if err != nil || n == nil {
			return err
		}
		if o, ok := given[p]; ok {
			n.UID, n.GID, n.Mode = o.UID, o.GID, o.Mode
		}
		c.Node, c.Opaque = n, n.Kind == filetree.Dir && isOpaque(full)
		out = append(out, c)
		return nil
	})
	return out, err
}

func isOpaque(full string) bool {
	var b [1]byte
	n, err := unix.Lgetxattr(full, opaqueXattr, b[:])
	return err == nil && n == 1 && b[0] == 'y'
}
