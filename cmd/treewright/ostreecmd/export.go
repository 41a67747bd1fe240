package ostreecmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// tapeBlock is what archives that are not files are a multiple of.
const tapeBlock = 10240

func exportCommand() *command {
	c := newCommand("export", "COMMIT", "Write a commit's files as a tar archive")
	f := c.flags
	noXattrs := f.Bool("no-xattrs", false, "leave extended attributes out")
	subpath := f.String("subpath", "", "only what is in the folder `PATH` of the commit")
	prefix := f.String("prefix", "", "put `PATH` before all names")
	output := f.StringP("output", "o", "", "write to the file `PATH`, not to standard output")
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) == 0 {
			return usagef("A COMMIT argument is required")
		}
		sum, err := r.Resolve(e.args[0])
		if err != nil {
			return err
		}
		o := repo.ExportOptions{Subpath: *subpath, Prefix: *prefix, NoXattrs: *noXattrs, Pad: tapeBlock}
		if *output == "" {
			return r.Export(ctx, sum, e.Out, o)
		}
		return exportTo(ctx, r, sum, *output, o)
	}
	return c
}

// exportTo writes an archive to a file, whole or not at all; to something else that is
// there, such as a FIFO, as it comes.
func exportTo(ctx context.Context, r *repo.Repo, sum ostree.Checksum, path string, o repo.ExportOptions) (err error) {
	name, flags := path, os.O_WRONLY
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && st.Mode().IsRegular() {
		o.Pad = 0
		flags |= os.O_CREATE | os.O_EXCL
		name = filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.tmp-%d", filepath.Base(path), os.Getpid()))
	}
	f, err := os.OpenFile(name, flags, 0o666)
	if err != nil {
		return fmt.Errorf("Failed to open '%s'", path)
	}
	defer func() {
		if err != nil && name != path {
			os.Remove(name)
		}
	}()
	w := bufio.NewWriterSize(f, 256<<10)
	err = r.Export(ctx, sum, w, o)
	if err == nil {
		err = w.Flush()
	}
	if err == nil && st != nil && name != path {
		err = f.Chmod(st.Mode())
	}
	if err := errors.Join(err, f.Close()); err != nil || name == path {
		return err
	}
	return os.Rename(name, path)
}
