package composer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/repodata/fetch"
	"github.com/treewright/treewright/pkg/repodata/modulemd"
	"github.com/treewright/treewright/pkg/solver"
	"github.com/treewright/treewright/pkg/treefile"
)

// RPMRepo names an RPM repository on the command line.
type RPMRepo struct {
	ID    string
	Place string // URL or folder
}

// ResolveOptions tells which packages are asked for.
type ResolveOptions struct {
	Config
	Treefile   string    // path; required
	Lockfiles  []string  // paths, the later ones over the earlier; none: the treefile's name with .lock.json, when it is there
	Locked     bool      // take exactly the lockfile's packages
	Releasever string    // overrides the treefile's
	RPMRepos   []RPMRepo // add to those beside the treefile, or change their place
	Cachedir   string    // holds downloads, also of other workdirs; empty: the workdir's cache
	VarsDir    string    // folder of variables for .repo files, as /etc/dnf/vars; empty: none
}

// ResolvedPackage is a package that was chosen, with the RPM repository it is from.
type ResolvedPackage struct {
	NEVRA nevra.NEVRA `json:"nevra"`
	Repo  string      `json:"repo"`
	Size  int64       `json:"size"` // bytes of the package file
}

// resolution is what the stage hands on.
type resolution struct {
	treefile *treefile.Treefile
	client   *fetch.Client
	configs  map[string]repodata.RepoConfig
	repos    []*repodata.Repo
	packages []*repodata.Package // in install order
}

// Flatten returns the treefile with all includes merged, as JSON.
func Flatten(ctx context.Context, o ResolveOptions) ([]byte, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	t, err := o.parse()
	if err != nil {
		return nil, err
	}
	return t.JSON()
}

