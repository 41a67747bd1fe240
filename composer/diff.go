package composer

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// DiffOptions names two commits of a repository.
type DiffOptions struct {
	Config
	Old, New string // ref, checksum or other revision
	Files    bool   // also compare the trees, file by file
}

// Diff is what changed from one commit to another.
type Diff struct {
	From, To ostree.Checksum
	Packages []PackageChange // by kind, then by name
	Files    []FileChange    // by path; only when asked for
}

// ChangeKind is what happened to a package, in the numbers of rpm-ostree's JSON.
type ChangeKind int

// The kinds of change.
const (
	Added ChangeKind = iota
	Removed
	Upgraded
	Downgraded
)

func (k ChangeKind) String() string {
	return [...]string{"Added", "Removed", "Upgraded", "Downgraded"}[k]
}

// PackageChange is one package that differs. Old is nil when it was added, New
// when it was removed.
type PackageChange struct {
	Name     string
	Kind     ChangeKind
	Old, New *nevra.NEVRA
}

// MarshalJSON writes rpm-ostree's form: [name, kind, {"PreviousPackage": …}].
func (p PackageChange) MarshalJSON() ([]byte, error) {
	which := map[string][3]string{}
	for key, n := range map[string]*nevra.NEVRA{"PreviousPackage": p.Old, "NewPackage": p.New} {
		if n != nil {
			which[key] = [3]string{n.Name, n.EVR.String(), n.Arch}
		}
	}
	return json.Marshal([]any{p.Name, int(p.Kind), which})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *PackageChange) UnmarshalJSON(b []byte) error {
	var which map[string][3]string
	parts := []any{&p.Name, &p.Kind, &which}
	if err := json.Unmarshal(b, &parts); err != nil {
		return fmt.Errorf("package change: %w", err)
	}
	for key, to := range map[string]**nevra.NEVRA{"PreviousPackage": &p.Old, "NewPackage": &p.New} {
		w, ok := which[key]
		if !ok {
			continue
		}
		evr, err := nevra.ParseEVR(w[1])
		if err != nil {
			return fmt.Errorf("package change %s: %w", p.Name, err)
		}
		*to = &nevra.NEVRA{Name: w[0], EVR: evr, Arch: w[2]}
	}
	return nil
}

// FileChange is one path that differs: 'A' added, 'D' deleted, 'M' modified.
type FileChange struct {
	Kind    byte
	Path    string
	OldSize int64 // bytes
	NewSize int64
}

// MarshalJSON writes the change with names for people.
func (f FileChange) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"change": string(f.Kind), "path": f.Path, "old-size": f.OldSize, "new-size": f.NewSize,
	})
}

// MarshalJSON writes the shape of `rpm-ostree db diff --format=json`, with the
// changed files added when they were asked for.
func (d *Diff) MarshalJSON() ([]byte, error) {
	m := map[string]any{
		"ostree-commit-from": d.From.String(), "ostree-commit-to": d.To.String(),
		"pkgdiff": slices.Concat([]PackageChange{}, d.Packages),
	}
	if d.Files != nil {
		m["files"] = d.Files
	}
	return json.Marshal(m)
}

// DiffCommits compares two commits.
func DiffCommits(ctx context.Context, o DiffOptions) (*Diff, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	r, err := repo.Open(o.Repo)
	if err != nil {
		return nil, err
	}
	d := &Diff{}
	if d.From, err = r.Resolve(o.Old); err != nil {
		return nil, err
	}
	if d.To, err = r.Resolve(o.New); err != nil {
		return nil, err
	}
	if d.Packages, err = diffPackages(r, d.From, d.To); err != nil {
		return nil, err
	}
	if o.Files {
		d.Files, err = diffFiles(ctx, r, d.From, d.To)
	}
	return d, err
}

func diffPackages(r *repo.Repo, from, to ostree.Checksum) ([]PackageChange, error) {
	before, err := commitPackages(r, from)
	if err != nil {
		return nil, err
	}
	after, err := commitPackages(r, to)
	if err != nil {
		return nil, err
	}
	return comparePackages(before, after), nil
}

// pkglistKey is the commit metadata with the packages of a tree, of type
// a(sssss): name, epoch, version, release, arch.
const pkglistKey = "rpmostree.rpmdb.pkglist"

