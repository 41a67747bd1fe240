package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/treewright/treewright/pkg/datetime"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// metadataOptions are the flags about a commit's metadata.
type metadataOptions struct {
	texts, values, kept, detachedTexts, bind *[]string
	noBindings, bootable                     *bool
}

func addMetadataFlags(f *pflag.FlagSet) metadataOptions {
	return metadataOptions{
		texts:         f.StringArray("add-metadata-string", nil, "put the string `KEY=VALUE` into the commit's metadata"),
		values:        f.StringArray("add-metadata", nil, "put `KEY=VALUE` into the commit's metadata; VALUE is the text of a GVariant"),
		kept:          f.StringArray("keep-metadata", nil, "take `KEY` over from the parent's metadata"),
		detachedTexts: f.StringArray("add-detached-metadata-string", nil, "put the string `KEY=VALUE` into the metadata beside the commit"),
		noBindings:    f.Bool("no-bindings", false, "don't write the ref's name and the collection into the commit"),
		bind:          f.StringArray("bind-ref", nil, "also write the name `REF` into the commit"),
		bootable:      f.Bool("bootable", false, "note that the tree has a kernel, and its version"),
	}
}

// given is the metadata that the command line tells.
func (o metadataOptions) given() (ostree.Metadata, error) {
	texts, err := parseTexts(*o.texts)
	if err != nil {
		return nil, err
	}
	values, err := parseMetadata(*o.values)
	var wrong *variantError
	if errors.As(err, &wrong) {
		err = fmt.Errorf("Parsing %s: %w", wrong.entry, wrong.err)
	}
	return append(texts, values...), err
}

// parseTexts reads KEY=VALUE, where VALUE is a string.
func parseTexts(list []string) (ostree.Metadata, error) {
	var out ostree.Metadata
	for _, s := range list {
		k, v, ok := strings.Cut(s, "=")
		switch {
		case !ok:
			return nil, fmt.Errorf("Missing '=' in KEY=VALUE metadata '%s'", s)
		case k == "":
			return nil, errors.New("Empty metadata key")
		}
		out = append(out, textEntry(k, v))
	}
	return out, nil
}

func textEntry(key, value string) ostree.MetaEntry {
	return ostree.MetaEntry{Key: key, Value: gvariant.Variant{Type: "s", Value: value}}
}

// keepMetadata takes over what --keep-metadata names.
func (o metadataOptions) keepMetadata(r *repo.Repo, c *ostree.Commit) error {
	if len(*o.kept) == 0 {
		return nil
	}
	if c.Parent == nil {
		return errors.New("Either --branch or --parent must be specified when using --keep-metadata")
	}
	old, err := r.ReadCommit(*c.Parent)
	if err != nil {
		return err
	}
	slices.Reverse(old.Metadata) // of a key that comes twice the last one counts here
	for _, key := range *o.kept {
		v, ok := old.Lookup(key)
		if !ok {
			return fmt.Errorf("Missing metadata key '%s' from commit '%s'", key, c.Parent)
		}
		c.Metadata = append(c.Metadata, ostree.MetaEntry{Key: key, Value: v})
	}
	return nil
}

// metadata adds what the tree and the repository tell.
func (m *commitMaker) metadata(ctx context.Context) error {
	c, o := m.commit, m.o
	if *o.bootable {
		kernel, err := m.tree.Kernel()
		if err != nil {
			return err
		}
		c.Metadata = append(ostree.Metadata{
			textEntry(ostree.KeyLinux, kernel),
			{Key: ostree.KeyBootable, Value: gvariant.Variant{Type: "b", Value: true}},
		}, c.Metadata...)
	}
	if !*o.noBindings {
		c.Metadata = append(c.Metadata, o.bindings(*o.branch, m.repo.Collection(), c.Metadata)...)
	}
	if *o.sizes && m.repo.Mode() == ostree.ModeArchive {
		sizes, err := m.txn.Sizes(ctx, c.Root, c.RootMeta)
		if err != nil {
			return err
		}
		c.Metadata = append(c.Metadata, ostree.MetaEntry{Key: ostree.KeySizes, Value: ostree.SizesValue(sizes)})
	}
	return nil
}

// bindings tell which refs and collection the commit may be pulled as. A collection
// that is given by hand stays.
func (o metadataOptions) bindings(branch, collection string, there ostree.Metadata) ostree.Metadata {
	names := slices.Clone(*o.bind)
	if branch != "" {
		names = append(names, branch)
	}
	slices.Sort(names)
	refs := make([]any, len(names))
	for i, n := range names {
		refs[i] = n
	}
	out := ostree.Metadata{{Key: ostree.KeyRefBinding, Value: gvariant.Variant{Type: "as", Value: refs}}}
	if _, bound := there.Lookup(ostree.KeyCollectionBinding); collection != "" && !bound {
		out = append(out, textEntry(ostree.KeyCollectionBinding, collection))
	}
	return out
}

// detached writes what stands beside the commit: what was given, and signatures.
func (m *commitMaker) detached(sum ostree.Checksum) error {
	meta, err := parseTexts(*m.o.detachedTexts)
	if err != nil {
		return err
	}
	if m.sign != nil {
		raw, err := m.commit.Encode()
		if err != nil {
			return err
		}
		sigs, err := m.sign(raw)
		if err != nil {
			return err
		}
		meta = append(meta, sigs...)
	}
	if len(meta) == 0 {
		return nil
	}
	b, err := meta.Encode()
	if err != nil {
		return err
	}
	return m.txn.WriteDetached(sum, b)
}

// time is the commit's time.
func (o commitOptions) time(e *env) (uint64, error) {
	now, err := e.now()
	if err != nil || !e.given("timestamp") {
		return uint64(now.Unix()), err
	}
	at, err := datetime.Parse(*o.timestamp, now.In(e.zone()))
	if err != nil {
		return 0, fmt.Errorf("Could not parse '%s'", *o.timestamp)
	}
	return uint64(at.Unix()), nil
}

// zone is the time zone that the environment tells.
func (e *env) zone() *time.Location {
	if tz := e.getenv("TZ"); tz != "" {
		if loc, err := time.LoadLocation(strings.TrimPrefix(tz, ":")); err == nil {
			return loc
		}
	}
	return time.Local
}