// Resolve chooses the packages of a treefile and changes nothing but the cache.
func Resolve(ctx context.Context, o ResolveOptions) ([]ResolvedPackage, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	unlock, err := o.lockWorkdir(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	r, err := o.resolve(ctx)
	if err != nil {
		return nil, err
	}
	o.Progress.Step("", 0, 0)
	out := make([]ResolvedPackage, len(r.packages))
	for i, p := range r.packages {
		out[i] = ResolvedPackage{p.NEVRA, p.Repo.ID, p.Size}
	}
	return out, nil
}

// parse reads the treefile and what it includes. Includes may lie anywhere, so the
// file system is the whole one.
func (o *ResolveOptions) parse() (*treefile.Treefile, error) {
	abs, err := filepath.Abs(o.Treefile)
	if err != nil {
		return nil, err
	}
	t, err := treefile.Parse(os.DirFS("/"), strings.TrimPrefix(filepath.ToSlash(abs), "/"), treefile.Options{
		Basearch: o.Arch, Releasever: o.Releasever, ShowPath: func(name string) string { return userPath("/" + name) },
	})
	var te *treefile.Error
	if errors.Is(err, fs.ErrNotExist) && !errors.As(err, &te) {
		return nil, fmt.Errorf("treefile %s: %w", o.Treefile, ErrNotFound)
	}
	return t, err
}

// userPath is abs seen from the working folder when it lies below it.
func userPath(abs string) string {
	wd, err := os.Getwd()
	if err != nil {
		return abs
	}
	rel, err := filepath.Rel(wd, abs)
	if err != nil || strings.HasPrefix(rel, "..") {
		return abs
	}
	return rel
}

// resolve parses the treefile, loads the repositories' metadata and runs the solver.
func (o *ResolveOptions) resolve(ctx context.Context) (*resolution, error) {
	t, err := o.parse()
	if err != nil {
		return nil, err
	}
	lock, err := o.lock()
	if err != nil {
		return nil, err
	}
	return o.resolveWith(ctx, t, lock)
}

// lock reads the lockfiles that apply, or returns nil.
func (o *ResolveOptions) lock() (*treefile.Lockfile, error) {
	if len(o.Lockfiles) > 0 {
		l, err := overlay(nil, o.Lockfiles)
		return l, missingLock(err, o.Treefile)
	}
	path := lockfilePath(o.Treefile)
	l, err := readLockfile(path)
	if err == nil && l == nil && o.Locked {
		return nil, missingLock(fmt.Errorf("lockfile %s: %w", path, ErrNotFound), o.Treefile)
	}
	return l, err
}

// missingLock says what writes a lockfile that is not there.
func missingLock(err error, treefile string) error {
	if errors.Is(err, ErrNotFound) {
		return &hintError{err, "treewright lock " + treefile + " writes it"}
	}
	return err
}

func (o *ResolveOptions) resolveWith(ctx context.Context, t *treefile.Treefile, lock *treefile.Lockfile) (*resolution, error) {
	r, err := o.openRepos(ctx, t, lock != nil && len(lock.Packages) > 0)
	if err != nil {
		return nil, err
	}
	o.Progress.Step("choosing packages", 0, 0)
	if err := r.solve(ctx, o, lock); err != nil {
		return nil, err
	}
	o.Log.WithField("packages", len(r.packages)).Info("resolved")
	return r, nil
}

// openRepos loads the metadata of the RPM repositories that a treefile uses.
func (o *ResolveOptions) openRepos(ctx context.Context, t *treefile.Treefile, locked bool) (*resolution, error) {
	r := &resolution{treefile: t, configs: map[string]repodata.RepoConfig{}}
	r.client = &fetch.Client{Cache: o.downloads(), Offline: o.Offline, Time: o.Time, Log: o.Log, Progress: o.Progress}
	configs, err := o.enabledRepos(t, locked)
	if err != nil {
		return nil, err
	}
	return r, r.load(ctx, o, configs)
}

// unavailable tells whether an error says that a repository cannot be had, and not
// that what was had is bad.
func unavailable(ctx context.Context, err error) bool {
	return ctx.Err() == nil && !errors.Is(err, digest.ErrMismatch) && !errors.Is(err, repodata.ErrMalformed) && !errors.Is(err, fetch.ErrSignature)
}

// loadError gives errors of a repository the sentinel and the hint that commands show.
func loadError(err error) error {
	switch {
	case errors.Is(err, fetch.ErrNotFound):
		return &hintError{kindError{err, ErrNotFound}, "a folder of packages becomes a repository with createrepo_c"}
	case errors.Is(err, digest.ErrMismatch), errors.Is(err, repodata.ErrMalformed), errors.Is(err, modulemd.ErrMalformed), errors.Is(err, fetch.ErrSignature):
		return kindError{err, ErrCorrupt}
	}
	return err
}

// solve runs the solver, and once more when it needs file lists that the primary
// metadata does not have.
func (r *resolution) solve(ctx context.Context, o *ResolveOptions, lock *treefile.Lockfile) error {
	t := r.treefile
	modules, more, err := r.modules(ctx, o)
	if err != nil {
		return err
	}
	req := solver.Request{
		Install: slices.Concat(t.Packages, more), Modules: modules, Exclude: t.ExcludePackages, Weak: t.Recommends, Arch: o.Arch, Strict: o.Locked,
		Files: func(ctx context.Context, paths []string, found func(*repodata.Repo, int, string)) error {
			for _, repo := range r.repos {
				err := r.client.Filelists(ctx, r.configs[repo.ID], repo, paths, func(i int, path string) { found(repo, i, path) })
				if err != nil {
					return loadError(err)
				}
			}
			return nil
		},
	}
	if len(req.Install) == 0 && len(t.RepoPackages) == 0 {
		return fmt.Errorf("treefile %s: no packages", o.Treefile)
	}
	for _, p := range t.RepoPackages {
		req.FromRepo = append(req.FromRepo, solver.FromRepo{Repo: p.Repo, Words: p.Packages})
	}
	if lock != nil {
		req.Lock = map[string]solver.Lock{}
		for name, l := range lock.Packages {
			req.Lock[name] = solver.Lock{Text: l.EVR + l.EVRA, Matches: func(p *repodata.Package) bool { return lockMatches(l, p) }}
		}
	}
	tx, err := solver.Solve(ctx, r.repos, req)
	if err != nil {
		return r.explain(ctx, err, o)
	}
	r.packages = tx.Install
	return nil
}
