package composer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/repodata"
)

// Keys of rpm-ostree in a commit's metadata.
const (
	keyInputHash     = "rpmostree.inputhash"
	keyRepos         = "rpmostree.rpmmd-repos"
	keyInitramfsArgs = "rpmostree.initramfs-args"
	keyContainerCmd  = "ostree.container-cmd"
)

// commit writes the tree and its commit into the published repository and moves the
// ref, all or nothing.
func (o *ComposeOptions) commit(ctx context.Context, target *repo.Repo, prev *previous, r *resolution, in *imported, tree *filetree.Node, kernel string, report *ComposeReport) error {
	parent, err := o.parent(target, prev)
	if err != nil {
		return err
	}
	metadata, err := o.metadata(r, kernel, report)
	if err != nil {
		return err
	}
	txn, err := target.Begin(ctx)
	if err != nil {
		return err
	}
	defer txn.Abort()
	table, err := loadObjectTable(o.cacheDir("objects"))
	if err != nil {
		return err
	}
	files := 0
	root, meta, err := txn.WriteTree(ctx, tree, repo.TreeOptions{
		Lookup:   in.lookup(table),
		Learned:  table.learned,
		Progress: func(done, total int64) { o.Progress.Step("writing objects", done, total); files = int(total) },
	})
	if err != nil {
		return err
	}
	c := &ostree.Commit{Metadata: metadata, Parent: parent, Timestamp: uint64(o.Time.Unix()), Root: root, RootMeta: meta}
	if report.Commit, err = txn.WriteCommit(c); err != nil {
		return err
	}
	if r.treefile.RepoMetadata == "detached" {
		detached, err := ostree.Metadata{{Key: keyRepos, Value: repoTimes(r.repos)}}.Encode()
		if err == nil {
			err = txn.WriteDetached(report.Commit, detached)
		}
		if err != nil {
			return err
		}
	}
	report.ContentChecksum = c.ContentChecksum()
	report.Timestamp = o.Time.Format(time.RFC3339)
	if parent != nil {
		report.Parent = parent.String()
	}
	report.Objects, report.ObjectsWritten = files, txn.Written()
	if report.Ref != "" && o.CommitIDFile == "" {
		txn.SetRef(report.Ref, report.Commit)
	}
	if err := txn.Commit(ctx); err != nil {
		return err
	}
	return table.save()
}

// lookup tells the checksums of files that are in the tree as their packages have
// them, which were computed when they were unpacked, and of those that an earlier
// compose has met.
func (in *imported) lookup(table *objectTable) func(*filetree.Node) (ostree.Checksum, bool) {
	type header struct {
		mode   uint32
		xattrs int
	}
	known := map[ostree.Checksum]header{}
	for _, rec := range in.records {
		for i, f := range rec.Files {
			if rec.Objects[i] != (ostree.Checksum{}) {
				h := header{mode: f.Mode}
				if f.Caps != "" {
					h.xattrs = 1
				}
				known[rec.Objects[i]] = h
			}
		}
	}
	return func(n *filetree.Node) (ostree.Checksum, bool) {
		c, ok := n.From.(repo.Content)
		if ok && n.UID == 0 && n.GID == 0 {
			if h, ok := known[c.Checksum]; ok && h.mode == n.Mode && h.xattrs == len(n.Xattrs) {
				return c.Checksum, true
			}
		}
		return table.lookup(n)
	}
}

// parent is the commit that the new one follows; nil for none.
func (o *ComposeOptions) parent(target *repo.Repo, prev *previous) (*ostree.Checksum, error) {
	switch {
	case o.NoParent:
		return nil, nil
	case o.Parent != "":
		c, err := target.Resolve(o.Parent)
		if err != nil {
			return nil, fmt.Errorf("--parent: %w", err)
		}
		return &c, nil
	case prev != nil:
		return &prev.checksum, nil
	}
	return nil, nil
}

