package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/pull"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// network is what commands that ask a remote's server have in common.
type network struct {
	cacheDir, url, userAgent *string
	headers                  *[]string
	retries                  *int
}

func addCacheDir(c *command) network {
	return network{cacheDir: c.flags.String("cache-dir", "", "keep summaries in `DIR`")}
}

func addNetwork(c *command) network {
	n := addCacheDir(c)
	f := c.flags
	n.url = f.String("url", "", "pull from `URL` and not from where the remote says")
	n.headers = f.StringArray("http-header", nil, "send the header `NAME=VALUE` with each request")
	n.userAgent = f.String("append-user-agent", "", "name `PROGRAM/VERSION` as well")
	_ = f.MarkHidden("append-user-agent")
	n.retries = f.Int("network-retries", -1, "make a request `N` times more when it fails (default: 5)")
	return n
}

// openRemote opens the source of a remote.
func (e *env) openRemote(ctx context.Context, r *repo.Repo, name string, n network) (*pull.Remote, error) {
	o, err := e.remoteOptions(r, n)
	if err != nil {
		return nil, err
	}
	return pull.OpenRemote(ctx, r, name, o)
}

// remoteOptions are what the flags and the environment say of how remotes are reached.
func (e *env) remoteOptions(r *repo.Repo, n network) (o pull.RemoteOptions, err error) {
	o = pull.RemoteOptions{UserAgent: "libostree/" + compatible, Retries: -1, SystemProxy: true}
	o.StrictCache = e.getenv("OSTREE_REPO_TEST_ERROR") == "invalid-cache"
	if e.getenv("OSTREE_SKIP_CACHE") == "" {
		o.Cache = r.CacheDir()
	}
	if *n.cacheDir != "" {
		if st, err := os.Stat(*n.cacheDir); err != nil || !st.IsDir() {
			return o, fmt.Errorf("opendir(%s): No such file or directory", *n.cacheDir)
		}
		o.Cache = *n.cacheDir
	}
	if n.url != nil {
		o.URL, o.Retries = *n.url, *n.retries
		if *n.userAgent != "" {
			o.UserAgent += " " + *n.userAgent
		}
		for _, h := range *n.headers {
			k, v, ok := strings.Cut(h, "=")
			if !ok {
				return o, errors.New("Missing '=' in --http-header")
			}
			o.Headers = append(o.Headers, [2]string{k, v})
		}
	}
	o.Keys, err = e.checkerOptions()
	return o, err
}

// pullOptions are the flags of pull that pull-local does not have.
type pullOptions struct {
	transfer
	network
	mirror, httpTrusted, dryRun, disableDeltas, timestamps *bool
	subpaths, caches                                       *[]string
	frequency                                              *int
	notOlderThan                                           *string
}

func pullCommand() *command {
	c := newCommand("pull", "REMOTE [BRANCH...]", "Fetch commits from a remote")
	f := c.flags
	o := pullOptions{
		transfer:      addTransfer(c),
		network:       addNetwork(c),
		disableDeltas: f.Bool("disable-static-deltas", false, "fetch objects one by one"),
		mirror:        f.Bool("mirror", false, "make the refs the repository's own; without BRANCH, all refs"),
		subpaths:      f.StringArray("subpath", nil, "fetch only `PATH` of trees"),
		httpTrusted:   f.Bool("http-trusted", false, "do not compare what a mirror stores with its checksums"),
		dryRun:        f.Bool("dry-run", false, "only say what there is to fetch; needs --require-static-deltas"),
		frequency:     f.Int("update-frequency", 0, "show progress each `MILLISECONDS`, 0 being 1000"),
		caches:        f.StringArrayP("localcache-repo", "L", nil, "take objects from `REPO` where it has them"),
		timestamps:    f.BoolP("timestamp-check", "T", false, "refuse commits that are older than what is there"),
		notOlderThan:  f.String("timestamp-check-from-rev", "", "refuse commits that are older than `REV`"),
	}
	c.run = func(ctx context.Context, e *env) error { return e.pullRemote(ctx, o) }
	return c
}

func (e *env) pullRemote(ctx context.Context, o pullOptions) error {
	r, err := e.open()
	if err != nil {
		return err
	}
	if len(e.args) == 0 {
		return usagef("REMOTE must be specified")
	}
	switch {
	case *o.dryRun && !*o.requireDeltas:
		return errors.New("--dry-run requires --require-static-deltas")
	case *o.disableDeltas && *o.requireDeltas:
		return errors.New("--disable-static-deltas and --require-static-deltas exclude each other")
	}
	name, refs, err := remoteAndRefs(e.args)
	if err != nil {
		return err
	}
	m, err := r.Remote(name)
	if err != nil {
		return err
	}
	if err := pull.Usable(m); err != nil {
		return err
	}
	if *o.requireDeltas && r.Mode() == ostree.ModeArchive {
		return errors.New("Can't use static deltas in an archive repo")
	}
	from, err := e.openRemote(ctx, r, name, o.network)
	if err != nil {
		return err
	}
	defer from.Close()
	p, err := e.pullFrom(r, from, refs, o)
	if err != nil {
		return err
	}
	return e.pull(ctx, p, time.Duration(*o.frequency)*time.Millisecond)
}

// remoteAndRefs reads REMOTE REF..., or REMOTE:REF.
func remoteAndRefs(args []string) (remote string, refs []pull.Ref, err error) {
	remote, names := args[0], args[1:]
	if before, ref, joined := strings.Cut(args[0], ":"); joined {
		if ref == "" {
			return "", nil, errors.New("Invalid refspec " + args[0])
		}
		remote, names = before, []string{ref}
	}
	refs, err = parseRefs(names)
	return remote, refs, err
}

// pullFrom puts together what is to be pulled from a remote.
func (e *env) pullFrom(r *repo.Repo, from *pull.Remote, refs []pull.Ref, o pullOptions) (pull.Options, error) {
	p := o.transfer.options(r)
	at := from.Options()
	p.From, p.Remote, p.Collection = at.From, at.Remote, at.Collection
	p.VerifyCommit, p.VerifySummary = at.VerifyCommit, at.VerifySummary
	if !from.IsLocal() {
		p.Import.Trust = *o.httpTrusted
	}
	switch {
	case *o.requireDeltas:
		p.Deltas = pull.DeltasRequired
	case *o.disableDeltas:
		p.Deltas = pull.DeltasNever
	}
	p.DryRun = *o.dryRun
	p.Refs, p.Mirror, p.Subpaths, p.NotOlder = refs, *o.mirror, *o.subpaths, *o.timestamps
	if len(refs) == 0 && !p.Mirror {
		if len(from.Branches) == 0 {
			return p, errors.New("No configured branches for remote " + from.Name)
		}
		var err error
		if p.Refs, err = parseRefs(from.Branches); err != nil {
			return p, err
		}
	}
	for _, path := range *o.caches {
		c, err := repo.Open(path)
		if err != nil {
			return p, fmt.Errorf("opening repo: %w", err)
		}
		p.Caches = append(p.Caches, c)
	}
	if *o.notOlderThan != "" {
		c, err := r.Resolve(*o.notOlderThan)
		if err != nil {
			return p, err
		}
		p.NotOlderThan = &c
	}
	return p, nil
}
