package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/source"
)

// commitOptions are the flags of commit.
type commitOptions struct {
	parent, branch, timestamp, fsync          *string
	orphan, ifUnchanged, table, sizes, noSync *bool
	messageOptions
	metadataOptions
	treeOptions
	changeOptions
	signFlags
}

func commitCommand() *command {
	c := newCommand("commit", "[PATH]", "Make a commit of folders, archives or other commits, and print its checksum")
	f := c.flags
	o := commitOptions{
		parent:          f.String("parent", "", "the parent is the commit `CHECKSUM`, or none"),
		branch:          f.StringP("branch", "b", "", "move `REF` to the commit, whose parent is what it points to now"),
		orphan:          f.Bool("orphan", false, "make a commit that no ref points to"),
		timestamp:       f.String("timestamp", "", "the commit's `TIME` (default: SOURCE_DATE_EPOCH, or now)"),
		fsync:           f.String("fsync", "", "`POLICY`: whether to wait for the disk, true or false"),
		noSync:          f.Bool("disable-fsync", false, "don't wait for the disk"),
		ifUnchanged:     f.Bool("skip-if-unchanged", false, "make no commit if its tree would be that of the parent"),
		table:           f.Bool("table-output", false, "also tell what was written, as KEY: VALUE"),
		sizes:           f.Bool("generate-sizes", false, "put the sizes of all objects into the commit's metadata"),
		messageOptions:  addMessageFlags(f),
		metadataOptions: addMetadataFlags(f),
		treeOptions:     addTreeFlags(f),
		changeOptions:   addChangeFlags(f),
		signFlags:       addSignFlags(f, "the commit"),
	}
	f.MarkHidden("disable-fsync")
	c.run = func(ctx context.Context, e *env) error { return e.makeCommit(ctx, o) }
	return c
}

func (e *env) makeCommit(ctx context.Context, o commitOptions) error {
	r, err := e.open()
	if err != nil {
		return err
	}
	tree, err := o.newTree(ctx, e, r)
	if err != nil {
		return err
	}
	m := &commitMaker{env: e, o: o, repo: r, tree: tree}
	if m.commit, err = o.describe(e, r); err != nil {
		return err
	}
	if m.sign, err = e.signer(r, o.signFlags); err != nil {
		return err
	}
	if m.txn, err = r.Begin(ctx); err != nil {
		return err
	}
	defer m.txn.Abort()
	sum, err := m.run(ctx)
	var clash *repo.RefError
	if errors.As(err, &clash) && errors.Is(clash, repo.ErrConflict) && strings.HasPrefix(clash.Name, clash.Other+"/") {
		return fmt.Errorf("openat(refs/heads/%s): Not a directory", clash.Name)
	}
	if err != nil {
		return err
	}
	m.print(sum)
	return o.consumed(e.args)
}

// describe is the commit without its tree.
func (o commitOptions) describe(e *env, r *repo.Repo) (*ostree.Commit, error) {
	c := &ostree.Commit{}
	var err error
	if c.Metadata, err = o.given(); err != nil {
		return nil, err
	}
	if *o.branch == "" && !*o.orphan {
		return nil, errors.New("A branch must be specified with --branch, or use --orphan")
	}
	if err := o.sync(e, r); err != nil {
		return nil, err
	}
	if c.Parent, err = o.commitParent(r); err != nil {
		return nil, err
	}
	if err := o.keepMetadata(r, c); err != nil {
		return nil, err
	}
	if c.Subject, c.Body, err = o.message(e, *o.branch); err != nil {
		return nil, err
	}
	c.Timestamp, err = o.time(e)
	return c, err
}

// commitMaker makes one commit.
type commitMaker struct {
	env    *env
	o      commitOptions
	repo   *repo.Repo
	tree   *source.Tree
	commit *ostree.Commit
	sign   func([]byte) (ostree.Metadata, error)
	txn    *repo.Txn
}

