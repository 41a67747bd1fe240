package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// refsOptions are the flags of refs.
type refsOptions struct {
	remove, list, alias, collections, force, revision *bool
	create                                            *string
}

func refsCommand() *command {
	c := newCommand("refs", "[PREFIX]", "List, make and remove refs")
	f := c.flags
	o := refsOptions{
		remove:      f.Bool("delete", false, "remove the refs that are PREFIX, or below it"),
		list:        f.Bool("list", false, "show whole names, also with PREFIX"),
		revision:    f.BoolP("revision", "r", false, "show the commits as well"),
		alias:       f.BoolP("alias", "A", false, "list aliases; with --create, make one"),
		create:      f.String("create", "", "make `NEWREF` point to what PREFIX points to"),
		collections: f.BoolP("collections", "c", false, "list the refs of collections, with their IDs; PREFIX is an ID"),
		force:       f.Bool("force", false, "replace a ref that is there when creating"),
	}
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		switch {
		case e.given("create"):
			return e.createRef(r, o)
		case *o.remove && len(e.args) == 0:
			return errors.New("At least one PREFIX is required when deleting refs")
		case *o.remove:
			return e.deleteRefs(r, *o.collections)
		case *o.collections:
			return e.listCollectionRefs(r, o)
		case *o.alias:
			return e.listAliases(r)
		}
		return e.listRefs(r, o)
	}
	return c
}

// prefix is the first argument, or "".
func (e *env) prefix() string {
	if len(e.args) == 0 {
		return ""
	}
	return e.args[0]
}

// below takes a prefix off the name of a ref, and tells whether the ref is below it:
// below a folder, in a remote, or the ref of that name.
func below(name, prefix string) (string, bool) {
	if remote, ok := strings.CutSuffix(strings.TrimSuffix(prefix, "."), ":"); ok {
		return name, strings.HasPrefix(name, remote+":")
	}
	prefix = strings.TrimSuffix(prefix, "/")
	if prefix == "" || name == prefix {
		return name, true
	}
	return strings.CutPrefix(name, prefix+"/")
}

func (e *env) listRefs(r *repo.Repo, o refsOptions) error {
	for _, dir := range []string{"refs/heads", "refs/remotes"} { // where one is missing, refs may be lost
		if _, err := os.Stat(filepath.Join(r.Path(), dir)); err != nil {
			return fmt.Errorf("Listing refs: opendir(%s): %s", dir, strerror(err))
		}
	}
	refs, err := r.Refs()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		short, ok := below(name, e.prefix())
		if !ok {
			continue
		}
		if *o.list {
			short = name
		}
		e.printRef(short, refs[name], *o.revision)
	}
	return nil
}

func (e *env) printRef(name string, c ostree.Checksum, revision bool) {
	if revision {
		e.printf("%s\t%s\n", name, c)
	} else {
		e.printf("%s\n", name)
	}
}

func (e *env) listAliases(r *repo.Repo) error {
	aliases, err := r.Aliases()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(aliases)) {
		if _, ok := below(name, e.prefix()); ok {
			e.printf("%s -> %s\n", name, aliases[name])
		}
	}
	return nil
}

// collectionRefs are the refs of a collection, or with "" of all, in order.
func collectionRefs(r *repo.Repo, id string) ([]repo.RefName, map[repo.RefName]ostree.Checksum, error) {
	if id != "" {
		if err := ostree.CheckCollection(id); err != nil {
			return nil, nil, fmt.Errorf("Listing refs: %w", invalidCollection(id))
		}
	}
	refs, err := r.CollectionRefs()
	if err != nil {
		return nil, nil, err
	}
	maps.DeleteFunc(refs, func(n repo.RefName, _ ostree.Checksum) bool { return id != "" && n.Collection != id })
	list := slices.SortedFunc(maps.Keys(refs), func(a, b repo.RefName) int { return strings.Compare(a.String(), b.String()) })
	return list, refs, nil
}

func (e *env) listCollectionRefs(r *repo.Repo, o refsOptions) error {
	list, refs, err := collectionRefs(r, e.prefix())
	if err != nil {
		return err
	}
	for _, n := range list {
		e.printRef(n.String(), refs[n], *o.revision)
	}
	return nil
}

// deleteRefs removes the refs that the arguments stand for, all or none.
func (e *env) deleteRefs(r *repo.Repo, collections bool) error {
	var changes []repo.RefChange
	add := func(n repo.RefName) {
		if c := (repo.RefChange{RefName: n}); !slices.Contains(changes, c) {
			changes = append(changes, c)
		}
	}
	refs, err := r.Refs()
	if err != nil {
		return err
	}
	for _, prefix := range e.args {
		if collections {
			list, _, err := collectionRefs(r, prefix)
			if err != nil {
				return err
			}
			for _, n := range list {
				add(n)
			}
			continue
		}
		for name := range refs {
			if _, ok := below(name, prefix); ok {
				add(repo.RefName{Name: name})
			}
		}
	}
	return r.ChangeRefs(changes...)
}

func (e *env) createRef(r *repo.Repo, o refsOptions) error {
	switch {
	case len(e.args) == 0:
		return errors.New("You must specify a revision when creating a new ref")
	case len(e.args) > 1:
		return errors.New("You must specify only 1 existing ref when creating a new ref")
	}
	change := repo.RefChange{RefName: repo.RefName{Name: *o.create}}
	if *o.collections {
		id, name, _ := strings.Cut(*o.create, ":")
		if err := ostree.CheckCollection(id); err != nil {
			return invalidCollection(id)
		}
		change.RefName = repo.RefName{Collection: id, Name: name}
	} else if err := e.checkNew(r, o); err != nil {
		return err
	}
	if *o.alias && !*o.collections {
		if remote, _, ok := strings.Cut(*o.create, ":"); ok {
			return fmt.Errorf("Cannot create alias to remote ref: %s", remote)
		}
		if change.Alias = e.args[0]; !isLocal(r, change.Alias) {
			return fmt.Errorf("Cannot create alias to non-existent ref: %s", change.Alias)
		}
		return r.ChangeRefs(change)
	}
	c, err := r.Resolve(e.args[0])
	if err != nil {
		return err
	}
	change.Commit = &c
	return r.ChangeRefs(change)
}

// isLocal tells whether there is a ref of that name in the repository itself.
func isLocal(r *repo.Repo, name string) bool {
	refs, err := r.Refs()
	_, ok := refs[name]
	return err == nil && ok && !strings.Contains(name, ":")
}

// checkNew refuses a new ref that is there, unless it is an alias that is to lead
// elsewhere.
func (e *env) checkNew(r *repo.Repo, o refsOptions) error {
	if *o.force {
		return nil
	}
	refs, err := r.Refs()
	if err != nil {
		return err
	}
	aliases, err := r.Aliases()
	if err != nil {
		return err
	}
	if _, ok := refs[*o.create]; !ok || *o.alias && aliases[*o.create] != "" {
		return nil
	}
	return fmt.Errorf("--create specified but ref %s already exists", *o.create)
}

func invalidCollection(id string) error { return fmt.Errorf("Invalid collection ID %s", id) }
