package composer

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/disk"
	"github.com/treewright/treewright/pkg/disk/gpt"
	"github.com/treewright/treewright/pkg/disk/grub"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/image"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/sysroot"
	"github.com/treewright/treewright/pkg/treefile"
	"github.com/treewright/treewright/pkg/units"
)

// DiskOptions tells what disk images are like.
type DiskOptions struct {
	Formats    []string // names of formats; none: the treefile's, else qcow2
	Size       units.Bytes
	Stateroot  string
	KernelArgs []string
	Ref        string // that the host follows
	RemoteName string
	RemoteURL  string
	Firmware   []string // "bios", "uefi"; none: those that the tree has a boot loader for

	images []treefile.Image // what Formats or the treefile come to
}

// ImageOptions tells which images to make of which commit.
type ImageOptions struct {
	Config
	DiskOptions
	Rev    string
	Output string // folder, or file when there is one format; empty: "."
}

// ImageFile is a written image.
type ImageFile struct {
	Format      string `json:"format"`
	Path        string `json:"path"`
	SHA256      string `json:"sha256"`
	Size        int64  `json:"size"`         // bytes on disk
	VirtualSize int64  `json:"virtual-size"` // bytes that a guest sees
}

// ImageReport is what was made.
type ImageReport struct {
	Commit ostree.Checksum `json:"ostree-commit"`
	Images []ImageFile     `json:"images"`
}

// Image makes disk images of a commit.
func Image(ctx context.Context, o ImageOptions) (*ImageReport, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	r, err := repo.Open(o.Repo)
	if err != nil {
		return nil, err
	}
	c, err := r.Resolve(o.Rev)
	if err != nil {
		return nil, err
	}
	commit, err := r.ReadCommit(c)
	if err != nil {
		return nil, err
	}
	if o.Ref == "" {
		o.Ref = boundRef(commit)
	}
	if err := o.useTreefile(ctx, r, c); err != nil {
		return nil, err
	}
	base := strings.ReplaceAll(o.Rev, "/", "-")
	if ostree.IsChecksum(o.Rev) {
		base = o.Rev[:12]
	}
	files, err := o.write(ctx, &o.Config, r, c, o.Output, base+"."+o.Arch)
	if err != nil {
		return nil, err
	}
	o.Progress.Step("", 0, 0)
	return &ImageReport{c, files}, nil
}

// boundRef is the ref that a commit was made for, "" when it does not say.
func boundRef(c *ostree.Commit) string {
	v, _ := c.Lookup(ostree.KeyRefBinding)
	if list, ok := v.Value.([]any); ok && len(list) > 0 {
		s, _ := list[0].(string)
		return s
	}
	return ""
}

// storedTreefile is where a tree keeps the treefile that it was made of.
const storedTreefile = "usr/share/rpm-ostree/treefile.json"

// useTreefile fills what is not asked for from the treefile stored in the tree.
func (o *DiskOptions) useTreefile(ctx context.Context, r *repo.Repo, c ostree.Checksum) error {
	root, err := r.ReadTree(ctx, c)
	if err != nil {
		return err
	}
	b, err := readNode(root, storedTreefile)
	if err != nil || b == nil {
		o.fillFrom(&treefile.Treefile{})
		return err
	}
	var own struct {
		Basearch string `json:"basearch"`
	}
	if err := json.Unmarshal(b, &own); err != nil {
		return fmt.Errorf("/%s: %w", storedTreefile, err)
	}
	t, err := treefile.ParseStored(b, own.Basearch)
	if err != nil {
		return fmt.Errorf("/%s: %w", storedTreefile, err)
	}
	o.fillFrom(t)
	return nil
}

// fillFrom takes what is not asked for from a treefile.
func (o *DiskOptions) fillFrom(t *treefile.Treefile) {
	if o.Size == 0 {
		o.Size = t.Disk.Size
	}
	if o.Stateroot == "" {
		o.Stateroot = t.Disk.Stateroot
	}
	if len(o.Firmware) == 0 {
		o.Firmware = t.Disk.Firmware
	}
	o.KernelArgs = slices.Concat(t.Disk.KernelArgs, o.KernelArgs)
	for _, f := range o.Formats {
		img := treefile.Image{Format: f}
		if i := slices.IndexFunc(t.Images, func(i treefile.Image) bool { return i.Format == f }); i >= 0 {
			img = t.Images[i]
		}
		o.images = append(o.images, img)
	}
	if len(o.Formats) == 0 {
		o.images = t.Images
	}
	if len(o.images) == 0 {
		o.images = []treefile.Image{{Format: "qcow2"}}
	}
}

