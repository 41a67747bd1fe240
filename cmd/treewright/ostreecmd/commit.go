package ostreecmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// commitOptions are the flags of commit.
type commitOptions struct {
	branch, subject, body, parent *string
	orphan, noBindings, noXattrs  *bool
	metadata                      *[]string
	uid, gid                      *uint32
}

func commitCommand() *command {
	c := newCommand("commit", "[PATH]", "Make a commit of a folder and print its checksum")
	f := c.flags
	o := commitOptions{
		branch:     f.StringP("branch", "b", "", "move `REF` to the commit, whose parent is what it points to now"),
		subject:    f.StringP("subject", "s", "", "`TEXT` of one line"),
		body:       f.StringP("body", "m", "", "longer `TEXT`"),
		parent:     f.String("parent", "", "`REV` of the parent, or none"),
		orphan:     f.Bool("orphan", false, "make a commit that no ref points to"),
		noBindings: f.Bool("no-bindings", false, "don't write the ref's name into the commit"),
		noXattrs:   f.Bool("no-xattrs", false, "leave extended attributes out"),
		metadata:   f.StringArray("add-metadata-string", nil, "put `KEY=VALUE` into the commit's metadata"),
		uid:        f.Uint32("owner-uid", 0, "`UID` of everything; else as on disk"),
		gid:        f.Uint32("owner-gid", 0, "`GID` of everything; else as on disk"),
	}
	c.run = func(ctx context.Context, e *env) error { return e.makeCommit(ctx, o) }
	return c
}

func (e *env) makeCommit(ctx context.Context, o commitOptions) error {
	r, err := e.open()
	if err != nil {
		return err
	}
	if *o.branch == "" && !*o.orphan {
		return usagef("A branch must be specified or use --orphan")
	}
	now, err := e.now()
	if err != nil {
		return err
	}
	commit := &ostree.Commit{Subject: *o.subject, Body: *o.body, Timestamp: uint64(now.Unix())}
	if commit.Metadata, err = o.commitMetadata(); err != nil {
		return err
	}
	if commit.Parent, err = o.commitParent(r); err != nil {
		return err
	}
	dir := "."
	if len(e.args) > 0 {
		dir = e.args[0]
	}
	root, err := repo.ReadFolder(dir, e.folderOptions(o))
	if err != nil {
		return err
	}
	txn, err := r.Begin(ctx)
	if err != nil {
		return err
	}
	defer txn.Abort()
	if commit.Root, commit.RootMeta, err = txn.WriteTree(ctx, root, repo.TreeOptions{}); err != nil {
		return err
	}
	sum, err := txn.WriteCommit(commit)
	if err != nil {
		return err
	}
	if *o.branch != "" {
		txn.SetRef(*o.branch, sum)
	}
	if err := txn.Commit(ctx); err != nil {
		return err
	}
	e.printf("%s\n", sum)
	return nil
}

func (o commitOptions) commitMetadata() (ostree.Metadata, error) {
	var out ostree.Metadata
	for _, s := range *o.metadata {
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return nil, fmt.Errorf("Missing '=' in KEY=VALUE metadata '%s'", s)
		}
		out = append(out, ostree.MetaEntry{Key: k, Value: gvariant.Variant{Type: "s", Value: v}})
	}
	if !*o.noBindings {
		refs := []any{}
		if *o.branch != "" {
			refs = append(refs, *o.branch)
		}
		out = append(out, ostree.MetaEntry{Key: ostree.KeyRefBinding, Value: gvariant.Variant{Type: "as", Value: refs}})
	}
	return out, nil
}

// commitParent is what --parent says, else what the ref points to.
func (o commitOptions) commitParent(r *repo.Repo) (*ostree.Checksum, error) {
	if *o.parent == "none" || *o.parent == "" && *o.branch == "" {
		return nil, nil
	}
	sum, err := r.Resolve(cmp.Or(*o.parent, *o.branch))
	if *o.parent == "" && errors.Is(err, ostree.ErrNotFound) {
		return nil, nil
	}
	return &sum, err
}

func (e *env) folderOptions(o commitOptions) repo.FolderOptions {
	fo := repo.FolderOptions{NoXattrs: *o.noXattrs}
	if e.given("owner-uid") {
		fo.UID = o.uid
	}
	if e.given("owner-gid") {
		fo.GID = o.gid
	}
	return fo
}

func parseEpoch(s string) (int64, error) {
	sec, err := strconv.ParseInt(s, 10, 64)
	if err != nil || sec < 0 {
		return 0, fmt.Errorf("SOURCE_DATE_EPOCH=%q: want seconds since 1970", s)
	}
	return sec, nil
}
