package ostreecmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

func lsCommand() *command {
	c := newCommand("ls", "COMMIT [PATH...]", "List files of a commit")
	recursive := c.flags.BoolP("recursive", "R", false, "also what is in folders")
	c.run = func(ctx context.Context, e *env) error {
		r, sum, err := e.commit()
		if err != nil {
			return err
		}
		root, err := r.ReadTree(ctx, sum)
		if err != nil {
			return err
		}
		paths := e.args[1:]
		if len(paths) == 0 {
			paths = []string{"/"}
		}
		for _, at := range paths {
			if err := e.list(root, strings.Trim(at, "/"), *recursive); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

func (e *env) list(root *filetree.Node, at string, recursive bool) error {
	top := root.Lookup(at)
	if top == nil {
		return fmt.Errorf("/%s in the commit: %w", at, ostree.ErrNotFound)
	}
	return top.Walk(func(p string, n *filetree.Node) error {
		e.listOne("/"+strings.Trim(at+"/"+p, "/"), n)
		if n.Kind == filetree.Dir && p != "" && !recursive {
			return filetree.SkipDir
		}
		return nil
	})
}

func (e *env) listOne(path string, n *filetree.Node) {
	kind, link := byte('-'), ""
	switch n.Kind {
	case filetree.Dir:
		kind = 'd'
	case filetree.Symlink:
		kind, link = 'l', " -> "+n.Target
	}
	e.printf("%c%05o %d %d %6d %s%s\n", kind, n.Mode, n.UID, n.GID, n.Size, path, link)
}