// write plans a disk for each size that is asked for, and writes the images.
func (o *DiskOptions) write(ctx context.Context, cfg *Config, r *repo.Repo, c ostree.Checksum, output, base string) ([]ImageFile, error) {
	paths, err := o.paths(output, base)
	if err != nil {
		return nil, err
	}
	p := &diskPlanner{cfg: cfg, o: o, r: r, commit: c}
	disks := map[int64]*image.Disk{}
	var out []ImageFile
	for i, img := range o.images {
		size := int64(img.Size)
		if size == 0 {
			size = int64(o.Size)
		}
		if disks[size] == nil {
			cfg.Progress.Step("planning the disk", 0, 0)
			if disks[size], err = p.plan(ctx, size); err != nil {
				return nil, err
			}
		}
		cfg.Progress.Step("writing "+img.Format, int64(i), int64(len(o.images)))
		f, err := image.Write(ctx, paths[i], img.Format, disks[size], image.Options{Compression: img.Compression, Properties: p.properties()})
		if err != nil {
			return nil, err
		}
		for ; f != nil; f = f.Sidecar {
			out = append(out, ImageFile{f.Format, f.Path, f.SHA256, f.Size, f.VirtualSize})
		}
	}
	return out, nil
}

// paths names the files.
func (o *DiskOptions) paths(output, base string) ([]string, error) {
	if output == "" {
		output = "."
	}
	st, err := os.Stat(output)
	isDir := err == nil && st.IsDir()
	if !isDir && len(o.images) == 1 && !strings.HasSuffix(output, "/") {
		return []string{output}, nil
	}
	if err := os.MkdirAll(output, 0o755); err != nil {
		return nil, err
	}
	var out []string
	for _, img := range o.images {
		name, err := image.FileName(base, img.Format)
		if err != nil {
			return nil, err
		}
		out = append(out, filepath.Join(output, name))
	}
	return out, nil
}

// diskPlanner plans the disk of one commit.
type diskPlanner struct {
	cfg    *Config
	o      *DiskOptions
	r      *repo.Repo
	commit ostree.Checksum
}

// seed is what all identifiers of a disk come from: the commit and the options.
func (p *diskPlanner) seed(size int64) [32]byte {
	o := p.o
	return sha256.Sum256(fmt.Appendf(nil, "treewright disk 1 %s %d %q", p.commit, size,
		slices.Concat([]string{o.Stateroot, o.Ref, o.RemoteName, o.RemoteURL, strings.Join(o.Firmware, " ")}, o.KernelArgs)))
}

// plan lays the deployment and the boot loaders out on a disk.
func (p *diskPlanner) plan(ctx context.Context, size int64) (*image.Disk, error) {
	commit, err := p.r.ReadCommit(p.commit)
	if err != nil {
		return nil, err
	}
	tree, err := p.r.ReadTree(ctx, p.commit)
	if err != nil {
		return nil, err
	}
	seed := p.seed(size)
	o := sysroot.Options{
		Commit: p.commit, Ref: p.o.Ref, Stateroot: p.o.Stateroot, Time: int64(commit.Timestamp),
		KernelArgs: append([]string{"root=UUID=" + disk.RootID(seed).String()}, p.kernelArgs()...),
	}
	if o.Stateroot == "" {
		o.Stateroot = osID(tree)
	}
	if p.o.RemoteURL != "" {
		o.Remote = &sysroot.Remote{Name: p.o.RemoteName, URL: p.o.RemoteURL}
	}
	l, err := sysroot.Deploy(ctx, p.r, o)
	if err != nil {
		return nil, err
	}
	spec := disk.Spec{Size: size, Seed: seed, Time: int64(commit.Timestamp), Root: l.Root, Boot: l.Boot, Immutable: l.DeploymentRoot}
	if p.cfg.Arch == "aarch64" {
		spec.RootType = gpt.TypeRootARM
	}
	if err := p.bootLoader(tree, &spec); err != nil {
		return nil, err
	}
	if err := labelHost(tree, l, &spec); err != nil {
		return nil, err
	}
	d, err := disk.New(spec)
	if errors.Is(err, disk.ErrTooSmall) {
		return nil, &hintError{err, "give a larger --size, or disk.size in the treefile"}
	}
	if err != nil {
		return nil, err
	}
	return &image.Disk{Size: d.Size, Segments: d.Segments, Seed: seed}, nil
}

// kernelArgs are the asked ones, and "rw", without which a host with a read-only
// /sysroot does not boot.
func (p *diskPlanner) kernelArgs() []string {
	if slices.Contains(p.o.KernelArgs, "rw") || slices.Contains(p.o.KernelArgs, "ro") {
		return p.o.KernelArgs
	}
	return append([]string{"rw"}, p.o.KernelArgs...)
}

func (p *diskPlanner) properties() map[string]string {
	arch := p.cfg.Arch
	out := map[string]string{
		"architecture": arch, "os_type": "linux", "hw_disk_bus": "virtio", "hw_vif_model": "virtio", "hw_rng_model": "virtio",
		"ostree_commit": p.commit.String(),
	}
	if p.o.Ref != "" {
		out["ostree_ref"] = p.o.Ref
	}
	return out
}

// Folders of GRUB's files in a tree, for each platform.
var grubDirs = map[string][]string{
	"bios": {"usr/lib/grub/i386-pc"},
	"uefi": {"usr/lib/grub/x86_64-efi"},
}

