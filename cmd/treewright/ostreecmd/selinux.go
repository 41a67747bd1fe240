package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/selinux"
)

// labelFlags say which SELinux policy a commit's files are labelled by.
type labelFlags struct {
	policy   *string
	fromBase *bool
	epoch    *int
}

func addLabelFlags(f *pflag.FlagSet) labelFlags {
	return labelFlags{
		policy:   f.String("selinux-policy", "", "label files by the SELinux policy of the system below `PATH`"),
		fromBase: f.BoolP("selinux-policy-from-base", "P", false, "label files by the SELinux policy of --base, else of the first --tree"),
		epoch:    f.Int("selinux-labeling-epoch", 0, "with `EPOCH` 1 /usr/etc is labelled as /etc"),
	}
}

// labels is the source of labels that the flags ask for; nil for none.
func (o labelFlags) labels(ctx context.Context, e *env, r *repo.Repo, trees treeOptions) (func(string, uint32) (string, bool, error), error) {
	if *o.epoch != 0 && *o.epoch != 1 {
		return nil, fmt.Errorf("Unknown SELinux labeling epoch %d", *o.epoch)
	}
	given := e.given("selinux-policy")
	if given && *o.fromBase {
		return nil, errors.New("Cannot specify both --selinux-policy and --selinux-policy-from-base")
	}
	var p *selinux.Policy
	var err error
	switch {
	case given:
		p, err = policyOfFolder(*o.policy)
	case *o.fromBase:
		p, err = trees.basePolicy(ctx, r, e.args)
	}
	if p == nil || err != nil {
		return nil, err
	}
	etc := *o.epoch == 1
	return func(at string, mode uint32) (string, bool, error) {
		label, ok := p.Label(selinux.PathForLabel(at, etc), mode)
		return label, ok, nil
	}, nil
}

// basePolicy is the policy of what the tree begins with; nil when there is none.
func (o treeOptions) basePolicy(ctx context.Context, r *repo.Repo, args []string) (*selinux.Policy, error) {
	rev := *o.base
	if rev == "" {
		kind, what, _ := strings.Cut(o.specs(args)[0], "=")
		switch kind {
		case "dir":
			return policyOfFolder(what)
		case "ref":
			rev = what
		default:
			return nil, nil
		}
	}
	c, err := r.Resolve(rev)
	if err != nil {
		return nil, err
	}
	return policyOfCommit(ctx, r, c)
}

// policyOfFolder is the policy of the system below dir; nil when there is none.
func policyOfFolder(dir string) (*selinux.Policy, error) {
	if st, err := os.Stat(dir); err == nil && !st.IsDir() {
		return nil, fmt.Errorf("opendir(%s): %s", dir, strerror(unix.ENOTDIR))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opendir(%s): %s", dir, strerror(err))
	}
	defer root.Close()
	p, err := selinux.Load(root.FS())
	if errors.Is(err, selinux.ErrNoPolicy) {
		return nil, nil
	}
	return p, err
}

// policyOfCommit is the policy in /usr/etc/selinux of a commit; nil when there is none.
func policyOfCommit(ctx context.Context, r *repo.Repo, c ostree.Checksum) (*selinux.Policy, error) {
	root := filetree.NewDir(0o755)
	err := r.Ls(ctx, c, repo.LsOptions{Path: "/usr/etc/selinux", Recursive: true}, func(e repo.LsEntry) error {
		n := *e.Node
		if n.Kind == filetree.File {
			n.From = repo.Content{Repo: r, Checksum: e.Checksum}
		}
		return root.Put(path.Clean(e.Path), &n)
	})
	if errors.Is(err, ostree.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := selinux.Load(filetree.FS(root))
	if errors.Is(err, selinux.ErrNoPolicy) {
		return nil, nil
	}
	return p, err
}