func commitPackages(r *repo.Repo, c ostree.Checksum) ([]nevra.NEVRA, error) {
	commit, err := readCommit(r, c)
	if err != nil {
		return nil, err
	}
	v, ok := commit.Lookup(pkglistKey)
	if !ok {
		return nil, nil
	}
	list, ok := v.Value.([]any)
	if !ok || v.Type != "a(sssss)" {
		return nil, fmt.Errorf("commit %s: metadata %s has type %s: %w", c, pkglistKey, v.Type, ErrCorrupt)
	}
	out := make([]nevra.NEVRA, 0, len(list))
	for _, e := range list {
		t := e.(gvariant.Tuple) // the type says so
		out = append(out, nevra.NEVRA{Name: t[0].(string), Arch: t[4].(string),
			EVR: nevra.EVR{Epoch: t[1].(string), Version: t[2].(string), Release: t[3].(string)}})
	}
	return out, nil
}

func readCommit(r *repo.Repo, c ostree.Checksum) (*ostree.Commit, error) {
	raw, err := r.ReadObject(ostree.TypeCommit, c)
	if err != nil {
		return nil, err
	}
	return ostree.ParseCommit(raw)
}

func comparePackages(before, after []nevra.NEVRA) []PackageChange {
	type key struct{ name, arch string }
	index := func(list []nevra.NEVRA) map[key]*nevra.NEVRA {
		m := map[key]*nevra.NEVRA{}
		for i := range list {
			m[key{list[i].Name, list[i].Arch}] = &list[i]
		}
		return m
	}
	was, is := index(before), index(after)
	all := maps.Clone(was)
	maps.Copy(all, is)
	var out []PackageChange
	for k := range all {
		o, n := was[k], is[k]
		c := PackageChange{Name: k.name, Old: o, New: n}
		switch {
		case o == nil:
			c.Kind = Added
		case n == nil:
			c.Kind = Removed
		default:
			switch d := nevra.Compare(o.EVR, n.EVR); {
			case d < 0:
				c.Kind = Upgraded
			case d > 0:
				c.Kind = Downgraded
			default:
				continue
			}
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b PackageChange) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name), strings.Compare(a.arch(), b.arch()))
	})
	return out
}

func (p PackageChange) arch() string {
	if p.New != nil {
		return p.New.Arch
	}
	return p.Old.Arch
}

// diffFiles compares two trees by the checksums of their objects, so that a folder
// that is the same on both sides is not entered.
func diffFiles(ctx context.Context, r *repo.Repo, from, to ostree.Checksum) ([]FileChange, error) {
	before, err := r.ReadTree(ctx, from)
	if err != nil {
		return nil, err
	}
	after, err := r.ReadTree(ctx, to)
	if err != nil {
		return nil, err
	}
	out := []FileChange{}
	compareTrees("", before, after, &out)
	return out, nil
}

func compareTrees(at string, a, b *filetree.Node, out *[]FileChange) {
	names := map[string]bool{}
	for _, n := range []*filetree.Node{a, b} {
		if n != nil && n.Kind == filetree.Dir {
			for _, name := range n.Names() {
				names[name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		var x, y *filetree.Node
		if a != nil {
			x = a.Child(name)
		}
		if b != nil {
			y = b.Child(name)
		}
		p := at + "/" + name
		switch {
		case x == nil:
			*out = append(*out, FileChange{Kind: 'A', Path: p, NewSize: y.Size})
		case y == nil:
			*out = append(*out, FileChange{Kind: 'D', Path: p, OldSize: x.Size})
		case !sameNode(x, y):
			*out = append(*out, FileChange{Kind: 'M', Path: p, OldSize: x.Size, NewSize: y.Size})
		}
		if x != nil && x.Kind == filetree.Dir || y != nil && y.Kind == filetree.Dir {
			compareTrees(p, x, y, out)
		}
	}
}

// sameNode tells whether two nodes are the same but for what is in a folder. The
// sources of a commit's files compare equal when they name one object.
func sameNode(a, b *filetree.Node) bool {
	return a.Kind == b.Kind && a.Mode == b.Mode && a.UID == b.UID && a.GID == b.GID && a.Target == b.Target &&
		a.Size == b.Size && a.From == b.From &&
		slices.EqualFunc(a.Xattrs, b.Xattrs, func(x, y filetree.Xattr) bool {
			return x.Name == y.Name && string(x.Value) == string(y.Value)
		})
}
