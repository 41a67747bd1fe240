// Package rootfs puts packages together into the file tree of an atomic host: what
// `rpm-ostree compose` does between download and commit.
//
// [Assemble] reads from top to bottom in the order in which things happen: unpack
// with path translation; accounts; the packages' scriptlets; tmpfiles.d lines for what packages have in /var;
// the treefile's units, files and scripts; kernel and initramfs; the layout of the
// root. The tree is metadata in memory. Only when a script or dracut must run is it on
// disk, too: as hard links below an overlay, from which what they changed is taken back.
//
// Labels are not here: they are given to the whole tree, by its own policy, afterwards.
//
// Source: rpm-ostree 2026.2's behaviour; see docs/COMPATIBILITY.md.
package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/rootfs/sandbox"
	"github.com/treewright/treewright/pkg/rpm"
	"github.com/treewright/treewright/pkg/segment"
)

// Errors that a caller can tell apart.
var (
	ErrConflict = errors.New("two packages have different files of one path")
	ErrNoKernel = errors.New("no kernel")
)

// Package is one package to unpack.
type Package struct {
	Name  string // for messages and file names
	NEVRA string
	EVR   nevra.EVR
	Files []rpm.File
	From  []segment.Source // content of each file; nil where there is none

	Scriptlets []rpm.Scriptlet
	Triggers   []rpm.Trigger
}

// File is a file that is put into the tree.
type File struct {
	Dest string // relative to the root
	Body []byte
	Mode uint32
}

// Script is a script that changes the tree.
type Script struct {
	Name string // for messages
	Body []byte
}

// Options is what the treefile and the caller ask for.
type Options struct {
	Documentation       bool
	RemoveFromPackages  map[string][]string // package -> patterns
	OptUsrLocal         string              // "var", "root" or "state-overlay"
	ReadonlyExecutables bool                // programs lose their write bits
	Layers              []Layer

	Units           []string
	DefaultTarget   string
	RemoveFiles     []string
	AddFiles        []File
	Scripts         []Script
	MutateOSRelease string // text that the version replaces in os-release
	Version         string
	Treefile        []byte // stored in the tree

	MachineIDCompat bool // ship an empty machine-id
	TmpIsDir        bool
	Container       bool // no kernel
	NoInitramfs     bool
	InitramfsArgs   []string // of dracut; none: --no-hostonly
	EtcGroupMembers []string
	RebuildPolicy   bool // an SELinux policy is built from its modules, behind the scripts
	Accounts        AccountRules

	// Database is the files of the RPM database, by name.
	Database map[string]*filetree.Node

	ScriptTimeout time.Duration // of one scriptlet; 0: [ScriptTimeout]

	WorkDir string    // where the tree is written for scripts and dracut
	Output  io.Writer // gets what they print; nil: nobody
	Time    int64     // SOURCE_DATE_EPOCH of scripts, seconds since 1970 UTC
	Cache   Cache     // keeps what dracut made; nil keeps nothing
	Step    func(name string)
	Warn    func(text string) // what the user may want to change
}

// Result is the tree.
type Result struct {
	Root         *filetree.Node
	Kernel       string        // version; "" without one
	NotInstalled map[int][]int // by package: positions of files that were left out

	dirs []string
}

// Close removes what the tree's content is read from. Every Result needs it.
func (r *Result) Close(ctx context.Context) error { return removeDirs(ctx, r.dirs) }

func removeDirs(ctx context.Context, dirs []string) (err error) {
	for _, d := range dirs {
		err = errors.Join(err, sandbox.RemoveAll(ctx, d))
	}
	return err
}

// Assemble puts packages, in install order, together.
//
// Errors name the package and the path, and wrap [ErrConflict] or [ErrNoKernel] when
// they are of that kind.
func Assemble(ctx context.Context, packages []Package, o Options) (r *Result, err error) {
	a := &assembly{ctx: ctx, o: o, root: filetree.NewDir(0o755), implicit: map[*filetree.Node]bool{},
		owners: map[*filetree.Node]owner{}, origin: map[string]string{}, notInstalled: map[int][]int{}}
	if a.o.Step == nil {
		a.o.Step = func(string) {}
	}
	if a.o.Warn == nil {
		a.o.Warn = func(string) {}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeDirs(ctx, a.dirs))
		}
	}()
	for _, step := range []func() error{
		func() error { return a.unpack(packages) },
		a.layers,
		a.accounts,
		func() error { return a.scriptlets(packages) },
		a.tmpfiles,
		a.database,
		a.units,
		a.osRelease,
		a.removeFiles,
		a.addFiles,
		a.machineID,
		a.moveKernel,
		a.runScripts,
		a.kernelStage, // depmod and dracut
		a.checkInitramfs,
		a.altfiles,
		a.layout,
		a.integration,
		a.selinux,
		a.check,
		a.checkAccounts,
	} {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := step(); err != nil {
			return nil, err
		}
	}
	return &Result{Root: a.root, Kernel: a.kernel, NotInstalled: a.notInstalled, dirs: a.dirs}, nil
}

// assembly is a tree on its way.
type assembly struct {
	ctx          context.Context
	o            Options
	root         *filetree.Node
	implicit     map[*filetree.Node]bool // folders that no package has so far
	owners       map[*filetree.Node]owner
	origin       map[string]string // path -> package that it is from
	db           *accountDB
	varLines     []tmpfile
	kernel       string
	dirs         []string // on disk, to be removed
	notInstalled map[int][]int
}

// owner is who a file belongs to, by name.
type owner struct{ user, group, pkg, path string }

// put places a generated file.
func (a *assembly) put(p string, body string, mode uint32) error {
	return a.root.Put(p, filetree.Bytes([]byte(body), mode))
}

// read returns the content of a file of the tree, following links; nil when it is
// not there.
func (a *assembly) read(p string) ([]byte, error) {
	at, err := a.root.Resolve(p)
	if err != nil {
		return nil, nil
	}
	n := a.root.Lookup(at)
	if n == nil || n.Kind != filetree.File {
		return nil, nil
	}
	if n.Size == 0 {
		return []byte{}, nil
	}
	const limit = 16 << 20
	if n.Size > limit {
		return nil, fmt.Errorf("/%s: %d bytes, at most %d are read", p, n.Size, limit)
	}
	rc, err := n.From.Open()
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(rc, limit))
	return b, errors.Join(err, rc.Close())
}
