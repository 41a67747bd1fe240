package composer

import (
	"errors"
	"fmt"

	"github.com/treewright/treewright/pkg/disk"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree/sysroot"
	"github.com/treewright/treewright/pkg/selinux"
	"github.com/treewright/treewright/pkg/treefile"
)

// label gives everything in the tree the label that the tree's own SELinux policy has
// for it.
func label(t *treefile.Treefile, root *filetree.Node) error {
	if !t.Selinux {
		return nil
	}
	p, err := selinux.Load(filetree.FS(root))
	if errors.Is(err, selinux.ErrNoPolicy) {
		return &hintError{fmt.Errorf("selinux: in the tree %w", err), "add a policy to the packages, such as selinux-policy-targeted, or set selinux: false in the treefile"}
	}
	if err != nil {
		return fmt.Errorf("selinux: %w", err)
	}
	if err := p.LabelTree(root, selinux.TreeOptions{UsrEtc: t.SelinuxLabelVersion == 1}); err != nil {
		return fmt.Errorf("selinux: policy %s: %w", p.Name, err)
	}
	return nil
}

// labelHost labels what a host has beside its commit, if the commit has labels. It
// comes last, when nothing is put on the disk any more.
func labelHost(tree *filetree.Node, l *sysroot.Layout, spec *disk.Spec) error {
	if _, ok := tree.Xattr(selinux.Xattr); !ok {
		return nil
	}
	p, err := selinux.Load(filetree.FS(tree))
	if err != nil {
		return fmt.Errorf("labels of the image: %w", err)
	}
	lost := filetree.NewDir(0o700)
	p.LabelNode("/lost+found", lost)
	spec.LostFound = lost.Xattrs
	return l.OwnFiles(func(path string, n *filetree.Node) error {
		p.LabelNode(path, n)
		return nil
	})
}
