// Package filetree holds a file tree in memory: names, owners, modes, extended
// attributes and link targets. File content stays where it is and is named by a
// [segment.Source] and a digest, so that a tree of 100,000 files can be put
// together, compared and changed without moving any content.
package filetree

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/segment"
)

// Errors that a caller can tell apart.
var (
	ErrNotFound = errors.New("not found")
	ErrNotDir   = errors.New("not a directory")
)

// Kind is the type of a node.
type Kind uint8

// The kinds. Only the first three can stand in an OSTree commit.
const (
	Dir Kind = iota
	File
	Symlink
	CharDevice
	BlockDevice
	FIFO
	Socket
)

// Xattr is an extended attribute: the name without a NUL, the value as it is.
type Xattr struct {
	Name  string
	Value []byte
}

// Node is a file, folder or link. The zero Node is an empty folder of mode 0000.
type Node struct {
	Kind     Kind
	Mode     uint32 // permission bits with setuid, setgid, sticky: 0o7777
	UID, GID uint32
	Xattrs   []Xattr // sorted by name, no name twice
	ModTime  int64   // seconds since 1970 UTC; 0 in OSTree content
	Target   string  // of a Symlink
	Rdev     uint32  // major<<8 | minor, of a device

	// Of a File.
	Size   int64
	Digest digest.Digest  // of the content; zero when nobody computed it
	From   segment.Source // where the content is; nil only when Size is 0

	// Link, when not nil, makes this another name of that File: one inode. All
	// other fields are then ignored. Link.Link is nil.
	Link *Node

	children map[string]*Node
}

// Bytes returns a File node with content b, mode, and root as its owner.
func Bytes(b []byte, mode uint32) *Node {
	return &Node{Kind: File, Mode: mode, Size: int64(len(b)), Digest: digest.Sum(b), From: segment.Bytes(b)}
}

// NewDir returns an empty folder.
func NewDir(mode uint32) *Node { return &Node{Kind: Dir, Mode: mode} }

// NewSymlink returns a link to target.
func NewSymlink(target string) *Node { return &Node{Kind: Symlink, Mode: 0o777, Target: target} }

// Names returns the names in a folder, sorted by bytes.
func (n *Node) Names() []string { return slices.Sorted(maps.Keys(n.children)) }

// Len is the number of entries of a folder.
func (n *Node) Len() int { return len(n.children) }

// Child returns the entry called name, or nil.
func (n *Node) Child(name string) *Node { return n.children[name] }

// Set puts c into the folder n as name, in the place of what was there. name is one
// component: not empty, not "." or "..", without "/" and NUL.
func (n *Node) Set(name string, c *Node) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("file name %q is not allowed", name)
	}
	if n.Kind != Dir {
		return fmt.Errorf("%s: %w", name, ErrNotDir)
	}
	if n.children == nil {
		n.children = map[string]*Node{}
	}
	n.children[name] = c
	return nil
}

// Delete takes name, with all that is below it, out of the folder n.
func (n *Node) Delete(name string) { delete(n.children, name) }

// Xattr returns the value of an extended attribute.
func (n *Node) Xattr(name string) ([]byte, bool) {
	i, ok := slices.BinarySearchFunc(n.Xattrs, name, func(x Xattr, s string) int { return strings.Compare(x.Name, s) })
	if !ok {
		return nil, false
	}
	return n.Xattrs[i].Value, true
}

// SetXattr adds or replaces an extended attribute.
func (n *Node) SetXattr(name string, value []byte) {
	i, ok := slices.BinarySearchFunc(n.Xattrs, name, func(x Xattr, s string) int { return strings.Compare(x.Name, s) })
	if ok {
		n.Xattrs = slices.Clone(n.Xattrs)
		n.Xattrs[i].Value = value
		return
	}
	n.Xattrs = slices.Insert(slices.Clone(n.Xattrs), i, Xattr{name, value})
}

// RemoveXattr takes an extended attribute away.
func (n *Node) RemoveXattr(name string) {
	n.Xattrs = slices.DeleteFunc(slices.Clone(n.Xattrs), func(x Xattr) bool { return x.Name == name })
}

// Clone returns a copy of n and of all below it. Content and attribute values are
// shared; a Link within the tree keeps pointing at the original.
func (n *Node) Clone() *Node {
	c := *n
	if n.children != nil {
		c.children = make(map[string]*Node, len(n.children))
		for k, v := range n.children {
			c.children[k] = v.Clone()
		}
	}
	return &c
}