// metadata is the commit's metadata, sorted by key: the treefile's, the command
// line's, and rpm-ostree's keys.
func (o *ComposeOptions) metadata(r *resolution, kernel string, report *ComposeReport) ([]ostree.MetaEntry, error) {
	values := map[string]gvariant.Variant{}
	text := func(s string) gvariant.Variant { return gvariant.Variant{Type: "s", Value: s} }
	for k, v := range r.treefile.AddCommitMetadata {
		variant, err := toVariant(v)
		if err != nil {
			return nil, fmt.Errorf("add-commit-metadata: %s: %w", k, err)
		}
		values[k] = variant
	}
	for _, m := range o.Metadata {
		values[m.Key] = text(m.Value)
	}
	if report.Version != "" {
		values[ostree.KeyVersion] = text(report.Version)
	}
	values[keyInputHash] = text(report.InputHash)
	values[pkglistKey] = packageList(r.packages)
	if _, given := values[keyRepos]; !given && r.treefile.RepoMetadata == "inline" {
		values[keyRepos] = repoTimes(r.repos)
	}
	if args := r.treefile.InitramfsArgs; len(args) > 0 {
		values[keyInitramfsArgs] = stringList(args)
	}
	if cmd := r.treefile.ContainerCmd; len(cmd) > 0 {
		values[keyContainerCmd] = stringList(cmd)
	}
	if kernel != "" {
		values[ostree.KeyLinux] = text(kernel)
		values[ostree.KeyBootable] = gvariant.Variant{Type: "b", Value: true}
	}
	if report.Ref != "" {
		values[ostree.KeyRefBinding] = stringList([]string{report.Ref})
	}
	var out []ostree.MetaEntry
	for k, v := range values {
		out = append(out, ostree.MetaEntry{Key: k, Value: v})
	}
	slices.SortFunc(out, func(a, b ostree.MetaEntry) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

func stringList(list []string) gvariant.Variant {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return gvariant.Variant{Type: "as", Value: out}
}

// packageList is rpmostree.rpmdb.pkglist.
func packageList(packages []*repodata.Package) gvariant.Variant {
	sorted := slices.SortedFunc(slices.Values(packages), func(a, b *repodata.Package) int {
		return cmp.Or(strings.Compare(a.NEVRA.Name, b.NEVRA.Name), strings.Compare(a.NEVRA.Arch, b.NEVRA.Arch))
	})
	out := make([]any, len(sorted))
	for i, p := range sorted {
		epoch := p.NEVRA.Epoch
		if epoch == "" {
			epoch = "0"
		}
		out[i] = gvariant.Tuple{p.NEVRA.Name, epoch, p.NEVRA.Version, p.NEVRA.Release, p.NEVRA.Arch}
	}
	return gvariant.Variant{Type: "a(sssss)", Value: out}
}

// repoTimes is rpmostree.rpmmd-repos: each repository's name and age.
func repoTimes(repos []*repodata.Repo) gvariant.Variant {
	var out []any
	for _, r := range repos {
		out = append(out, []any{
			gvariant.Entry{Key: "id", Value: gvariant.Variant{Type: "s", Value: r.ID}},
			gvariant.Entry{Key: "timestamp", Value: gvariant.Variant{Type: "t", Value: bits.ReverseBytes64(uint64(r.Timestamp))}},
		})
	}
	return gvariant.Variant{Type: "aa{sv}", Value: out}
}

// toVariant turns a treefile's value into a variant, as rpm-ostree does; integers are
// big-endian.
func toVariant(v any) (gvariant.Variant, error) {
	switch v := v.(type) {
	case string:
		return gvariant.Variant{Type: "s", Value: v}, nil
	case bool:
		return gvariant.Variant{Type: "b", Value: v}, nil
	case int64:
		return gvariant.Variant{Type: "x", Value: int64(bits.ReverseBytes64(uint64(v)))}, nil
	case float64:
		return gvariant.Variant{Type: "d", Value: v}, nil
	case nil:
		return gvariant.Variant{Type: "mv", Value: nil}, nil
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			x, err := toVariant(e)
			if err != nil {
				return x, err
			}
			out[i] = x
		}
		return gvariant.Variant{Type: "av", Value: out}, nil
	case map[string]any:
		var out []any
		names := make([]string, 0, len(v))
		for k := range v {
			names = append(names, k)
		}
		slices.Sort(names)
		for _, k := range names {
			x, err := toVariant(v[k])
			if err != nil {
				return x, err
			}
			out = append(out, gvariant.Entry{Key: k, Value: x})
		}
		return gvariant.Variant{Type: "a{sv}", Value: out}, nil
	}
	return gvariant.Variant{}, errors.New("a value of this kind has no place in a commit")
}
