package rootfs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
)

// ErrAccounts is in errors about accounts whose numbers hosts could not follow.
var ErrAccounts = errors.New("hosts keep files by number")

// IDs are the numbers of a user, or of a group, which has no UID.
type IDs struct{ UID, GID uint32 }

// AccountRules keep the numbers of users and groups from one commit to the next.
type AccountRules struct {
	// Passwd and Group, in the files' format, are accounts that there are before any
	// package's. What packages have under the same name is left out.
	Passwd, Group []byte

	// Users and Groups are what the tree is compared with, by name. nil: nothing.
	Users, Groups map[string]IDs

	// IgnoreUsers and IgnoreGroups name accounts that may be missing; "*" is all.
	IgnoreUsers, IgnoreGroups []string
}

// ParseAccounts reads the numbers of a passwd or group file. Lines that have none are
// left out.
func ParseAccounts(b []byte, groups bool) map[string]IDs {
	out := map[string]IDs{}
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		var ids IDs
		if groups && len(f) == 4 {
			if _, err := fmt.Sscan(f[2], &ids.GID); err == nil {
				out[f[0]] = ids
			}
		} else if !groups && len(f) == 7 {
			if _, err := fmt.Sscan(f[2]+" "+f[3], &ids.UID, &ids.GID); err == nil {
				out[f[0]] = ids
			}
		}
	}
	return out
}

// seed puts the accounts of the rules before those that packages have.
func (db *accountDB) seed(rules AccountRules) error {
	for _, s := range []struct {
		file string
		body []byte
		list *[]*account
	}{{passwdFile, rules.Passwd, &db.users}, {groupFile, rules.Group, &db.groups}} {
		if s.body == nil {
			continue
		}
		seeded := &accountDB{}
		read := func(name string) ([]byte, error) {
			if name == s.file {
				return s.body, nil
			}
			return nil, nil
		}
		if err := seeded.load(read); err != nil {
			return fmt.Errorf("accounts to begin with: %w", err)
		}
		first := seeded.users
		if s.file == groupFile {
			first = seeded.groups
		}
		for _, a := range *s.list {
			if find(first, a.name) == nil {
				first = append(first, a)
			}
		}
		*s.list = first
	}
	return nil
}

// checkAccounts compares the accounts of the finished tree with those that were there.
func (a *assembly) checkAccounts() error {
	used := map[bool]map[uint32]bool{false: {}, true: {}}
	err := a.root.Walk(func(_ string, n *filetree.Node) error {
		used[false][n.UID], used[true][n.GID] = true, true
		return nil
	})
	if err != nil {
		return err
	}
	rules := a.o.Accounts
	for _, c := range []struct {
		what, key, name string
		groups          bool
		want            map[string]IDs
		ignore          []string
	}{{"user", "check-passwd", "passwd", false, rules.Users, rules.IgnoreUsers}, {"group", "check-groups", "group", true, rules.Groups, rules.IgnoreGroups}} {
		have := map[string]IDs{}
		for _, dir := range []string{"usr/etc/", "usr/lib/"} {
			b, err := a.read(dir + c.name)
			if err != nil {
				return err
			}
			maps.Copy(have, ParseAccounts(b, c.groups))
		}
		for _, name := range slices.Sorted(maps.Keys(c.want)) {
			want := c.want[name]
			got, ok := have[name]
			number := want.UID
			if c.groups {
				number = want.GID
			}
			switch {
			case !ok && (slices.Contains(c.ignore, name) || slices.Contains(c.ignore, "*")):
			case !ok && !used[c.groups][number]:
				a.o.Warn(fmt.Sprintf("%s %s, which no file belongs to, is not in the tree any more", c.what, name))
			case !ok:
				return fmt.Errorf("%s: %s missing from new %s file: %s, and files belong to %d: %w: keep it, or name it in ignore-removed-%ss", c.key, strings.ToUpper(c.what[:1])+c.what[1:], c.name, name, number, ErrAccounts, c.what)
			case !c.groups && got.UID != want.UID:
				return changed(c.key, "passwd UID", name, want.UID, got.UID)
			case got.GID != want.GID:
				return changed(c.key, c.name+" GID", name, want.GID, got.GID)
			}
		}
	}
	return nil
}

func changed(key, what, name string, from, to uint32) error {
	return fmt.Errorf("%s: %s changed: %s (%d to %d): %w: give %s the number that it had, by a passwd file of %s or by sysusers.d", key, what, name, from, to, ErrAccounts, name, key)
}
