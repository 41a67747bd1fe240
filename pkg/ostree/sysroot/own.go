package sysroot

import (
	"path"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
)

// OwnFiles calls fn for all files of the layout that are not content of the commit, with
// the path that each has on the running host: /etc, /var, /boot, and what is around the
// deployment. fn may change owner, mode and attributes.
func (l *Layout) OwnFiles(fn func(path string, n *filetree.Node) error) error {
	stateroot := path.Dir(path.Dir(l.Deployment))
	err := l.Root.Walk(func(p string, n *filetree.Node) error {
		switch {
		case p == l.Deployment:
			return filetree.SkipDir
		case p == stateroot+"/var", strings.HasPrefix(p, stateroot+"/var/"):
			p = p[len(stateroot)+1:]
		case strings.HasPrefix(p, "ostree/repo/objects/") && strings.HasSuffix(p, ".file"):
			return nil
		}
		return fn("/"+p, n)
	})
	if err != nil {
		return err
	}
	if etc := l.DeploymentRoot.Child("etc"); etc != nil {
		if err := walkBelow("/etc", etc, fn); err != nil {
			return err
		}
	}
	return walkBelow("/boot", l.Boot, fn)
}

func walkBelow(at string, root *filetree.Node, fn func(string, *filetree.Node) error) error {
	return root.Walk(func(p string, n *filetree.Node) error { return fn(path.Join(at, p), n) })
}
