package sysroot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

// ErrNotBootable is wrapped when a commit lacks what a bootable one has.
var ErrNotBootable = errors.New("commit is not bootable")

// ObjectReader is the repository that holds the commit.
type ObjectReader interface {
	ReadObject(t ostree.ObjectType, c ostree.Checksum) ([]byte, error)
	StatFile(c ostree.Checksum) (*ostree.File, error)
	OpenFile(c ostree.Checksum) (*ostree.File, io.ReadCloser, error)
}

// Remote is where the host gets its upgrades from.
type Remote struct {
	Name      string
	URL       string
	GPGVerify bool
}

// Options tells what to deploy and how.
type Options struct {
	Commit     ostree.Checksum
	Ref        string   // branch that the host follows; empty: it follows the checksum
	Remote     *Remote  // nil: Ref is a local one
	Stateroot  string   // required
	KernelArgs []string // in order, without ostree=
	Time       int64    // of files that are made here, seconds since 1970 UTC
}

// Layout is the outcome: two trees, and what other planners need to know of them.
type Layout struct {
	Root *filetree.Node // of the physical root file system
	Boot *filetree.Node // of the boot file system

	Deployment     string         // path of the deployment in Root
	DeploymentRoot *filetree.Node // its node; libostree sets the immutable flag on it
	BootChecksum   string         // BOOTCSUM
	Kernel         string         // KVER
	KernelArgs     []string       // those of the boot entry, with ostree=
}

var staterootName = regexp.MustCompile(`^[\w][-.\w]*$`)

func (o *Options) fill() error {
	if !staterootName.MatchString(o.Stateroot) {
		return fmt.Errorf("stateroot %q: want letters, digits, '-', '_' and '.'", o.Stateroot)
	}
	if o.Remote != nil && (!staterootName.MatchString(o.Remote.Name) || strings.ContainsAny(o.Remote.URL, "\n\r") || o.Remote.URL == "") {
		return fmt.Errorf("remote %q with URL %q: want a name of letters and digits, and a URL", o.Remote.Name, o.Remote.URL)
	}
	if o.Remote != nil && o.Ref == "" {
		return errors.New("remote " + o.Remote.Name + ": no ref to follow")
	}
	for _, k := range o.KernelArgs {
		if strings.ContainsAny(k, "\n\r") || strings.HasPrefix(k, "ostree=") || k == "" {
			return fmt.Errorf("kernel argument %q is not allowed", k)
		}
	}
	return nil
}

// Deploy plans the trees for one deployment of a commit.
//
// Errors wrap [ErrNotBootable] when the commit has no kernel where libostree looks
// for it, and the sentinels of package ostree when r lacks an object.
func Deploy(ctx context.Context, r ObjectReader, o Options) (*Layout, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	b := &builder{ctx: ctx, r: r, o: o, objects: map[object]*filetree.Node{}}
	l, err := b.deploy()
	if err != nil {
		return nil, fmt.Errorf("deployment of %s: %w", o.Commit, err)
	}
	return l, nil
}

func (b *builder) deploy() (*Layout, error) {
	commit, err := b.commit()
	if err != nil {
		return nil, err
	}
	deployment, err := b.checkout(commit)
	if err != nil {
		return nil, err
	}
	if err := makeEtc(deployment, b.o.Time); err != nil {
		return nil, err
	}
	kernel, err := findKernel(deployment)
	if err != nil {
		return nil, err
	}
	l := &Layout{DeploymentRoot: deployment, Kernel: kernel.version, BootChecksum: kernel.checksum}
	l.Deployment = fmt.Sprintf("ostree/deploy/%s/deploy/%s.0", b.o.Stateroot, b.o.Commit)
	bootlink := fmt.Sprintf("/ostree/boot.1/%s/%s/0", b.o.Stateroot, l.BootChecksum)
	l.KernelArgs = append(slices.Clone(b.o.KernelArgs), "ostree="+bootlink)
	if l.Root, err = b.root(l); err != nil {
		return nil, err
	}
	l.Boot, err = b.boot(l, kernel, entryTitle(deployment, commit))
	return l, err
}

