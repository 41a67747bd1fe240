package ostreecmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// lsOptions are the flags of ls that say what is printed of a file.
type lsOptions struct{ checksum, xattrs, names *bool }

func lsCommand() *command {
	c := newCommand("ls", "COMMIT [PATH...]", "List files of a commit")
	f := c.flags
	dirOnly := f.BoolP("dironly", "d", false, "list folders themselves, not what is in them")
	recursive := f.BoolP("recursive", "R", false, "also what is in folders")
	o := lsOptions{
		checksum: f.BoolP("checksum", "C", false, "print checksums of objects"),
		xattrs:   f.BoolP("xattrs", "X", false, "print extended attributes"),
		names:    f.Bool("nul-filenames-only", false, "print only paths, each with a NUL at its end"),
	}
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) == 0 {
			return usagef("An COMMIT argument is required")
		}
		sum, err := r.Resolve(e.args[0])
		if err != nil {
			return err
		}
		paths := e.args[1:]
		if len(paths) == 0 {
			paths = []string{"/"}
		}
		for _, at := range paths {
			opts := repo.LsOptions{Path: at, Recursive: *recursive, DirOnly: *dirOnly, NamesOnly: *o.names}
			if at == "" {
				return errors.New("Inspecting path '': No such file or directory: /")
			}
			var missing *repo.TreePathError
			err := r.Ls(ctx, sum, opts, func(l repo.LsEntry) error { return e.listOne(l, o) })
			if errors.As(err, &missing) {
				return fmt.Errorf("Inspecting path '%s': %s", at, sentence(err))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

// listOne prints a file, link or folder.
func (e *env) listOne(l repo.LsEntry, o lsOptions) error {
	if *o.names {
		e.printf("%s\x00", l.Path)
		return nil
	}
	n, kind, target := l.Node, '-', ""
	switch n.Kind {
	case filetree.Dir:
		kind = 'd'
	case filetree.Symlink:
		kind, target = 'l', " -> "+n.Target
	}
	e.printf("%c%05o %d %d %6d ", kind, n.Mode, n.UID, n.GID, n.Size)
	if *o.checksum {
		e.printf("%s ", l.Checksum)
		if n.Kind == filetree.Dir {
			e.printf("%s ", l.Meta)
		}
	}
	if *o.xattrs {
		text, err := xattrText(n.Xattrs)
		if err != nil {
			return err
		}
		e.printf("{ %s } ", text)
	}
	e.printf("%s%s\n", l.Path, target)
	return nil
}

// xattrText is a list of attributes as the text of a GVariant.
func xattrText(list []filetree.Xattr) (string, error) {
	out := []any{}
	for _, x := range list {
		out = append(out, gvariant.Tuple{[]byte(x.Name + "\x00"), x.Value})
	}
	return gvariant.Variant{Type: "a(ayay)", Value: out}.Text(true)
}
