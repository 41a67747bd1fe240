package composer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// StagePlan tells whether a stage would run, and because of which input.
type StagePlan struct {
	Stage   string   `json:"stage"`
	Runs    bool     `json:"runs"`
	Because []string `json:"because"`
}

// Explain tells what [Compose] would do, and does nothing.
func Explain(ctx context.Context, o ComposeOptions) ([]StagePlan, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	res, err := o.resolve(ctx)
	if err == nil {
		err = checkSupported(res.treefile)
	}
	if err != nil {
		return nil, err
	}
	plan := []StagePlan{{"resolve", true, []string{fmt.Sprintf("always; it chooses %d packages", len(res.packages))}}}
	target, err := repo.Open(o.Repo)
	if err != nil && !errors.Is(err, ostree.ErrNotFound) {
		return nil, err
	}
	why, err := o.whyCompose(ctx, target, res)
	if err != nil {
		return nil, err
	}
	if why == nil {
		same := []string{"no input changed since the commit of " + res.treefile.Ref}
		return append(plan, StagePlan{"import", false, same}, StagePlan{"assemble", false, same}, StagePlan{"commit", false, same}), nil
	}
	fetch, err := o.planImport(ctx, res)
	if err != nil {
		return nil, err
	}
	return append(plan, fetch, StagePlan{"assemble", true, why}, StagePlan{"commit", true, []string{"there is a new tree"}}), nil
}

// planImport lists the packages that are yet to be unpacked.
func (o *ComposeOptions) planImport(ctx context.Context, res *resolution) (StagePlan, error) {
	p := StagePlan{Stage: "import"}
	keys, err := res.keys(ctx)
	if err != nil {
		return p, err
	}
	missing := make([]int, len(res.packages))
	for i := range missing {
		missing[i] = i
	}
	build, err := repo.Open(o.cacheDir("build"))
	if err == nil {
		missing, err = o.records(&imported{build: build}, res, keys)
	} else if errors.Is(err, ostree.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return p, err
	}
	if len(missing) == 0 {
		p.Because = []string{"every package was unpacked before"}
		return p, nil
	}
	p.Runs = true
	for _, i := range missing {
		p.Because = append(p.Because, res.packages[i].NEVRA.String())
	}
	return p, nil
}

// whyCompose lists the inputs that differ from those of the ref's commit; nil when none
// does.
func (o *ComposeOptions) whyCompose(ctx context.Context, target *repo.Repo, res *resolution) ([]string, error) {
	if target == nil {
		return []string{"the repository does not exist"}, nil
	}
	prev, err := previousCommit(target, res.treefile.Ref)
	if err != nil {
		return nil, err
	}
	if prev == nil {
		return []string{"there is no commit yet"}, nil
	}
	hash, err := inputHash(target, res, o)
	if err != nil {
		return nil, err
	}
	if prev.commit.Text(keyInputHash) == hash {
		if o.Force {
			return []string{"it is asked for, though no input changed"}, nil
		}
		return nil, nil
	}
	why, err := o.changedInputs(ctx, target, prev, res)
	if err == nil && len(why) == 0 {
		why = []string{"a file that the treefile names, a layer, or whether scripts run"}
	}
	return why, err
}

// changedInputs compares packages and treefile with those that the commit tells of.
func (o *ComposeOptions) changedInputs(ctx context.Context, target *repo.Repo, prev *previous, res *resolution) ([]string, error) {
	before, err := commitPackages(target, prev.checksum)
	if err != nil {
		return nil, err
	}
	after := make([]nevra.NEVRA, len(res.packages))
	for i, p := range res.packages {
		after[i] = p.NEVRA
	}
	var why []string
	for _, c := range comparePackages(before, after) {
		why = append(why, "package "+orNothing(c.Old)+" -> "+orNothing(c.New))
	}
	root, err := target.ReadTree(ctx, prev.checksum)
	if err != nil {
		return nil, err
	}
	old, err := readNode(root, "usr/share/rpm-ostree/treefile.json")
	if err != nil || old == nil {
		return why, err
	}
	now, err := res.treefile.JSON()
	if err != nil {
		return nil, err
	}
	keys, err := changedKeys(old, now)
	if len(keys) > 0 {
		why = append(why, "treefile: "+strings.Join(keys, ", "))
	}
	return why, err
}

// changedKeys lists the keys of two flattened treefiles that differ.
func changedKeys(a, b []byte) ([]string, error) {
	var old, now map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(a, &old), json.Unmarshal(b, &now)); err != nil {
		return nil, fmt.Errorf("treefile of the commit: %w", err)
	}
	keys := map[string]bool{}
	for k := range old {
		keys[k] = true
	}
	for k := range now {
		keys[k] = true
	}
	maps.DeleteFunc(keys, func(k string, _ bool) bool { return string(old[k]) == string(now[k]) })
	return slices.Sorted(maps.Keys(keys)), nil
}

func orNothing(n *nevra.NEVRA) string {
	if n == nil {
		return "(none)"
	}
	return n.String()
}
