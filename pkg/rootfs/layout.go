package rootfs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
)

// merged are the links into /usr that stay as packages have them.
var merged = []string{"bin", "sbin", "lib", "lib64", "lib32", "libx32"}

// layout makes a new root around usr: links into /var for what is the host's own,
// /etc as usr/etc, empty mount points.
func (a *assembly) layout() error {
	old := a.root
	root := filetree.NewDir(0o755)
	a.root = root
	var errs []error
	put := func(name string, n *filetree.Node) { errs = append(errs, root.Put(name, n)) }
	usr := old.Child("usr")
	if usr == nil {
		usr = filetree.NewDir(0o755)
	}
	put("usr", usr)
	for _, name := range merged {
		if n := old.Child(name); n != nil {
			put(name, n)
		}
	}
	for _, name := range []string{"boot", "dev", "proc", "run", "sys", "sysroot", "var"} {
		put(name, filetree.NewDir(0o755))
	}
	for name, target := range map[string]string{
		"home": "var/home", "root": "var/roothome", "srv": "var/srv", "mnt": "var/mnt", "media": "run/media", "ostree": "sysroot/ostree",
	} {
		put(name, filetree.NewSymlink(target))
	}
	if a.o.TmpIsDir {
		put("tmp", filetree.NewDir(0o1777))
	} else {
		put("tmp", filetree.NewSymlink("sysroot/tmp"))
	}
	switch a.o.OptUsrLocal {
	case "", "var":
		put("opt", filetree.NewSymlink("var/opt"))
		put("usr/local", filetree.NewSymlink("../var/usrlocal"))
	case "root":
		put("opt", orDir(old.Child("opt")))
		put("usr/local", orDir(usr.Child("local")))
	default:
		put("opt", filetree.NewSymlink("usr/lib/opt"))
		put("usr/local", orDir(usr.Child("local")))
		for _, unit := range stateOverlays {
			put(unitDir+"/local-fs.target.requires/"+unit, filetree.NewSymlink("../"+unit))
		}
	}
	if etc := old.Child("etc"); etc != nil {
		for _, name := range []string{"passwd-", "group-", "shadow-", "gshadow-", "subuid-", "subgid-", ".pwd.lock", "resolv.conf"} {
			etc.Delete(name)
		}
		put("usr/etc", etc)
	}
	return errors.Join(errs...)
}

// stateOverlays are ostree's units that let /opt and /usr/local be written to.
var stateOverlays = []string{"ostree-state-overlay@usr-lib-opt.service", "ostree-state-overlay@usr-local.service"}

func orDir(n *filetree.Node) *filetree.Node {
	if n == nil || n.Kind != filetree.Dir {
		return filetree.NewDir(0o755)
	}
	return n
}

// integration writes the tmpfiles.d lines that make the targets of the root's links,
// and corrects where new users' homes are.
func (a *assembly) integration() error {
	lines := []string{"d /var/home 0755 root root -", "d /var/srv 0755 root root -", "d /var/mnt 0755 root root -",
		"d /run/media 0755 root root -", "d /var/roothome 0700 root root -"}
	if a.root.Lookup("usr/share/rpm") != nil {
		lines = append(lines, "L /var/lib/rpm - - - - ../../usr/share/rpm")
	}
	if a.root.Lookup("usr/etc/selinux") != nil {
		lines = append(lines, "L /var/lib/selinux - - - - ../../etc/selinux")
	}
	if a.o.OptUsrLocal == "state-overlay" {
		lines = append(lines, "L /var/usrlocal - - - - ../usr/local", "L /var/opt - - - - ../usr/lib/opt")
		return a.integrate(lines)
	}
	lines = append(lines, "d /var/opt 0755 root root -", "d /var/usrlocal 0755 root root -")
	for _, d := range []string{"bin", "etc", "games", "include", "lib", "sbin", "share", "src"} {
		lines = append(lines, "d /var/usrlocal/"+d+" 0755 root root -")
	}
	return a.integrate(lines)
}

func (a *assembly) integrate(lines []string) error {
	if err := a.put("usr/lib/tmpfiles.d/rpm-ostree-0-integration.conf", strings.Join(lines, "\n")+"\n", 0o644); err != nil {
		return err
	}
	b, err := a.read("usr/etc/default/useradd")
	if err != nil || b == nil {
		return err
	}
	out := strings.Split(string(b), "\n")
	for i, l := range out {
		if strings.HasPrefix(l, "HOME=") {
			out[i] = "HOME=/var/home"
		}
	}
	n := *a.root.Lookup("usr/etc/default/useradd")
	fresh := filetree.Bytes([]byte(strings.Join(out, "\n")), n.Mode)
	return a.root.Put("usr/etc/default/useradd", fresh)
}

// check makes sure of what a commit must be like.
func (a *assembly) check() error {
	for _, name := range []string{"var", "boot"} {
		if n := a.root.Child(name); n == nil || n.Kind != filetree.Dir || n.Len() > 0 {
			return fmt.Errorf("/%s of the tree is not an empty folder", name)
		}
	}
	if a.root.Child("etc") != nil {
		return errors.New("/etc is left in the tree")
	}
	return a.root.Walk(func(p string, n *filetree.Node) error {
		n.ModTime = 0
		return nil
	})
}
