package selinux

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
)

// Xattr is the extended attribute that has a file's label.
const Xattr = "security.selinux"

// ErrUnlabelled is wrapped when a policy says nothing of a file.
var ErrUnlabelled = errors.New("the SELinux policy says nothing of it")

// Value is the attribute's value for a label: it ends in a NUL.
func Value(label string) []byte { return append([]byte(label), 0) }

// PathForLabel is the path that the label of a file at p, which has a leading slash, is
// asked for. With etc set that of /usr/etc is asked for as /etc: what is there comes to
// be there.
func PathForLabel(p string, etc bool) string {
	if rest, ok := strings.CutPrefix(p, "/usr/etc"); etc && ok && (rest == "" || rest[0] == '/') {
		return "/etc" + rest
	}
	return p
}

// TreeOptions tells how [Policy.LabelTree] labels.
type TreeOptions struct {
	Path   string // of the tree's root; empty: "/"
	UsrEtc bool   // /usr/etc is labelled as /etc
}

// LabelTree gives everything in a tree its label; what was there goes. Other names of a
// file become files of their own, since labels go by names.
//
// A file for which the policy has <<none>> has no label then. The error wraps
// [ErrUnlabelled] when no specification matches a file.
func (p *Policy) LabelTree(root *filetree.Node, o TreeOptions) error {
	l := &labeller{p, o, map[string][]byte{}}
	return l.node(path.Join("/", o.Path), root)
}

// LabelNode gives a node the label of the file at path; without one, it has none.
func (p *Policy) LabelNode(path string, n *filetree.Node) {
	if label, ok := p.Label(path, modeOf(n)); ok {
		n.SetXattr(Xattr, Value(label))
	} else {
		n.RemoveXattr(Xattr)
	}
}

type labeller struct {
	policy *Policy
	o      TreeOptions
	values map[string][]byte // one for all files with a label
}

func (l *labeller) node(at string, n *filetree.Node) error {
	label, matched := l.policy.find(PathForLabel(at, l.o.UsrEtc), modeOf(n))
	if !matched {
		return fmt.Errorf("%s: %w", at, ErrUnlabelled)
	}
	if label == "" {
		n.RemoveXattr(Xattr)
	} else {
		l.set(n, label)
	}
	for _, name := range n.Names() {
		c := n.Child(name)
		if c.Link != nil {
			own := *c.Link
			c = &own
			if err := n.Set(name, c); err != nil {
				return err
			}
		}
		if err := l.node(path.Join(at, name), c); err != nil {
			return err
		}
	}
	return nil
}

func (l *labeller) set(n *filetree.Node, label string) {
	v := l.values[label]
	if v == nil {
		v = Value(label)
		l.values[label] = v
	}
	n.SetXattr(Xattr, v)
}

// modeOf has the bits of st_mode that tell a node's type.
func modeOf(n *filetree.Node) uint32 {
	return map[filetree.Kind]uint32{
		filetree.Dir: 0o040000, filetree.File: 0o100000, filetree.Symlink: 0o120000, filetree.CharDevice: 0o020000,
		filetree.BlockDevice: 0o060000, filetree.FIFO: 0o010000, filetree.Socket: 0o140000,
	}[n.Kind]
}
