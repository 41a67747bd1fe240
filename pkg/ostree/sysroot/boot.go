package sysroot

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

// kernel is what a boot entry starts.
type kernel struct {
	version    string
	vmlinuz    *filetree.Node
	initramfs  *filetree.Node // nil: none
	devicetree *filetree.Node // nil: none
	hmac       *filetree.Node // nil: none
	checksum   string         // BOOTCSUM
}

const modulesDir = "usr/lib/modules"

// findKernel looks for the one /usr/lib/modules/KVER that has a kernel.
func findKernel(deployment *filetree.Node) (*kernel, error) {
	modules := deployment.Lookup(modulesDir)
	var k *kernel
	if modules != nil {
		for _, v := range modules.Names() {
			dir := modules.Child(v)
			vmlinuz := inode(dir.Child("vmlinuz"))
			if vmlinuz == nil || vmlinuz.Kind != filetree.File {
				continue
			}
			if k != nil {
				return nil, fmt.Errorf("kernels %s and %s in /%s: a deployment boots exactly one: %w", k.version, v, modulesDir, ErrNotBootable)
			}
			k = &kernel{version: v, vmlinuz: vmlinuz, initramfs: inode(dir.Child("initramfs.img")),
				devicetree: inode(dir.Child("devicetree")), hmac: inode(dir.Child(".vmlinuz.hmac"))}
			if k.initramfs == nil {
				k.initramfs = inode(dir.Child("initramfs"))
			}
		}
	}
	if k == nil {
		return nil, fmt.Errorf("no kernel /%s/KVER/vmlinuz: %w", modulesDir, ErrNotBootable)
	}
	return k, k.sum()
}

// sum computes BOOTCSUM.
func (k *kernel) sum() error {
	h := sha256.New()
	for _, n := range []*filetree.Node{k.vmlinuz, k.initramfs, k.devicetree} {
		if n == nil || n.Size == 0 {
			continue
		}
		rc, err := n.From.Open()
		if err != nil {
			return err
		}
		_, err = io.Copy(h, rc)
		if cerr := rc.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
	}
	k.checksum = hex.EncodeToString(h.Sum(nil))
	return nil
}

// boot puts the boot file system together.
func (b *builder) boot(l *Layout, k *kernel, title string) (*filetree.Node, error) {
	root := b.stamp(filetree.NewDir(0o755))
	dir := "ostree/" + b.o.Stateroot + "-" + k.checksum
	entry := []string{
		"title " + title,
		"version 1",
		"options " + strings.Join(l.KernelArgs, " "),
	}
	install := func(n *filetree.Node, name, key string) error {
		if n == nil {
			return nil
		}
		if key != "" {
			entry = append(entry, key+" /"+dir+"/"+name)
		}
		own := *n
		own.Mode |= 0o400
		return root.Put(dir+"/"+name, b.stamp(&own))
	}
	for _, f := range []struct {
		node      *filetree.Node
		name, key string
	}{
		{k.devicetree, "devicetree-" + k.version, "devicetree"},
		{k.vmlinuz, "vmlinuz-" + k.version, "linux"},
		{k.initramfs, "initramfs-" + k.version + ".img", "initrd"},
		{k.hmac, ".vmlinuz-" + k.version + ".hmac", ""},
	} {
		if err := install(f.node, f.name, f.key); err != nil {
			return nil, err
		}
	}
	conf := filetree.Bytes([]byte(strings.Join(entry, "\n")+"\n"), 0o644)
	for p, n := range map[string]*filetree.Node{
		"loader.1/entries/ostree-1-" + b.o.Stateroot + ".conf": conf,
		"loader": filetree.NewSymlink("loader.1"),
		"boot":   filetree.NewSymlink("."),
	} {
		if err := root.Put(p, b.stamp(n)); err != nil {
			return nil, err
		}
	}
	for _, p := range []string{"ostree", dir, "loader.1", "loader.1/entries"} {
		b.stamp(root.Lookup(p))
	}
	return root, nil
}

// entryTitle is the boot menu's line: the OS's pretty name, the commit's version
// when the name does not have it already, and the deployment's index.
func entryTitle(deployment *filetree.Node, commit *ostree.Commit) string {
	title := osReleaseName(deployment)
	if v := commit.Version(); v != "" && !strings.Contains(title, v) {
		title += " " + v
	}
	return strings.NewReplacer("\n", " ", "\r", " ").Replace(title) + " (ostree:0)"
}

// maxOSRelease bounds what is read of os-release.
const maxOSRelease = 64 << 10

func osReleaseName(deployment *filetree.Node) string {
	values := map[string]string{}
	for _, p := range []string{"etc/os-release", "usr/lib/os-release"} { // the latter wins
		at, err := deployment.Resolve(p)
		if err != nil {
			continue
		}
		n := inode(deployment.Lookup(at))
		if n == nil || n.Kind != filetree.File || n.Size == 0 {
			continue
		}
		rc, err := n.From.Open()
		if err != nil {
			continue
		}
		for s := bufio.NewScanner(io.LimitReader(rc, maxOSRelease)); s.Scan(); {
			if k, v, ok := strings.Cut(s.Text(), "="); ok {
				values[k] = strings.Trim(strings.TrimSpace(v), `"'`)
			}
		}
		rc.Close()
	}
	for _, k := range []string{"PRETTY_NAME", "ID"} {
		if values[k] != "" {
			return values[k]
		}
	}
	return "Linux"
}
