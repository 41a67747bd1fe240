package ostreecmd

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/treewright/treewright/pkg/ostree"
)

func remoteRefsCommand() *command {
	c := newCommand("refs", "NAME", "List a remote's refs")
	n := addCacheDir(c)
	c.run = func(ctx context.Context, e *env) error {
		raw, _, err := e.remoteSummary(ctx, n)
		if err != nil {
			return err
		}
		if raw == nil {
			return errors.New("Remote refs not available; server has no summary file")
		}
		s, err := ostree.ParseSummary(raw)
		if err != nil {
			return err
		}
		names := map[string]bool{}
		for _, r := range s.Refs {
			names[r.Name] = true
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			e.printf("%s:%s\n", e.args[0], name)
		}
		return nil
	}
	return c
}

func remoteSummaryCommand() *command {
	c := newCommand("summary", "NAME", "Show a remote's summary")
	n := addCacheDir(c)
	raw := c.flags.Bool("raw", false, "as the text of its GVariant")
	c.run = func(ctx context.Context, e *env) error {
		b, _, err := e.remoteSummary(ctx, n)
		if err != nil {
			return err
		}
		if b == nil {
			return errors.New("Remote server has no summary file")
		}
		no, key := false, ""
		return e.showSummary(b, summaryOptions{raw: raw, listKeys: &no, printKey: &key})
	}
	return c
}

// remoteSummary fetches the summary of the remote of the first argument.
func (e *env) remoteSummary(ctx context.Context, n network) (raw, sig []byte, err error) {
	r, m, err := e.remote()
	if err != nil {
		return nil, nil, err
	}
	from, err := e.openRemote(ctx, r, m.Name, n)
	if err != nil {
		return nil, nil, err
	}
	defer from.Close()
	return from.Summary(ctx)
}
