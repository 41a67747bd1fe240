package ostree

import (
	"fmt"
	"slices"
)

// A BindingError is a commit that is not bound to what it was asked by.
type BindingError struct {
	Commit Checksum

	Ref  string   // that was asked for
	Refs []string // that the commit is bound to; nil: it does not say, or has the ref

	Collection string // that was asked for
	Bound      string // the collection that the commit is bound to; "": it does not say
}

func (e *BindingError) Error() string {
	switch {
	case e.Ref != "" && e.Refs != nil:
		return fmt.Sprintf("commit %s is bound to the refs %q, not to %s", e.Commit, e.Refs, e.Ref)
	case e.Ref != "":
		return fmt.Sprintf("commit %s is not bound to a ref", e.Commit)
	}
	return fmt.Sprintf("commit %s is bound to the collection %q, not to %s", e.Commit, e.Bound, e.Collection)
}

// RefBindings are the refs that a commit says it is meant for; ok is false when it says
// nothing.
func (c *Commit) RefBindings() (refs []string, ok bool) {
	v, ok := c.Lookup(KeyRefBinding)
	if !ok {
		return nil, false
	}
	refs = []string{}
	list, _ := v.Value.([]any)
	for _, x := range list {
		if s, ok := x.(string); ok {
			refs = append(refs, s)
		}
	}
	return refs, true
}

// CheckBindings tells whether the commit, whose checksum is sum, may stand for a ref,
// "" being none, of a collection, "" being none. Without a collection a commit that
// is bound to nothing may. The error is a [*BindingError].
func (c *Commit) CheckBindings(sum Checksum, ref, collection string) error {
	refs, ok := c.RefBindings()
	switch {
	case !ok && collection == "":
		return nil
	case !ok:
		return &BindingError{Commit: sum, Ref: ref, Collection: collection}
	case ref != "" && !slices.Contains(refs, ref):
		return &BindingError{Commit: sum, Ref: ref, Refs: refs, Collection: collection}
	}
	if bound := c.Text(KeyCollectionBinding); collection != "" && bound != collection {
		return &BindingError{Commit: sum, Collection: collection, Bound: bound}
	}
	return nil
}
