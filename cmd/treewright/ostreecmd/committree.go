package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/pflag"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/source"
)

// treeOptions are the flags that say what is in a commit.
type treeOptions struct {
	base, tarFilter        *string
	trees                  *[]string
	consume, tarParents    *bool
	linkSpeedup, canonical *bool
}

func addTreeFlags(f *pflag.FlagSet) treeOptions {
	return treeOptions{
		base:        f.String("base", "", "begin with the tree of `REV` as it is"),
		trees:       f.StringArray("tree", nil, "lay a tree over those before: `dir=PATH`, tar=FILE or ref=REV"),
		linkSpeedup: f.Bool("link-checkout-speedup", false, "don't read files that are links to objects of the repository"),
		canonical:   f.BoolP("devino-canonical", "I", false, "the same, and take them for unchanged"),
		tarParents:  f.Bool("tar-autocreate-parents", false, "make folders that an archive lacks"),
		tarFilter:   f.String("tar-pathname-filter", "", "change path names of archives: `REGEX,REPLACEMENT`"),
		consume:     f.Bool("consume", false, "delete the content of folders behind the commit"),
	}
}

// changeOptions are the flags that change files on their way into a commit.
type changeOptions struct {
	uid, gid                             *int
	canonicalPerms, roPrograms, noXattrs *bool
	statoverride, skipList               *string
	labelFlags
}

func addChangeFlags(f *pflag.FlagSet) changeOptions {
	return changeOptions{
		uid:            f.Int("owner-uid", -1, "`UID` of everything; else as it is"),
		gid:            f.Int("owner-gid", -1, "`GID` of everything; else as it is"),
		canonicalPerms: f.Bool("canonical-permissions", false, "everything is root's, without attributes, and has no bits of modes but 0755"),
		roPrograms:     f.Bool("mode-ro-executables", false, "nobody may write to executable files"),
		noXattrs:       f.Bool("no-xattrs", false, "leave extended attributes out"),
		labelFlags:     addLabelFlags(f),
		statoverride:   f.String("statoverride", "", "change modes as `FILE` says: lines +N PATH and =N PATH"),
		skipList:       f.String("skip-list", "", "leave out the paths that `FILE` lists"),
	}
}

// newTree is the tree to fill, which changes files as the flags say.
func (o commitOptions) newTree(ctx context.Context, e *env, r *repo.Repo) (*source.Tree, error) {
	c := source.Changes{
		UID: id(*o.uid), GID: id(*o.gid),
		NoXattrs:         *o.noXattrs || !r.Xattrs() || r.Mode() == ostree.ModeBareUserOnly,
		Canonical:        *o.canonicalPerms || r.Mode() == ostree.ModeBareUserOnly,
		ReadOnlyPrograms: *o.roPrograms,
	}
	if *o.statoverride != "" {
		text, err := readText(*o.statoverride)
		if err != nil {
			return nil, err
		}
		if c.Modes, err = source.ParseModes(text); err != nil {
			return nil, err
		}
	}
	if *o.skipList != "" {
		text, err := readText(*o.skipList)
		if err != nil {
			return nil, err
		}
		c.Skip = source.ParseSkip(text)
	}
	var err error
	c.Label, err = o.labels(ctx, e, r, o.treeOptions)
	return source.New(c), err
}

func id(n int) *uint32 {
	if n < 0 {
		return nil
	}
	u := uint32(n)
	return &u
}

// readTrees reads what the flags and the argument name.
func (o treeOptions) readTrees(ctx context.Context, m *commitMaker) error {
	if *o.linkSpeedup || *o.canonical {
		inodes, err := m.repo.Inodes(ctx)
		if err != nil {
			return err
		}
		m.tree.UseLinks(source.Links{Repo: m.repo, Inodes: inodes, Unchanged: *o.canonical})
	}
	if *o.base != "" {
		c, err := m.repo.Resolve(*o.base)
		if err != nil {
			return err
		}
		if err := m.tree.AddBase(m.repo, c); err != nil {
			return err
		}
	}
	for _, spec := range o.specs(m.env.args) {
		if err := o.readTree(ctx, m, spec); err != nil {
			return err
		}
	}
	return nil
}

// specs are the trees to read, as --tree has them.
func (o treeOptions) specs(args []string) []string {
	switch {
	case len(*o.trees) > 0:
		return *o.trees
	case len(args) > 0:
		return []string{"dir=" + args[0]}
	}
	return []string{"dir=."}
}

func (o treeOptions) readTree(ctx context.Context, m *commitMaker, spec string) error {
	kind, what, ok := strings.Cut(spec, "=")
	if !ok {
		return fmt.Errorf("Missing type in tree specification '%s'", spec)
	}
	switch kind {
	case "dir":
		return m.tree.AddFolder(ctx, what)
	case "ref":
		c, err := m.repo.Resolve(what)
		if err != nil {
			return err
		}
		return m.tree.AddCommit(ctx, m.repo, c)
	case "tar":
		return o.readArchive(ctx, m, what)
	}
	return fmt.Errorf("Invalid tree type specification '%s'", kind)
}

// consumed deletes the folders whose content is in the repository now. The current
// folder only becomes empty.
func (o treeOptions) consumed(args []string) error {
	if !*o.consume {
		return nil
	}
	for _, spec := range o.specs(args) {
		dir, ok := strings.CutPrefix(spec, "dir=")
		if !ok {
			continue
		}
		if err := consume(dir); err != nil {
			return err
		}
	}
	return nil
}

func consume(dir string) error {
	if filepath.Clean(dir) != "." {
		return os.RemoveAll(dir)
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// readArchive reads a tar or cpio archive; "-" is standard input.
func (o treeOptions) readArchive(ctx context.Context, m *commitMaker, file string) error {
	a := source.ArchiveOptions{Parents: *o.tarParents}
	shown := file
	if *o.tarFilter != "" {
		var err error
		if a.Rename, err = parseFilter(*o.tarFilter); err != nil {
			return err
		}
	} else if abs, err := filepath.Abs(file); err == nil {
		shown = abs
	}
	in := m.env.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("archive_read_open_filename: Failed to open '%s'", shown)
		}
		defer f.Close()
		in = f
	}
	return m.tree.AddArchive(ctx, in, m.txn, a)
}

// parseFilter reads REGEX,REPLACEMENT. In the replacement \0 is the whole match, \1 or
// \g<1> the first group of it.
func parseFilter(s string) (func(string) string, error) {
	pattern, replacement, ok := strings.Cut(s, ",")
	if !ok {
		return nil, errors.New("Missing ',' in --tar-pathname-filter")
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("--tar-pathname-filter: %w", err)
	}
	replacement = strings.ReplaceAll(replacement, "$", "$$")
	replacement = groupRef.ReplaceAllString(replacement, "$${$1$2}")
	replacement = strings.ReplaceAll(replacement, `\\`, `\`)
	return func(p string) string { return re.ReplaceAllString(p, replacement) }, nil
}

var groupRef = regexp.MustCompile(`\\(?:([0-9]+)|g<([0-9A-Za-z_]+)>)`)