// efiBinaries are places of a GRUB for UEFI that is linked already, with the folder of
// the EFI system partition in which it looks for its configuration.
var efiBinaries = []struct{ path, config string }{
	{"usr/lib/grub/x86_64-efi/monolithic/grubx64.efi", "EFI/debian"},
}

// bootLoader puts GRUB on the disk for the firmware that is asked for, or for that
// which the tree has a GRUB for.
func (p *diskPlanner) bootLoader(tree *filetree.Node, s *disk.Spec) error {
	done := 0
	for _, f := range []struct {
		name  string
		place func(*filetree.Node, *disk.Spec) (bool, error)
	}{{"bios", p.placeBIOS}, {"uefi", p.placeUEFI}} {
		if len(p.o.Firmware) > 0 && !slices.Contains(p.o.Firmware, f.name) {
			continue
		}
		ok, err := f.place(tree, s)
		if err != nil {
			return fmt.Errorf("boot loader for %s: %w", f.name, err)
		}
		if !ok && slices.Contains(p.o.Firmware, f.name) {
			return &hintError{fmt.Errorf("firmware %s: the tree has no GRUB in /%s", f.name, grubDirs[f.name][0]), "add the packages of GRUB to the treefile"}
		}
		if ok {
			done++
		}
	}
	if done == 0 {
		p.cfg.Log.Warn("the tree has no GRUB: the image has a boot entry and no boot loader")
	}
	return nil
}

// grubFiles reads files of one GRUB folder of the tree.
func grubFiles(tree *filetree.Node, dir string) grub.ReadFile {
	return func(name string) ([]byte, error) {
		b, err := readNode(tree, dir+"/"+name)
		if err == nil && b == nil {
			err = fmt.Errorf("/%s/%s: %w", dir, name, ErrNotFound)
		}
		return b, err
	}
}

// entryModule is the module of a GRUB folder that reads boot entries.
func entryModule(tree *filetree.Node, dir string) (string, error) {
	for _, m := range grub.BootEntryModules {
		if tree.Lookup(dir+"/"+m+".mod") != nil {
			return m, nil
		}
	}
	return "", fmt.Errorf("the GRUB in /%s cannot read boot entries: 2.14 is the first that can", dir)
}

func (p *diskPlanner) placeBIOS(tree *filetree.Node, s *disk.Spec) (bool, error) {
	dir := grubDirs["bios"][0]
	if tree.Lookup(dir+"/kernel.img") == nil {
		return false, nil
	}
	module, err := entryModule(tree, dir)
	if err != nil {
		return false, err
	}
	read := grubFiles(tree, dir)
	find := grub.Find(disk.BootID(s.Seed).String())
	s.Core, err = grub.Core(read, grub.CoreOptions{
		Modules: append(slices.Clone(grub.BIOSModules), module), Prefix: "/grub", Sector: disk.BIOSBootSector,
		Config: find + "configfile $prefix/grub.cfg\n",
	})
	if err != nil {
		return false, err
	}
	if s.BootCode, err = grub.BootCode(read, disk.BIOSBootSector); err != nil {
		return false, err
	}
	return true, p.bootConfig(s, module)
}

func (p *diskPlanner) placeUEFI(tree *filetree.Node, s *disk.Spec) (bool, error) {
	for _, b := range efiBinaries {
		n := tree.Lookup(b.path)
		if n == nil || n.Kind != filetree.File {
			continue
		}
		dir := grubDirs["uefi"][0]
		module, err := entryModule(tree, dir)
		if err != nil {
			return false, err
		}
		// The linked GRUB has not got the module: it loads it from the boot partition.
		if err := s.Boot.Put("grub/x86_64-efi/"+module+".mod", bootFile(tree.Lookup(dir+"/"+module+".mod"), s.Time)); err != nil {
			return false, err
		}
		s.ESP = filetree.NewDir(0o755)
		config := grub.Find(disk.BootID(s.Seed).String()) + "configfile $prefix/grub.cfg\n"
		err = errors.Join(
			s.ESP.Put("EFI/BOOT/BOOTX64.EFI", bootFile(n, s.Time)),
			s.ESP.Put(b.config+"/grub.cfg", filetree.Bytes([]byte(config), 0o644)),
			p.bootConfig(s, module),
		)
		return err == nil, err
	}
	return false, nil
}

// bootFile is a file of the tree as it lies on a boot partition.
func bootFile(n *filetree.Node, time int64) *filetree.Node {
	return &filetree.Node{Kind: filetree.File, Mode: 0o644, Size: n.Size, From: n.From, ModTime: time}
}

// bootConfig puts the configuration, which both firmwares share, on the boot partition.
func (p *diskPlanner) bootConfig(s *disk.Spec, module string) error {
	n := filetree.Bytes([]byte(grub.Config(module)), 0o644)
	n.ModTime = s.Time
	if _, err := s.Boot.MkdirAll("efi", 0o755); err != nil {
		return err
	}
	return s.Boot.Put("grub/grub.cfg", n)
}
