package repo

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

// place is what is at a path of a tree.
type place struct {
	isFile     bool
	file       ostree.Checksum
	tree, meta ostree.Checksum
	name       string // the last component; empty: the root
}

// TreePathError tells that a path is not in a tree. It wraps [ostree.ErrNotFound], and
// [filetree.ErrNotDir] when something on the way is no folder.
type TreePathError struct {
	Path string // up to the first component that is not there, or is no folder
	Err  error
}

func (e *TreePathError) Error() string { return fmt.Sprintf("%s in the commit: %v", e.Path, e.Err) }

func (e *TreePathError) Unwrap() []error { return []error{e.Err, ostree.ErrNotFound} }

// lookup finds the file or folder at a path of a commit. Links are not followed, and
// "." and ".." are names like others, which nothing has.
func (r *Repo) lookup(commit *ostree.Commit, at string) (place, error) {
	return r.lookupNames(commit, splitPath(at))
}

func (r *Repo) lookupNames(commit *ostree.Commit, names []string) (place, error) {
	p := place{tree: commit.Root, meta: commit.RootMeta}
	for i, name := range names {
		if p.isFile {
			return p, &TreePathError{"/" + strings.Join(names[:i], "/"), filetree.ErrNotDir}
		}
		dt, err := r.readDirTree(p.tree)
		if err != nil {
			return p, err
		}
		if d, ok := dt.Dir(name); ok {
			p = place{tree: d.Tree, meta: d.Meta, name: name}
		} else if f, ok := dt.File(name); ok {
			p = place{isFile: true, file: f.Checksum, name: name}
		} else {
			return p, &TreePathError{"/" + strings.Join(names[:i+1], "/"), ostree.ErrNotFound}
		}
	}
	return p, nil
}

// splitPath splits a path of the tree into its components. As in ostree a slash at the
// end asks for a file without a name.
func splitPath(p string) []string {
	p = strings.TrimLeft(p, "/")
	if p == "" {
		return nil
	}
	var out []string
	names := strings.Split(p, "/")
	for i, name := range names {
		if name != "" || i == len(names)-1 {
			out = append(out, name)
		}
	}
	return out
}

// maxFollow is how many links lead from one to the next, as in Linux.
const maxFollow = 40

// ErrIsDir tells that a file was asked for and there is a folder.
var ErrIsDir = errors.New("is a folder")

// Follow finds the file at a path of a commit: the one there, or the one that a link
// there leads to, with the commit's root as that of all files.
//
// A path that is not there, or has a link in the place of a folder, is a
// [*TreePathError]; a folder is [ErrIsDir].
func (r *Repo) Follow(commit ostree.Checksum, at string) (ostree.Checksum, error) {
	c, err := r.ReadCommit(commit)
	if err != nil {
		return commit, err
	}
	f := follower{r: r, commit: c}
	names := splitPath(at)
	p, err := r.lookupNames(c, names)
	if err == nil && p.isFile {
		f.at = names[:len(names)-1]
		p, err = f.step(p, names)
	}
	for err == nil && len(f.todo) > 0 {
		p, err = f.next()
	}
	if err == nil && !p.isFile {
		err = ErrIsDir
	}
	return p.file, err
}

// follower walks through a tree, also by links.
type follower struct {
	r      *Repo
	commit *ostree.Commit
	at     []string // folders, none of which is a link
	todo   []string
	links  int
}

// next takes a step, and returns where it has led to.
func (f *follower) next() (place, error) {
	name := f.todo[0]
	f.todo = f.todo[1:]
	switch name {
	case "", ".":
		return f.r.lookupNames(f.commit, f.at)
	case "..":
		f.at = f.at[:max(0, len(f.at)-1)]
		return f.r.lookupNames(f.commit, f.at)
	}
	names := append(slices.Clip(f.at), name)
	p, err := f.r.lookupNames(f.commit, names)
	if err != nil {
		return p, err
	}
	if !p.isFile {
		f.at = names
		return p, nil
	}
	return f.step(p, names)
}

// step handles a file: a link says where to go on.
func (f *follower) step(p place, names []string) (place, error) {
	h, err := f.r.StatFile(p.file)
	if err != nil {
		return p, err
	}
	at := "/" + strings.Join(names, "/")
	if !h.IsLink() {
		if len(f.todo) > 0 {
			err = &TreePathError{at, filetree.ErrNotDir}
		}
		return p, err
	}
	if f.links++; f.links > maxFollow {
		return p, fmt.Errorf("%s in the commit: more than %d links: %w", at, maxFollow, ostree.ErrMalformed)
	}
	if strings.HasPrefix(h.Target, "/") {
		f.at = nil
	}
	f.todo = append(strings.Split(h.Target, "/"), f.todo...)
	return p, nil
}
