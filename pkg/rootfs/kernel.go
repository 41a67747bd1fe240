package rootfs

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
)

const modules = "usr/lib/modules"

// moveKernel finds the one kernel and puts what belongs to it where libostree looks:
// usr/lib/modules/KVER/vmlinuz. What else is in /boot goes to usr/lib/ostree-boot.
func (a *assembly) moveKernel() error {
	boot := a.root.Remove("boot")
	if a.o.Container {
		return nil
	}
	if boot != nil {
		for _, name := range boot.Names() {
			if err := a.moveBootFile(name, boot.Child(name)); err != nil {
				return err
			}
		}
	}
	dir := a.root.Lookup(modules)
	if dir == nil {
		return nil
	}
	for _, v := range dir.Names() {
		n := dir.Child(v)
		if n.Kind != filetree.Dir || n.Child("vmlinuz") == nil {
			continue
		}
		if a.kernel != "" {
			return fmt.Errorf("kernels %s and %s are both in the tree: a host boots exactly one", a.kernel, v)
		}
		a.kernel = v
		n.Delete("initramfs.img") // a package's own is for another machine
	}
	return nil
}

func (a *assembly) moveBootFile(name string, n *filetree.Node) error {
	for prefix, as := range map[string]string{"vmlinuz-": "vmlinuz", "config-": "config", "System.map-": "System.map"} {
		version, ok := strings.CutPrefix(name, prefix)
		if !ok || n.Kind != filetree.File {
			continue
		}
		dir := a.root.Lookup(modules + "/" + version)
		if dir == nil {
			return fmt.Errorf("/boot/%s has no modules in /%s/%s: %w", name, modules, version, ErrNoKernel)
		}
		if dir.Child(as) == nil {
			return dir.Set(as, n)
		}
		return nil
	}
	if n.Kind == filetree.Dir && n.Len() == 0 || strings.HasPrefix(name, "initramfs-") || strings.HasPrefix(name, "initrd") {
		return nil
	}
	return a.root.Put("usr/lib/ostree-boot/"+name, n)
}

// dracutModule is the module that makes an initramfs switch to a deployment.
const dracutModule = "usr/lib/dracut/modules.d/98ostree"

// kernelScripts are depmod and dracut, to be run in the tree.
func (a *assembly) kernelScripts() ([]Script, error) {
	if a.kernel == "" {
		return nil, nil
	}
	var out []Script
	if a.command("depmod") {
		out = append(out, Script{"depmod", fmt.Appendf(nil, "#!/bin/sh\nexec depmod -a '%s'\n", a.kernel)})
	}
	if a.o.NoInitramfs {
		return out, nil
	}
	if !a.command("dracut") {
		return nil, fmt.Errorf("kernel %s needs an initramfs, and no package has dracut: add the package dracut, or set no-initramfs: true", a.kernel)
	}
	if !a.hasDracutModule() {
		return nil, fmt.Errorf("no package has the dracut module ostree: add the package that has /%s (ostree or ostree-boot)", dracutModule)
	}
	args := a.o.InitramfsArgs
	if len(args) == 0 {
		args = []string{"--no-hostonly"}
	}
	var words []string
	for _, w := range append([]string{"--reproducible", "--add", "ostree", "--force", "--tmpdir", "/tmp"}, args...) {
		words = append(words, quote(w))
	}
	return append(out, Script{"dracut", fmt.Appendf(nil, "#!/bin/sh\nexport DRACUT_NO_MKNOD=1 DRACUT_NO_XATTR=1 SOURCE_DATE_EPOCH=0\nexec dracut %s --kver %s %s\n",
		strings.Join(words, " "), quote(a.kernel), quote("/"+a.initramfs()))}), nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (a *assembly) initramfs() string { return modules + "/" + a.kernel + "/initramfs.img" }

func (a *assembly) hasDracutModule() bool {
	d := a.root.Lookup("usr/lib/dracut/modules.d")
	if d == nil {
		return false
	}
	for _, n := range d.Names() {
		if strings.HasSuffix(n, "ostree") {
			return true
		}
	}
	return false
}

// command tells whether the tree has a program.
func (a *assembly) command(name string) bool {
	for _, dir := range []string{"usr/sbin", "usr/bin", "sbin", "bin"} {
		at, err := a.root.Resolve(dir + "/" + name)
		if err == nil && a.root.Lookup(at) != nil {
			return true
		}
	}
	return false
}

// checkInitramfs looks for what switches to a deployment: dracut leaves modules out
// without an error when one that they need is omitted.
func (a *assembly) checkInitramfs() error {
	if a.kernel == "" || a.o.NoInitramfs {
		return nil
	}
	n := a.root.Lookup(a.initramfs())
	if n == nil || n.Size == 0 {
		return errors.New("dracut made no initramfs")
	}
	n.Mode = 0o644
	names, err := initramfsNames(n)
	if err != nil {
		a.o.Warn(fmt.Sprintf("%v: whether it can boot a deployment is not known", err))
		return nil
	}
	if !slices.ContainsFunc(names, func(name string) bool { return path.Base(name) == "ostree-prepare-root" }) {
		return errors.New("the initramfs lacks ostree-prepare-root: dracut left the ostree module out; see its output, and initramfs-args for an --omit of something that it needs")
	}
	return nil
}