func split(p string) []string {
	p = strings.Trim(path.Clean("/"+p), "/")
	if p == "" {
		return nil
	}
	return strings.Split(p, "/")
}

// Lookup returns the node at path p below n, or nil. Slashes around p do not
// matter, and links are not followed.
func (n *Node) Lookup(p string) *Node {
	for _, c := range split(p) {
		if n == nil {
			return nil
		}
		n = n.children[c]
	}
	return n
}

// maxLinks is how many symbolic links Resolve follows, as Linux.
const maxLinks = 40

// Resolve returns the path below n that p leads to when links are followed, also
// through the last component, with n as "/". The last component may be missing.
// The error is [ErrNotFound] when a folder on the way is missing, [ErrNotDir]
// when it is none.
func (n *Node) Resolve(p string) (string, error) {
	todo := split(p)
	var at []string
	for links := 0; len(todo) > 0; {
		c := todo[0]
		todo = todo[1:]
		if c == ".." {
			at = at[:max(0, len(at)-1)]
			continue
		}
		dir := n.Lookup(strings.Join(at, "/"))
		if dir == nil {
			return "", fmt.Errorf("%s: %w", p, ErrNotFound)
		}
		if dir.Kind != Dir {
			return "", fmt.Errorf("%s: /%s: %w", p, strings.Join(at, "/"), ErrNotDir)
		}
		child := dir.Child(c)
		if child == nil || child.Kind != Symlink {
			at = append(at, c)
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: too many symbolic links", p)
		}
		if strings.HasPrefix(child.Target, "/") {
			at = nil
		}
		todo = append(splitTarget(child.Target), todo...)
	}
	return strings.Join(at, "/"), nil
}

// splitTarget keeps "..", which path.Clean would resolve without the tree.
func splitTarget(t string) (out []string) {
	for _, c := range strings.Split(t, "/") {
		if c != "" && c != "." {
			out = append(out, c)
		}
	}
	return out
}

// MkdirAll returns the folder at p, making it and missing parents with mode and
// root as owner. Links are not followed: a component that is not a folder is an
// error.
func (n *Node) MkdirAll(p string, mode uint32) (*Node, error) {
	for _, c := range split(p) {
		next := n.children[c]
		if next == nil {
			next = NewDir(mode)
			if err := n.Set(c, next); err != nil {
				return nil, err
			}
		}
		if next.Kind != Dir {
			return nil, fmt.Errorf("%s: %s: %w", p, c, ErrNotDir)
		}
		n = next
	}
	return n, nil
}

// Put places c at p, in the place of what was there; missing parents are made
// with mode 0755.
func (n *Node) Put(p string, c *Node) error {
	dir, err := n.MkdirAll(path.Dir("/"+p), 0o755)
	if err != nil {
		return err
	}
	return dir.Set(path.Base("/"+p), c)
}

// Remove takes the node at p, with all below it, out of the tree and returns it;
// nil when it is not there.
func (n *Node) Remove(p string) *Node {
	dir := n.Lookup(path.Dir("/" + p))
	if dir == nil {
		return nil
	}
	name := path.Base("/" + p)
	c := dir.children[name]
	delete(dir.children, name)
	return c
}

// Move renames from to to; what was at to is replaced. The error is [ErrNotFound]
// when there is nothing at from.
func (n *Node) Move(from, to string) error {
	c := n.Remove(from)
	if c == nil {
		return fmt.Errorf("%s: %w", from, ErrNotFound)
	}
	return n.Put(to, c)
}

// SkipDir as the result of a Walk function leaves out what is below the folder.
var SkipDir = errors.New("skip this folder")

// Walk calls fn for n itself, with path "", and then for all below it, names in
// byte order, a folder before what it holds. Paths have no leading slash. fn may
// change the folder it is called with.
func (n *Node) Walk(fn func(p string, n *Node) error) error { return walk("", n, fn) }

func walk(p string, n *Node, fn func(string, *Node) error) error {
	if err := fn(p, n); err != nil {
		if errors.Is(err, SkipDir) && n.Kind == Dir {
			return nil
		}
		return err
	}
	for _, name := range n.Names() {
		c := n.children[name]
		if c == nil {
			continue // taken out by fn
		}
		if err := walk(path.Join(p, name), c, fn); err != nil {
			return err
		}
	}
	return nil
}