// root puts the physical root together.
func (b *builder) root(l *Layout) (*filetree.Node, error) {
	root := filetree.NewDir(0o755)
	csum := b.o.Commit.String()
	put := func(p string, n *filetree.Node) error { return root.Put(p, b.stamp(n)) }
	osDir := "ostree/deploy/" + b.o.Stateroot
	err := errors.Join(
		put("boot", filetree.NewDir(0o755)),
		put(osDir+"/var", b.initialVar(l.DeploymentRoot)),
		root.Put(l.Deployment, l.DeploymentRoot),
		put(l.Deployment+".origin", filetree.Bytes([]byte(b.origin()), 0o644)),
		put("ostree/boot.1", filetree.NewSymlink("boot.1.1")),
		put("ostree/boot.1.1/"+b.o.Stateroot+"/"+l.BootChecksum+"/0",
			filetree.NewSymlink("../../../deploy/"+b.o.Stateroot+"/deploy/"+csum+".0")),
		b.repository(root, put),
	)
	if err != nil {
		return nil, err
	}
	for _, p := range []string{"", "ostree", "ostree/deploy", osDir, osDir + "/deploy", "ostree/boot.1.1",
		"ostree/boot.1.1/" + b.o.Stateroot, "ostree/boot.1.1/" + b.o.Stateroot + "/" + l.BootChecksum} {
		b.stamp(root.Lookup(p))
	}
	return root, nil
}

// stamp gives a node that is made here its time.
func (b *builder) stamp(n *filetree.Node) *filetree.Node {
	n.ModTime = b.o.Time
	return n
}

// initialVar is the stateroot's /var: what the commit has there and, for trees
// without tmpfiles.d, the folders that hosts expect.
func (b *builder) initialVar(deployment *filetree.Node) *filetree.Node {
	v := filetree.NewDir(0o755)
	if c := deployment.Child("var"); c != nil && c.Kind == filetree.Dir {
		v = unlink(c)
	}
	if v.Len() == 0 && deployment.Lookup("usr/lib/tmpfiles.d") == nil {
		for name, n := range map[string]*filetree.Node{
			"tmp": filetree.NewDir(0o1777), "lib": filetree.NewDir(0o755), "log": filetree.NewDir(0o755),
			"run": filetree.NewSymlink("../run"), "lock": filetree.NewSymlink("../run/lock"),
		} {
			v.Set(name, b.stamp(n)) // the names are good ones
		}
	}
	return v
}

// refspec is what the host follows.
func (b *builder) refspec() string {
	switch {
	case b.o.Ref == "":
		return b.o.Commit.String()
	case b.o.Remote != nil:
		return b.o.Remote.Name + ":" + b.o.Ref
	}
	return b.o.Ref
}

func (b *builder) origin() string { return "[origin]\nrefspec=" + b.refspec() + "\n" }

// repoConfig is the configuration of the host's repository.
func (b *builder) repoConfig() string {
	s := "[core]\nrepo_version=1\nmode=bare\n\n[sysroot]\nbootloader=none\nreadonly=true\n"
	if r := b.o.Remote; r != nil {
		s += "\n[remote \"" + r.Name + "\"]\nurl=" + r.URL + "\ngpg-verify=" + strconv.FormatBool(r.GPGVerify) + "\n"
	}
	return s
}

// repository adds the bare repository: configuration, refs, empty folders and the
// objects that checkout has met.
func (b *builder) repository(root *filetree.Node, put func(string, *filetree.Node) error) error {
	const repo = "ostree/repo"
	ref := func(name string) error {
		return put(repo+"/refs/"+name, filetree.Bytes([]byte(b.o.Commit.String()+"\n"), 0o644))
	}
	err := errors.Join(put(repo+"/config", filetree.Bytes([]byte(b.repoConfig()), 0o644)), ref("heads/ostree/1/1/0"))
	switch {
	case b.o.Ref == "":
	case b.o.Remote != nil:
		err = errors.Join(err, ref("remotes/"+b.o.Remote.Name+"/"+b.o.Ref))
	default:
		err = errors.Join(err, ref("heads/"+b.o.Ref))
	}
	for _, d := range []string{"tmp", "tmp/cache", "extensions", "state", "refs/heads", "refs/mirrors", "refs/remotes", "objects"} {
		_, e := root.MkdirAll(repo+"/"+d, 0o755)
		err = errors.Join(err, e)
	}
	for o, n := range b.objects {
		c := o.checksum.String()
		err = errors.Join(err, root.Put(repo+"/objects/"+c[:2]+"/"+c[2:]+"."+o.kind.String(), n))
	}
	if err != nil {
		return err
	}
	return root.Lookup(repo).Walk(func(p string, n *filetree.Node) error {
		if n.Kind == filetree.Dir {
			b.stamp(n)
		}
		return nil
	})
}