func (m *commitMaker) run(ctx context.Context) (sum ostree.Checksum, err error) {
	if err := m.o.readTrees(ctx, m); err != nil {
		return sum, err
	}
	root, err := m.tree.Root()
	if err != nil {
		m.env.printUnmatched(err)
		return sum, err
	}
	c := m.commit
	o := repo.TreeOptions{Lookup: m.tree.Object, Folder: m.tree.Folder}
	if *m.o.consume {
		o.Adopt = source.OnDisk
	}
	c.Root, c.RootMeta, err = m.txn.WriteTree(ctx, root, o)
	if err != nil {
		return sum, err
	}
	if *m.o.ifUnchanged && c.Parent != nil {
		old, err := m.repo.ReadCommit(*c.Parent)
		if err != nil || old.Root == c.Root && old.RootMeta == c.RootMeta {
			return *c.Parent, err
		}
	}
	if err := m.metadata(ctx); err != nil {
		return sum, err
	}
	if sum, err = m.txn.WriteCommit(c); err != nil {
		return sum, err
	}
	if err := m.detached(sum); err != nil {
		return sum, err
	}
	if *m.o.branch != "" {
		m.txn.SetRef(*m.o.branch, sum)
	}
	if m.env.getenv("OSTREE_REPO_TEST_ERROR") == "pre-commit" {
		return sum, m.suspend()
	}
	return sum, m.txn.Commit(ctx)
}

// suspend stops before anything becomes visible, as libostree's own tests want it, and
// leaves what was written to the next run.
func (m *commitMaker) suspend() error {
	id := m.env.getenv("OSTREE_BOOTID")
	if id == "" {
		var err error
		if id, err = repo.BootID(); err != nil {
			return err
		}
	}
	if err := m.txn.Suspend(id); err != nil {
		return err
	}
	return errors.New("OSTREE_REPO_TEST_ERROR_PRE_COMMIT specified")
}

// sync turns waiting for the disk off.
func (o commitOptions) sync(e *env, r *repo.Repo) error {
	on := !*o.noSync
	if e.given("fsync") {
		var err error
		if on, err = parseBool(*o.fsync); err != nil {
			return err
		}
	}
	if !on {
		r.DisableSync()
	}
	return nil
}

// parseBool reads a boolean as ostree's own options have it.
func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "1", "true", "yes":
		return true, nil
	case "0", "false", "no", "none":
		return false, nil
	}
	return false, fmt.Errorf("Invalid boolean argument '%s'", s)
}

// commitParent is what --parent says, else what the ref points to.
func (o commitOptions) commitParent(r *repo.Repo) (*ostree.Checksum, error) {
	switch {
	case *o.parent == "none":
		return nil, nil
	case *o.parent != "":
		sum, err := ostree.ParseChecksum(*o.parent)
		if err != nil {
			return nil, &revError{*o.parent}
		}
		return &sum, nil
	case *o.orphan:
		return nil, nil
	}
	sum, err := r.Resolve(*o.branch)
	if errors.Is(err, ostree.ErrNotFound) {
		return nil, nil
	}
	return &sum, err
}

// print tells the commit, and what was written when that is wanted.
func (m *commitMaker) print(sum ostree.Checksum) {
	if !*m.o.table {
		m.env.printf("%s\n", sum)
		return
	}
	s := m.txn.Stats()
	m.env.printf("Commit: %s\nMetadata Total: %d\nMetadata Written: %d\nContent Total: %d\nContent Written: %d\nContent Cache Hits: %d\nContent Bytes Written: %d\n",
		sum, s.Metadata, s.MetadataWritten, s.Content, s.ContentWritten, m.tree.Hits(), s.ContentBytes)
}

func parseEpoch(s string) (int64, error) {
	sec, err := strconv.ParseInt(s, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, errors.New("Parsing SOURCE_DATE_EPOCH: Numerical result out of range")
	case err != nil || sec < 0:
		return 0, fmt.Errorf("Failed to convert SOURCE_DATE_EPOCH")
	}
	return sec, nil
}
