package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

func commitFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "branch", Aliases: []string{"b"}, Usage: "move `REF` to the commit, whose parent is what it points to now"},
		&cli.BoolFlag{Name: "orphan", Usage: "make a commit that no ref points to"},
		&cli.StringFlag{Name: "subject", Aliases: []string{"s"}, Usage: "`TEXT` of one line"},
		&cli.StringFlag{Name: "body", Aliases: []string{"m"}, Usage: "longer `TEXT`"},
		&cli.StringFlag{Name: "parent", Usage: "`REV` of the parent, or none"},
		&cli.StringSliceFlag{Name: "add-metadata-string", Usage: "put `KEY=VALUE` into the commit's metadata"},
		&cli.BoolFlag{Name: "no-bindings", Usage: "don't write the ref's name into the commit"},
		&cli.BoolFlag{Name: "no-xattrs", Usage: "leave extended attributes out"},
		&cli.UintFlag{Name: "owner-uid", Usage: "`UID` of everything; else as on disk"},
		&cli.UintFlag{Name: "owner-gid", Usage: "`GID` of everything; else as on disk"},
	}
}

// commitFolder makes a commit of a folder.
func commitFolder(c *cli.Context, r *repo.Repo) error {
	ref := c.String("branch")
	if (ref == "") != c.Bool("orphan") {
		return usagef("commit: want --branch REF or --orphan")
	}
	now, _, err := clock()
	if err != nil {
		return err
	}
	commit := &ostree.Commit{Subject: c.String("subject"), Body: c.String("body"), Timestamp: uint64(now.Unix())}
	if commit.Metadata, err = commitMetadata(c, ref); err != nil {
		return err
	}
	if commit.Parent, err = commitParent(c, r, ref); err != nil {
		return err
	}
	root, err := repo.ReadFolder(c.Args().First(), folderOptions(c))
	if err != nil {
		return err
	}
	txn, err := r.Begin(c.Context)
	if err != nil {
		return err
	}
	defer txn.Abort()
	if commit.Root, commit.RootMeta, err = txn.WriteTree(c.Context, root, repo.TreeOptions{}); err != nil {
		return err
	}
	sum, err := txn.WriteCommit(commit)
	if err != nil {
		return err
	}
	if ref != "" {
		txn.SetRef(ref, sum)
	}
	if err := txn.Commit(c.Context); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.App.Writer, sum)
	return err
}

func commitMetadata(c *cli.Context, ref string) (ostree.Metadata, error) {
	var out ostree.Metadata
	for _, s := range c.StringSlice("add-metadata-string") {
		k, v, err := splitPair("add-metadata-string", s)
		if err != nil {
			return nil, err
		}
		out = append(out, ostree.MetaEntry{Key: k, Value: gvariant.Variant{Type: "s", Value: v}})
	}
	if !c.Bool("no-bindings") {
		refs := []any{}
		if ref != "" {
			refs = append(refs, ref)
		}
		out = append(out, ostree.MetaEntry{Key: ostree.KeyRefBinding, Value: gvariant.Variant{Type: "as", Value: refs}})
	}
	return out, nil
}

// commitParent is what --parent says, else what the ref points to.
func commitParent(c *cli.Context, r *repo.Repo, ref string) (*ostree.Checksum, error) {
	rev := c.String("parent")
	if rev == "none" || rev == "" && ref == "" {
		return nil, nil
	}
	sum, err := r.Resolve(cmp.Or(rev, ref))
	if rev == "" && errors.Is(err, ostree.ErrNotFound) {
		return nil, nil
	}
	return &sum, err
}

func folderOptions(c *cli.Context) repo.FolderOptions {
	o := repo.FolderOptions{NoXattrs: c.Bool("no-xattrs")}
	if c.IsSet("owner-uid") {
		id := uint32(c.Uint("owner-uid"))
		o.UID = &id
	}
	if c.IsSet("owner-gid") {
		id := uint32(c.Uint("owner-gid"))
		o.GID = &id
	}
	return o
}
