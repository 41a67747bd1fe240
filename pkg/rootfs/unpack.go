package rootfs

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/rpm"
)

// tmpfile is a line of tmpfiles.d.
type tmpfile struct{ kind, path, mode, user, group, target string }

func (t tmpfile) String() string {
	if t.kind == "L" {
		return fmt.Sprintf("L %s - - - - %s", t.path, t.target)
	}
	return fmt.Sprintf("%s %s %s %s %s - -", t.kind, t.path, t.mode, t.user, t.group)
}

// unpack places the files of all packages. The package filesystem comes first, so
// that its links, such as /bin, are there for the others.
func (a *assembly) unpack(packages []Package) error {
	order := make([]int, 0, len(packages))
	for i, p := range packages {
		if p.Name == "filesystem" {
			order = slices.Insert(order, 0, i)
		} else {
			order = append(order, i)
		}
	}
	for _, i := range order {
		if err := a.unpackOne(i, packages[i]); err != nil {
			return fmt.Errorf("package %s: %w", packages[i].NEVRA, err)
		}
	}
	return nil
}

func (a *assembly) unpackOne(index int, p Package) error {
	var drop []*regexp.Regexp
	for _, pattern := range a.o.RemoveFromPackages[p.Name] {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return fmt.Errorf("remove-from-packages: %w", err)
		}
		drop = append(drop, re)
	}
	for i, f := range p.Files {
		if f.Flags&rpm.FlagGhost != 0 || f.Path == "/" {
			continue
		}
		shown := f.Path
		if strings.HasPrefix(shown, "/etc/") {
			shown = "/usr" + shown
		}
		skip := !a.o.Documentation && f.Flags&rpm.FlagDoc != 0 && f.Flags&rpm.FlagLicense == 0 ||
			slices.ContainsFunc(drop, func(re *regexp.Regexp) bool { return re.MatchString(shown) })
		if skip {
			if f.Kind != filetree.Dir {
				a.notInstalled[index] = append(a.notInstalled[index], i)
			}
			continue
		}
		n, err := node(f, a.o.ReadonlyExecutables)
		if err != nil {
			return err
		}
		if n == nil {
			continue // a device
		}
		if p.From != nil {
			n.From = p.From[i]
		}
		if err := a.place(p, f, n); err != nil {
			return err
		}
	}
	return nil
}

// node is a package's file as a node without owner; nil for devices and the like.
func node(f rpm.File, readonly bool) (*filetree.Node, error) {
	n := &filetree.Node{Kind: f.Kind, Mode: f.Mode, Target: f.Target, Size: f.Size, Digest: f.Digest}
	switch f.Kind {
	case filetree.Dir:
		n.Mode |= 0o200 // so that one can work in it
	case filetree.Symlink:
		n.Mode = 0o777
	case filetree.File:
		if readonly && n.Mode&0o111 != 0 {
			n.Mode &^= 0o222
		}
	default:
		return nil, nil
	}
	caps, err := rpm.EncodeCaps(f.Caps)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	if caps != nil {
		n.SetXattr(rpm.CapabilityXattr, caps)
	}
	return n, nil
}

// place translates a path as rpm-ostree does and puts the node there.
func (a *assembly) place(p Package, f rpm.File, n *filetree.Node) error {
	under := func(dir string) bool { return f.Path == dir || strings.HasPrefix(f.Path, dir+"/") }
	switch {
	case strings.HasPrefix(f.Path, selinuxStore):
		f.Path = "/etc/selinux/" + f.Path[len(selinuxStore):]
	case under("/var"), under("/run"):
		a.variable(f)
		return nil
	case under("/usr/local") && (a.o.OptUsrLocal == "var" || a.o.OptUsrLocal == ""):
		return nil
	case under("/opt") && (a.o.OptUsrLocal == "var" || a.o.OptUsrLocal == ""):
		if f.Path == "/opt" {
			return nil
		}
		top, _, _ := strings.Cut(strings.TrimPrefix(f.Path, "/opt/"), "/")
		a.varLines = append(a.varLines, tmpfile{kind: "L", path: "/opt/" + top, target: "../../usr/lib/opt/" + top})
		f.Path = "/usr/lib" + f.Path
	case under("/usr"), under("/etc"), under("/boot"), under("/opt"):
	case slices.Contains([]string{"/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"}, "/"+strings.SplitN(f.Path[1:], "/", 2)[0]):
	case f.Kind == filetree.Dir, p.Name == "filesystem", p.Name == "rootfiles":
		return nil // the layout has its own
	default:
		return fmt.Errorf("%s: there is no place for it in the tree: files may be in /usr, /etc, /boot, /opt, /var", f.Path)
	}
	return a.set(p, f, n)
}

