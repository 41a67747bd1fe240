package source

import "github.com/treewright/treewright/pkg/filetree"

// A KernelError tells why there is not the one kernel of a bootable tree.
type KernelError struct {
	Missing string // the folder that is not there
	Many    bool   // more than one kernel
}

func (e *KernelError) Error() string {
	switch {
	case e.Missing != "":
		return e.Missing + " is missing in the tree"
	case e.Many:
		return "more than one kernel in /usr/lib/modules"
	}
	return "no kernel in /usr/lib/modules"
}

// Kernel is the version of the tree's kernel: the name of the folder in
// /usr/lib/modules that has a vmlinuz. The error is a [*KernelError].
func (t *Tree) Kernel() (string, error) {
	dir, at := t.root, ""
	for _, name := range []string{"usr", "lib", "modules"} {
		at += "/" + name
		if err := t.expand(dir); err != nil {
			return "", err
		}
		if dir = dir.Child(name); dir == nil || dir.Kind != filetree.Dir {
			return "", &KernelError{Missing: at}
		}
	}
	if err := t.expand(dir); err != nil {
		return "", err
	}
	var found []string
	for _, version := range dir.Names() {
		n := dir.Child(version)
		if err := t.expand(n); err != nil {
			return "", err
		}
		if k := n.Child("vmlinuz"); k != nil && k.Kind == filetree.File {
			found = append(found, version)
		}
	}
	if len(found) != 1 {
		return "", &KernelError{Many: len(found) > 1}
	}
	return found[0], nil
}
