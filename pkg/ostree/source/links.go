package source

import (
	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// Links make files in folders known that are hard links to objects of a repository, as
// a checkout makes them.
type Links struct {
	Repo   *repo.Repo
	Inodes map[repo.Inode]ostree.Checksum // of [repo.Repo.Inodes]

	// Unchanged takes such a file for the object as it is. Otherwise it has the object's
	// owner, mode and attributes, to which the changes apply.
	Unchanged bool
}

// UseLinks makes folders that are read from here on use l.
func (t *Tree) UseLinks(l Links) { t.links = &l }

// Hits is how many files were known by their links.
func (t *Tree) Hits() int { return t.hits }

// linked returns the node of a file that is a link to an object. ok is false when it is
// none; the node is nil when the file is left out.
func (f *folderReader) linked(file, at string, st *unix.Stat_t) (n *filetree.Node, ok bool, err error) {
	l := f.t.links
	if l == nil || st.Nlink < 2 || st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return nil, false, nil
	}
	c, ok := l.Inodes[repo.Inode{Dev: uint64(st.Dev), Ino: st.Ino}]
	if !ok {
		return nil, false, nil
	}
	if l.Unchanged {
		n = &filetree.Node{Kind: filetree.File}
		keep, err := f.apply(at, &filetree.Node{Kind: filetree.File})
		if err != nil || !keep {
			return nil, true, err
		}
		return f.hit(n, c), true, nil
	}
	h, err := l.Repo.StatFile(c)
	if err != nil {
		return nil, true, err
	}
	n = h.Node()
	if n.Kind == filetree.File {
		n.From = onDisk(file)
	}
	keep, err := f.apply(at, n)
	if err != nil || !keep {
		return nil, true, err
	}
	if now, err := ostree.FileOf(n); err == nil && now.Equal(h) {
		f.hit(n, c)
	}
	return n, true, nil
}

func (f *folderReader) hit(n *filetree.Node, c ostree.Checksum) *filetree.Node {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.t.objects[n] = c
	f.t.hits++
	return n
}
