package composer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/treewright/treewright/pkg/repodata/modulemd"
	"github.com/treewright/treewright/pkg/solver"
)

// modules turns on what the treefile's modules key names, and default streams. It
// returns what the solver has to know of them, and the packages that installing the
// modules means.
func (r *resolution) modules(ctx context.Context, o *ResolveOptions) (*solver.Modules, []string, error) {
	m := &modulemd.Modules{}
	for _, repo := range r.repos {
		if err := r.client.Modules(ctx, r.configs[repo.ID], m); err != nil {
			return nil, nil, loadError(err)
		}
	}
	key := r.treefile.Modules
	if len(m.Builds) == 0 && len(key.Enable) == 0 && len(key.Install) == 0 {
		return nil, nil, nil
	}
	var specs, install []modulemd.Spec
	for i, w := range slices.Concat(key.Enable, key.Install) {
		s, err := modulemd.ParseSpec(w)
		if err != nil {
			return nil, nil, fmt.Errorf("treefile %s: modules: %w", o.Treefile, err)
		}
		specs = append(specs, s)
		if i >= len(key.Enable) {
			install = append(install, s)
		}
	}
	on, err := m.Select(o.Arch, specs)
	if err != nil {
		return nil, nil, moduleError(err, o)
	}
	var words []string
	for _, s := range install {
		list, err := on.Profile(s)
		if err != nil {
			return nil, nil, moduleError(err, o)
		}
		words = append(words, list...)
	}
	o.Log.WithField("streams", on.Streams()).Info("modules")
	out := &solver.Modules{StreamOf: m.StreamOf}
	out.On, out.Off = on.Packages()
	return out, words, nil
}

// moduleError gives errors of modules the sentinel that commands know.
func moduleError(err error, o *ResolveOptions) error {
	err = fmt.Errorf("treefile %s: modules: %w", o.Treefile, err)
	switch {
	case errors.Is(err, modulemd.ErrNotFound):
		return kindError{err, ErrNotFound}
	case errors.Is(err, modulemd.ErrConflict):
		return kindError{err, ErrUnsolvable}
	}
	return err
}
