package pull

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/ostree"
)

// A BindingError is a commit that is not bound to what it was asked by.
type BindingError struct {
	Commit ostree.Checksum

	Ref  string   // that was asked for
	Refs []string // that the commit is bound to; nil: it does not say, or has the ref

	Collection string // of the remote
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

// checkBindings tells whether a commit may be pulled as a ref, "" being none, of a
// collection, "" being none.
func checkBindings(c ostree.Checksum, commit *ostree.Commit, ref, collection string) error {
	v, ok := commit.Lookup(ostree.KeyRefBinding)
	if !ok {
		if collection == "" {
			return nil
		}
		return &BindingError{Commit: c, Ref: ref, Collection: collection}
	}
	refs := []string{}
	list, _ := v.Value.([]any)
	for _, x := range list {
		if s, ok := x.(string); ok {
			refs = append(refs, s)
		}
	}
	if ref != "" && !slices.Contains(refs, ref) {
		return &BindingError{Commit: c, Ref: ref, Refs: refs, Collection: collection}
	}
	if bound := commit.Text(ostree.KeyCollectionBinding); collection != "" && bound != collection {
		return &BindingError{Commit: c, Collection: collection, Bound: bound}
	}
	return nil
}

// An OlderError is a commit that is older than it may be.
type OlderError struct {
	Commit, Than         ostree.Checksum
	CommitTime, ThanTime time.Time
}

func (e *OlderError) Error() string {
	return fmt.Sprintf("commit %s of %s is older than %s of %s", e.Commit, e.CommitTime.Format(time.DateTime), e.Than, e.ThanTime.Format(time.DateTime))
}

// checkAge compares a commit with the one that its ref is at, or that the caller names.
func (p *puller) checkAge(t target, commit *ostree.Commit) error {
	var than ostree.Checksum
	switch {
	case p.o.NotOlderThan != nil:
		than = *p.o.NotOlderThan
	case p.o.NotOlder && t.Name != "":
		c, ok, err := p.current(t.Ref)
		if err != nil || !ok {
			return err
		}
		than = c
	default:
		return nil
	}
	other, err := p.o.To.ReadCommit(than)
	if err != nil {
		return err
	}
	if commit.Timestamp >= other.Timestamp {
		return nil
	}
	return &OlderError{t.commit, than, time.Unix(int64(commit.Timestamp), 0).UTC(), time.Unix(int64(other.Timestamp), 0).UTC()}
}

// current is where a ref is before the pull.
func (p *puller) current(r Ref) (c ostree.Checksum, ok bool, err error) {
	name := p.filed(r)
	if strings.Contains(name, ":") || !p.o.Mirror || r.Collection == "" {
		c, err = p.o.To.Resolve(name)
	} else {
		c, err = Local{p.o.To}.resolve(r)
	}
	if errors.Is(err, ostree.ErrNotFound) {
		return c, false, nil
	}
	return c, err == nil, err
}