// variable turns what a package has in /var or /run into a tmpfiles.d line. Files are
// left out: the host's /var is its own.
func (a *assembly) variable(f rpm.File) {
	where := f.Path
	if rest, ok := strings.CutPrefix(where, "/var/run/"); ok {
		where = "/run/" + rest
	}
	if where == "/var" || where == "/run" || strings.HasPrefix(where, "/var/lib/rpm") || where == "/var/lib/selinux" {
		return
	}
	switch f.Kind {
	case filetree.Dir:
		a.varLines = append(a.varLines, tmpfile{kind: "d", path: where, mode: fmt.Sprintf("%04o", f.Mode), user: f.User, group: f.Group})
	case filetree.Symlink:
		a.varLines = append(a.varLines, tmpfile{kind: "L", path: where, target: f.Target})
	}
}

// set puts a node at a package's path, following links on the way.
func (a *assembly) set(p Package, f rpm.File, n *filetree.Node) error {
	dir, err := a.parent(path.Dir(f.Path))
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	name := path.Base(f.Path)
	old := dir.Child(name)
	if old != nil {
		keep, err := a.meet(p, f, old, n)
		if err != nil || keep {
			return err
		}
	}
	if err := dir.Set(name, n); err != nil {
		return err
	}
	a.origin[f.Path] = p.NEVRA
	a.owners[n] = owner{f.User, f.Group, p.NEVRA, f.Path}
	return nil
}

// parent returns the folder at p, making what is missing.
func (a *assembly) parent(p string) (*filetree.Node, error) {
	at, err := a.root.Resolve(p)
	if err != nil { // a folder on the way is missing
		up, err := a.parent(path.Dir(p))
		if err != nil {
			return nil, err
		}
		return a.child(up, path.Base(p))
	}
	n := a.root.Lookup(at)
	switch {
	case n == nil:
		up, err := a.parent("/" + path.Dir(at))
		if err != nil {
			return nil, err
		}
		return a.child(up, path.Base(at))
	case n.Kind != filetree.Dir:
		return nil, filetree.ErrNotDir
	}
	return n, nil
}

func (a *assembly) child(dir *filetree.Node, name string) (*filetree.Node, error) {
	n := dir.Child(name)
	if n == nil {
		n = filetree.NewDir(0o755)
		a.implicit[n] = true
		return n, dir.Set(name, n)
	}
	if n.Kind != filetree.Dir {
		return nil, filetree.ErrNotDir
	}
	return n, nil
}

// meet decides what happens where a path is taken already: keep tells that what is
// there stays.
func (a *assembly) meet(p Package, f rpm.File, old, n *filetree.Node) (keep bool, err error) {
	switch {
	case old.Kind == filetree.Dir && n.Kind == filetree.Dir:
		if a.implicit[old] {
			delete(a.implicit, old)
			old.Mode = n.Mode
			a.owners[old] = owner{f.User, f.Group, p.NEVRA, f.Path}
		}
		return true, nil
	case old.Kind == filetree.Dir && n.Kind == filetree.Symlink, old.Kind == filetree.Symlink && n.Kind == filetree.Dir:
		// A folder that another package has as a link, such as /usr/lib64/../lib: the
		// link stays when it leads to a folder.
		if old.Kind == filetree.Symlink {
			if at, err := a.root.Resolve(f.Path); err == nil {
				if to := a.root.Lookup(at); to != nil && to.Kind == filetree.Dir {
					return true, nil
				}
			}
		}
	case old.Kind == n.Kind && old.Target == n.Target && old.Size == n.Size && old.Digest == n.Digest && (old.Mode == n.Mode || n.Kind == filetree.Symlink):
		return true, nil
	case old.Kind == filetree.File && n.Kind == filetree.File && f.Color == 2:
		return false, nil // the 64-bit program wins
	case old.Kind == filetree.File && n.Kind == filetree.File && f.Color == 1:
		return true, nil
	}
	return false, fmt.Errorf("%s is also in %s, and differs: %w", f.Path, a.origin[f.Path], ErrConflict)
}
