package pull

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/ostree"
)

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
