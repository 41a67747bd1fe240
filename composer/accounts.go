package composer

import (
	"context"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/rootfs"
	"github.com/treewright/treewright/pkg/treefile"
)

// accountRules are what the treefile wants of users and groups: that they keep the
// numbers of a file, or of the previous commit.
func accountRules(ctx context.Context, target *repo.Repo, prev *previous, t *treefile.Treefile) (rules rootfs.AccountRules, err error) {
	rules.IgnoreUsers, rules.IgnoreGroups = t.IgnoreRemovedUsers, t.IgnoreRemovedGroups
	var last *filetree.Node
	for _, k := range []struct {
		check  treefile.Check
		name   string
		groups bool
		seed   *[]byte
		want   *map[string]rootfs.IDs
	}{{t.CheckPasswd, "passwd", false, &rules.Passwd, &rules.Users}, {t.CheckGroups, "group", true, &rules.Group, &rules.Groups}} {
		var before []byte
		switch {
		case k.check.Type == "file":
			before = k.check.File.Body
		case prev != nil && (t.PreservePasswd || k.check.Type == "previous"):
			if last == nil {
				if last, err = target.ReadTree(ctx, prev.checksum); err != nil {
					return rules, err
				}
			}
			for _, dir := range []string{"usr/etc/", "usr/lib/"} {
				b, err := readNode(last, dir+k.name)
				if err != nil {
					return rules, err
				}
				before = append(before, b...)
			}
		}
		if t.PreservePasswd {
			*k.seed = before
		}
		switch k.check.Type {
		case "file", "previous":
			*k.want = rootfs.ParseAccounts(before, k.groups)
		case "data":
			*k.want = map[string]rootfs.IDs{}
			for name, ids := range k.check.Entries {
				(*k.want)[name] = rootfs.IDs{UID: ids.UID, GID: ids.GID}
			}
		}
	}
	return rules, nil
}
