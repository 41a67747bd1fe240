package composer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/rootfs"
	"github.com/treewright/treewright/pkg/rootfs/sandbox"
	"github.com/treewright/treewright/pkg/rpm/rpmdb"
	"github.com/treewright/treewright/pkg/treefile"
)

// unsupported are the keys of treefiles that a compose does not act on yet, and whose
// absence would change the tree.
var unsupported = map[string]bool{
	"install-langs": true, "ima": true, "gpg-key": true, "cliwrap": true, "cliwrap-binaries": true,
	"finalize.d": true,
}

// checkSupported refuses what would silently be left out.
func checkSupported(t *treefile.Treefile) error {
	for _, k := range t.Keys {
		if unsupported[k.Key] && !k.Default {
			return &treefile.Error{File: k.File, Line: k.Line, Key: k.Key, Msg: "is not supported yet"}
		}
	}
	return nil
}

// assemble puts the packages together into the tree.
func (o *ComposeOptions) assemble(ctx context.Context, target *repo.Repo, prev *previous, r *resolution, in *imported, version string) (*rootfs.Result, error) {
	t := r.treefile
	packages := make([]rootfs.Package, len(in.records))
	for i, rec := range in.records {
		n := r.packages[i].NEVRA
		packages[i] = rootfs.Package{Name: n.Name, NEVRA: n.String(), EVR: n.EVR, Files: rec.Files, From: rec.sources(in.build)}
		if o.SkipScripts {
			continue
		}
		packages[i].Scriptlets = rec.header.Scriptlets()
		var err error
		if packages[i].Triggers, err = rec.header.Triggers(); err != nil {
			return nil, fmt.Errorf("package %s: %w", n, err)
		}
	}
	flat, err := t.JSON()
	if err != nil {
		return nil, err
	}
	accounts, err := accountRules(ctx, target, prev, t)
	if err != nil {
		return nil, err
	}
	database, err := o.database(ctx, r, in)
	if err != nil {
		return nil, err
	}
	tmp := o.cacheDir("tmp")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return nil, err
	}
	log := o.Log.WithField("stage", "scripts").WriterLevel(scriptLevel)
	defer log.Close()
	opts := rootfs.Options{
		Documentation: t.Documentation, OptUsrLocal: t.OptUsrLocal, Units: t.Units, DefaultTarget: t.DefaultTarget,
		RemoveFiles: t.RemoveFiles, MutateOSRelease: t.MutateOSRelease, Version: version, Treefile: flat,
		MachineIDCompat: t.MachineIDCompat, TmpIsDir: t.TmpIsDir, Container: t.Container, NoInitramfs: t.NoInitramfs,
		InitramfsArgs: t.InitramfsArgs, EtcGroupMembers: t.EtcGroupMembers, RemoveFromPackages: map[string][]string{},
		RebuildPolicy: t.Selinux && !o.SkipScripts,
		Database:      database, WorkDir: tmp, Output: log, Time: o.treeTime(r),
		Cache:    folderCache{o.cacheDir("initramfs"), o.Usage().Clock},
		Accounts: accounts, ReadonlyExecutables: t.ReadonlyExecutables,
		Step: func(name string) { o.Progress.Step(name, 0, 0) },
		Warn: func(text string) { o.Log.WithField("stage", "assemble").Warn(text) },
	}
	if opts.Layers, err = layers(ctx, target, t); err != nil {
		return nil, err
	}
	for _, p := range t.RemoveFromPackages {
		opts.RemoveFromPackages[p.Package] = append(opts.RemoveFromPackages[p.Package], p.Patterns...)
	}
	for _, f := range t.AddFiles {
		opts.AddFiles = append(opts.AddFiles, rootfs.File{Dest: f.Dest, Body: f.Body, Mode: uint32(f.Mode.Perm())})
	}
	if !o.SkipScripts {
		for i, s := range t.Postprocess {
			opts.Scripts = append(opts.Scripts, rootfs.Script{Name: fmt.Sprintf("postprocess script %d", i+1), Body: []byte(s)})
		}
		if s := t.PostprocessScript; s != nil {
			opts.Scripts = append(opts.Scripts, rootfs.Script{Name: "postprocess-script " + s.Name, Body: s.Body})
		}
	}
	res, err := rootfs.Assemble(ctx, packages, opts)
	if errors.Is(err, sandbox.ErrUnavailable) {
		return nil, fmt.Errorf("scripts of the treefile and dracut run in a sandbox: %w", err)
	}
	if err != nil {
		return nil, err
	}
	if err := label(t, res.Root); err != nil {
		return nil, errors.Join(err, res.Close(ctx))
	}
	return res, nil
}

// treeTime is the time of what is made for the tree: the one asked for, else that of
// the newest package, so that it depends on the inputs alone.
func (o *ComposeOptions) treeTime(r *resolution) int64 {
	if o.TimeFixed {
		return o.Time.Unix()
	}
	var newest int64
	for _, p := range r.packages {
		newest = max(newest, p.BuildTime)
	}
	return newest
}

// database writes the RPM database of the packages.
func (o *ComposeOptions) database(ctx context.Context, r *resolution, in *imported) (map[string]*filetree.Node, error) {
	o.Progress.Step("writing the RPM database", 0, 0)
	if err := os.MkdirAll(o.cacheDir("tmp"), 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.cacheDir("tmp"), "rpmdb-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	list := make([]rpmdb.Installed, len(in.records))
	for i, rec := range in.records {
		list[i] = rpmdb.Installed{Header: rec.header, NotInstalled: notInstalled(rec, r.treefile.Documentation)}
	}
	file := filepath.Join(dir, "rpmdb.sqlite")
	if err := rpmdb.Write(ctx, file, list, o.treeTime(r)); err != nil {
		return nil, fmt.Errorf("RPM database: %w", err)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return map[string]*filetree.Node{"rpmdb.sqlite": filetree.Bytes(b, 0o644)}, nil
}
