package composer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/treefile"
)

// load reads the metadata of the RPM repositories, several at a time, in their order.
func (r *resolution) load(ctx context.Context, o *ResolveOptions, configs []repodata.RepoConfig) error {
	repos := make([]*repodata.Repo, len(configs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	o.Progress.Step("reading RPM repositories", 0, int64(len(configs)))
	for i, c := range configs {
		if c.GPGCheck && len(c.GPGKey) == 0 {
			return &hintError{fmt.Errorf("RPM repository %s: gpgcheck is on, but there is no gpgkey", c.ID),
				"name the file or URL of its key with gpgkey= in the .repo file, or set gpgcheck=0 if you trust the place it names"}
		}
		group.Go(func() (err error) {
			repos[i], err = r.client.Load(ctx, c)
			if err != nil && c.SkipMissing && unavailable(ctx, err) {
				o.Log.WithError(err).Warn("going on without it: skip_if_unavailable is set")
				return nil
			}
			if err != nil {
				return loadError(err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, c := range configs {
		if repos[i] != nil {
			repos[i].Locked = slices.Contains(r.treefile.LockfileRepos, c.ID)
			r.repos = append(r.repos, repos[i])
			r.configs[c.ID] = c
		}
	}
	return nil
}

// downloads is the folder of the downloads' cache.
func (o *ResolveOptions) downloads() string {
	if o.Cachedir != "" {
		return o.Cachedir
	}
	return o.cacheDir("")
}

// enabledRepos lists the RPM repositories to use: those that the treefile names, or
// else those enabled in the .repo files beside it; and those of the command line. With
// a lockfile there are also those for packages that it names.
func (o *ResolveOptions) enabledRepos(t *treefile.Treefile, locked bool) ([]repodata.RepoConfig, error) {
	all, err := o.repoFiles(t)
	if err != nil {
		return nil, err
	}
	wanted := slices.Clone(t.Repos)
	for _, r := range o.RPMRepos {
		place, err := repoPlace(r.Place, "")
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(all, func(c repodata.RepoConfig) bool { return c.ID == r.ID })
		if i < 0 {
			all = append(all, newRepoConfig(r.ID))
			i = len(all) - 1
		}
		all[i].BaseURL, all[i].Mirrorlist, all[i].Metalink, all[i].Enabled = []string{place}, "", "", true
		if len(t.Repos) > 0 && !slices.Contains(wanted, r.ID) {
			wanted = append(wanted, r.ID)
		}
	}
	var more []string
	if locked {
		more = t.LockfileRepos
	}
	if len(wanted) == 0 {
		all = slices.DeleteFunc(all, func(c repodata.RepoConfig) bool { return !c.Enabled && !slices.Contains(more, c.ID) })
		if len(all) == 0 {
			return nil, &hintError{errors.New("no enabled RPM repositories"),
				"put a .repo file beside the treefile, or give --rpm-repo ID=URL-or-DIR"}
		}
		return all, nil
	}
	var out []repodata.RepoConfig
	for _, id := range append(wanted, more...) {
		i := slices.IndexFunc(all, func(c repodata.RepoConfig) bool { return c.ID == id })
		if i < 0 {
			return nil, unknownRepo(id, all)
		}
		out = append(out, all[i])
	}
	return out, nil
}

func unknownRepo(id string, known []repodata.RepoConfig) error {
	ids := make([]string, len(known))
	for i, c := range known {
		ids[i] = c.ID
	}
	have := "there is no .repo file beside the treefile"
	if len(ids) > 0 {
		have = "those known are " + strings.Join(ids, ", ")
	}
	return &hintError{fmt.Errorf("RPM repository %s: %w: %s", id, ErrNotFound, have),
		"give its place with --rpm-repo " + id + "=URL-or-DIR, or put a .repo file with [" + id + "] beside the treefile"}
}

// repoFiles reads the .repo files beside the treefile, in the order of their names.
func (o *ResolveOptions) repoFiles(t *treefile.Treefile) ([]repodata.RepoConfig, error) {
	dir := filepath.Dir(o.Treefile)
	files, err := filepath.Glob(filepath.Join(dir, "*.repo"))
	if err != nil {
		return nil, err
	}
	vars, err := o.variables(t)
	if err != nil {
		return nil, err
	}
	var out []repodata.RepoConfig
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		configs, err := repodata.ParseRepoFile(userPath(f), b, vars)
		if err != nil {
			return nil, err
		}
		for i := range configs {
			if err := placeRepo(&configs[i], dir); err != nil {
				return nil, err
			}
		}
		out = append(out, configs...)
	}
	return out, nil
}

// variables are those of .repo files: of the folder, then the treefile's.
func (o *ResolveOptions) variables(t *treefile.Treefile) (map[string]string, error) {
	vars := map[string]string{}
	if o.VarsDir != "" {
		var err error
		if vars, err = repodata.ReadVars(os.DirFS(o.VarsDir)); err != nil {
			return nil, fmt.Errorf("variables in %s: %w", o.VarsDir, err)
		}
	}
	vars["basearch"], vars["arch"] = o.Arch, o.Arch
	if v := t.Releasever; v != "" {
		vars["releasever"] = v
		major, minor, _ := strings.Cut(v, ".")
		vars["releasever_major"], vars["releasever_minor"] = major, minor
	}
	maps.Copy(vars, t.RepoVars)
	return vars, nil
}

// placeRepo makes the files and folders that a .repo file in dir names absolute.
func placeRepo(c *repodata.RepoConfig, dir string) (err error) {
	for _, places := range [][]string{c.BaseURL, c.GPGKey} {
		for j, u := range places {
			if places[j], err = repoPlace(u, dir); err != nil {
				return err
			}
		}
	}
	for _, file := range []*string{&c.SSLCACert, &c.SSLClientCert, &c.SSLClientKey} {
		if *file != "" {
			if *file, err = repoPlace(*file, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// repoPlace makes a folder absolute; below dir, the folder of the .repo file, when it
// is relative. URLs stay.
func repoPlace(place, dir string) (string, error) {
	if strings.Contains(place, "://") || filepath.IsAbs(place) {
		return place, nil
	}
	return filepath.Abs(filepath.Join(dir, place))
}

func newRepoConfig(id string) repodata.RepoConfig {
	return repodata.RepoConfig{ID: id, Name: id, Enabled: true, Priority: 99, Cost: 1000}
}
