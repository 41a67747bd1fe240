package ostreecmd

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/sign"
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
		b, sig, err := e.remoteSummary(ctx, n)
		if err != nil {
			return err
		}
		if b == nil {
			return errors.New("Remote server has no summary file")
		}
		no, key := false, ""
		if err := e.showSummary(b, summaryOptions{raw: raw, listKeys: &no, printKey: &key}); err != nil || *raw || sig == nil {
			return err
		}
		return e.showSummarySignatures(b, sig)
	}
	return c
}

// showSummarySignatures shows the GPG signatures of a summary of a remote that wants
// some.
func (e *env) showSummarySignatures(raw, sig []byte) error {
	_, m, err := e.remote()
	if err != nil {
		return err
	}
	if wanted, err := m.Flag("gpg-verify-summary", false); err != nil || !wanted {
		return err
	}
	with, err := e.checkerOptions()
	if err != nil {
		return err
	}
	keys, err := with.Keyrings.Remote(m)
	if err != nil {
		return err
	}
	meta, err := ostree.ParseMetadata(sig)
	if err != nil {
		return err
	}
	list, err := sign.JudgeGPG(keys, raw, meta, with.Now)
	if err != nil {
		return err
	}
	plural := "s"
	if len(list) == 1 {
		plural = ""
	}
	e.printf("\nGPG: Verification enabled, found %d signature%s:\n", len(list), plural)
	for _, s := range list {
		var b strings.Builder
		describeSignature(&b, s, "  ", with.Now)
		e.printf("\n%s", b.String())
	}
	return nil
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
