package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// summaryOptions are the flags of summary.
type summaryOptions struct {
	update, view, raw, listKeys *bool
	printKey                    *string
	metadata                    *[]string
	signFlags
}

func summaryCommand() *command {
	c := newCommand("summary", "", "Write or show the summary: the index of refs and deltas")
	f := c.flags
	o := summaryOptions{
		update:    f.BoolP("update", "u", false, "write it anew"),
		view:      f.BoolP("view", "v", false, "show it"),
		raw:       f.Bool("raw", false, "show it as the text of its GVariant"),
		listKeys:  f.Bool("list-metadata-keys", false, "show the keys of its metadata"),
		printKey:  f.String("print-metadata-key", "", "show the value of `KEY` of its metadata"),
		signFlags: addSignFlags(f, "the summary"),
		metadata:  f.StringArrayP("add-metadata", "m", nil, "write `KEY=VALUE` into its metadata; VALUE is the text of a GVariant"),
	}
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if *o.update {
			return e.updateSummary(ctx, r, o)
		}
		if !*o.view && !*o.raw && !*o.listKeys && !e.given("print-metadata-key") {
			return errors.New("No option specified; use -u to update summary")
		}
		b, err := r.ReadSummary()
		if errors.Is(err, ostree.ErrNotFound) {
			return errors.New("openat(summary): No such file or directory")
		}
		if err != nil {
			return err
		}
		return e.showSummary(b, o)
	}
	return c
}

func (e *env) updateSummary(ctx context.Context, r *repo.Repo, o summaryOptions) error {
	meta, err := parseMetadata(*o.metadata)
	if err != nil {
		return err
	}
	now, err := e.now()
	if err != nil {
		return err
	}
	sign, err := e.signer(r, o.signFlags)
	if err != nil {
		return err
	}
	return r.UpdateSummary(ctx, repo.SummaryOptions{Time: now.Unix(), Metadata: meta, Sign: sign})
}

// parseMetadata reads KEY=VALUE, where VALUE is the text of a GVariant.
func parseMetadata(list []string) (ostree.Metadata, error) {
	var out ostree.Metadata
	for _, s := range list {
		k, text, ok := strings.Cut(s, "=")
		switch {
		case !ok:
			return nil, fmt.Errorf("Missing '=' in KEY=VALUE metadata '%s'", s)
		case k == "":
			return nil, errors.New("Empty metadata key")
		}
		v, err := gvariant.ParseText(text)
		if err != nil {
			return nil, &variantError{s, text, err}
		}
		out = append(out, ostree.MetaEntry{Key: k, Value: v})
	}
	return out, nil
}

// variantError is a VALUE that is no text of a GVariant.
type variantError struct {
	entry, value string
	err          error
}

func (e *variantError) Error() string {
	return fmt.Sprintf("Error parsing variant ‘%s’: %v", e.value, e.err)
}

func (e *variantError) Unwrap() error { return e.err }

// now is SOURCE_DATE_EPOCH when it is set, else the time.
func (e *env) now() (time.Time, error) {
	s := e.getenv("SOURCE_DATE_EPOCH")
	if s == "" {
		return time.Now(), nil
	}
	sec, err := parseEpoch(s)
	return time.Unix(sec, 0), err
}
