package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// showOptions are the flags of show.
type showOptions struct {
	related, sizes, raw, asIs *bool
	variantType               *string
	key, detachedKey          *string
	gpgHome, remote           *string
}

func showCommand() *command {
	c := newCommand("show", "OBJECT", "Show a commit or another object")
	f := c.flags
	o := showOptions{
		related:     f.Bool("print-related", false, "list the commits that the commit calls related"),
		variantType: f.String("print-variant-type", "", "print the file OBJECT as a GVariant of `TYPE`"),
		key:         f.String("print-metadata-key", "", "print the value of `KEY` of the commit's metadata"),
		detachedKey: f.String("print-detached-metadata-key", "", "print the value of `KEY` of the detached metadata"),
		sizes:       f.Bool("print-sizes", false, "print how large the commit's objects are, and those that are not here"),
		raw:         f.Bool("raw", false, "print the object as the text of its GVariant"),
		asIs:        f.BoolP("no-byteswap", "B", false, "print numbers as they are stored, not as big-endian ones"),
		gpgHome:     f.String("gpg-homedir", "", "`HOMEDIR` of GPG with the keys to look in"),
		remote:      f.String("gpg-verify-remote", "", "check signatures by the configuration of `REMOTE`"),
	}
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) == 0 {
			return usagef("An object argument is required")
		}
		return e.show(r, e.args[0], o)
	}
	return c
}

// show prints what the flags ask for of rev: of several, what stands first here.
func (e *env) show(r *repo.Repo, rev string, o showOptions) error {
	switch {
	case e.given("print-metadata-key"):
		return e.showKey(r, rev, *o.key, *o.asIs)
	case e.given("print-detached-metadata-key"):
		return e.showDetachedKey(r, rev, *o.detachedKey, *o.asIs)
	case *o.related:
		return e.showRelated(r, rev)
	case e.given("print-variant-type"):
		return e.showFile(rev, *o.variantType)
	case *o.sizes:
		return e.showSizes(r, rev)
	}
	do := dumpOptions{raw: *o.raw, asIs: *o.asIs, gpgHome: *o.gpgHome, remote: *o.remote}
	if !ostree.IsChecksum(rev) {
		sum, err := r.Resolve(rev)
		if err != nil {
			return err
		}
		return e.showMetadata(r, ostree.TypeCommit, sum, do)
	}
	return e.showObject(r, rev, do)
}

// resolved reads the commit that rev stands for.
func resolved(r *repo.Repo, rev string) (ostree.Checksum, *ostree.Commit, error) {
	sum, err := r.Resolve(rev)
	if err != nil {
		return sum, nil, err
	}
	commit, err := r.ReadCommit(sum)
	return sum, commit, err
}

func (e *env) showKey(r *repo.Repo, rev, key string, asIs bool) error {
	_, commit, err := resolved(r, rev)
	if err != nil {
		return err
	}
	return e.showValue(commit.Metadata, key, asIs)
}

func (e *env) showDetachedKey(r *repo.Repo, rev, key string, asIs bool) error {
	sum, err := r.Resolve(rev)
	if err != nil {
		return err
	}
	meta, err := r.ReadDetached(sum)
	if err != nil {
		return err
	}
	if meta == nil {
		return fmt.Errorf("No detached metadata for commit %s", sum)
	}
	return e.showValue(meta, key, asIs)
}

func (e *env) showValue(m ostree.Metadata, key string, asIs bool) error {
	v, ok := m.Lookup(key)
	if !ok {
		return fmt.Errorf("No such metadata key '%s'", key)
	}
	return e.dumpVariant(v, asIs)
}

func (e *env) showRelated(r *repo.Repo, rev string) error {
	_, commit, err := resolved(r, rev)
	if err != nil {
		return err
	}
	for _, c := range commit.Related {
		e.printf("%s %s\n", c.Name, c.Checksum)
	}
	return nil
}

// showFile prints a file of no repository.
func (e *env) showFile(path, typ string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, ostree.MaxMetadata+1))
	if err == nil && len(raw) > ostree.MaxMetadata {
		err = fmt.Errorf("larger than %d bytes", ostree.MaxMetadata)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := e.dumpBytes(typ, raw, false); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (e *env) showSizes(r *repo.Repo, rev string) error {
	_, commit, err := resolved(r, rev)
	if err != nil {
		return err
	}
	list, err := commit.Metadata.Sizes()
	if errors.Is(err, ostree.ErrNotFound) {
		return errors.New("No metadata key " + ostree.KeySizes + " in commit")
	}
	if err != nil {
		return err
	}
	var objects, archived, unpacked [2]uint64 // needed, all
	for _, s := range list {
		have, err := r.Has(s.Type, s.Checksum)
		if err != nil {
			return err
		}
		for i := range 2 {
			if i == 0 && have {
				continue
			}
			objects[i]++
			archived[i] += s.Archived
			unpacked[i] += s.Unpacked
		}
	}
	e.printf("Compressed size (needed/total): %s/%s\n", formatSize(archived[0]), formatSize(archived[1]))
	e.printf("Unpacked size (needed/total): %s/%s\n", formatSize(unpacked[0]), formatSize(unpacked[1]))
	e.printf("Number of objects (needed/total): %d/%d\n", objects[0], objects[1])
	return nil
}

// showObject prints the objects of that checksum, of which there is one as a rule.
func (e *env) showObject(r *repo.Repo, rev string, o dumpOptions) error {
	sum, err := ostree.ParseChecksum(rev)
	if err != nil {
		return err
	}
	found := false
	for _, t := range []ostree.ObjectType{ostree.TypeCommit, ostree.TypeDirMeta, ostree.TypeDirTree} {
		has, err := r.Has(t, sum)
		if err == nil && has {
			found, err = true, e.showMetadata(r, t, sum, o)
		}
		if err != nil {
			return err
		}
	}
	if found {
		return nil
	}
	return e.showFileObject(r, sum)
}

func (e *env) showMetadata(r *repo.Repo, t ostree.ObjectType, sum ostree.Checksum, o dumpOptions) error {
	raw, err := r.ReadObject(t, sum)
	if err != nil {
		return err
	}
	if t == ostree.TypeCommit {
		if _, err := e.dumpCommit(sum, raw, o); err != nil {
			return err
		}
		return e.showSignatures(r, sum, raw, o.gpgHome, o.remote)
	}
	e.printf("%s %s\n", t, sum)
	_, err = e.dumpRaw(t, raw, o)
	return err
}

func (e *env) showFileObject(r *repo.Repo, sum ostree.Checksum) error {
	f, err := r.StatFile(sum)
	if err != nil {
		return err
	}
	kind := "regular"
	if f.IsLink() {
		kind = "symlink"
	}
	e.printf("Object: %s\nType: file\nFile Type: %s\n", sum, kind)
	if kind == "symlink" {
		e.printf("Target: %s\n", f.Target)
	} else {
		e.printf("Size: %d\n", f.Size)
	}
	list := []any{}
	for _, x := range f.Xattrs {
		list = append(list, gvariant.Tuple{append([]byte(x.Name), 0), x.Value})
	}
	xattrs, err := gvariant.Variant{Type: "a(ayay)", Value: list}.Text(true)
	if err != nil {
		return err
	}
	e.printf("Mode: 0%o\nUid: %d\nGid: %d\nExtended Attributes: { %s }\n", f.Mode, f.UID, f.GID, xattrs)
	return nil
}
