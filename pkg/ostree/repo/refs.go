package repo

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
)

// Folders of refs: this repository's, those seen in remotes, those of collections.
const (
	headsDir   = "refs/heads"
	remotesDir = "refs/remotes"
	mirrorsDir = "refs/mirrors"
)

// RefName names a ref: NAME, or REMOTE:NAME. One of another collection has that
// collection's ID.
type RefName struct{ Collection, Name string }

func (n RefName) compare(m RefName) int {
	return cmp.Or(strings.Compare(n.Collection, m.Collection), strings.Compare(n.Name, m.Name))
}

func (n RefName) String() string {
	if n.Collection == "" {
		return n.Name
	}
	return "(" + n.Collection + ", " + n.Name + ")"
}

// Errors that a [RefError] wraps besides those of package ostree.
var (
	ErrAmbiguous = errors.New("fits several commits")
	ErrConflict  = errors.New("one name would be a part of the other")
	ErrAliased   = errors.New("has an alias")
)

// A RefError tells what is wrong with a ref or a revision. Err is or wraps
// [ErrAmbiguous], [ErrConflict], [ErrAliased], [ostree.ErrNotFound] or
// [ostree.ErrMalformed].
type RefError struct {
	Name  string // as it was asked for
	Other string // the ref that is in conflict, or the alias
	In    string // the repository, when the ref is not there
	Err   error
}

func (e *RefError) Error() string {
	if errors.Is(e.Err, ostree.ErrMalformed) {
		return e.Err.Error() // names it
	}
	s := "ref " + e.Name
	if e.Other != "" {
		s += " and " + e.Other
	}
	if e.In != "" {
		s += " in " + e.In
	}
	return s + ": " + e.Err.Error()
}

func (e *RefError) Unwrap() error { return e.Err }

// refPath is the file of a ref. The error is a [*RefError].
func (r *Repo) refPath(n RefName) (string, error) {
	p, err := r.refFile(n)
	if err != nil {
		return "", &RefError{Name: n.Name, Err: err}
	}
	return p, nil
}

func (r *Repo) refFile(n RefName) (string, error) {
	if n.Collection != "" && n.Collection != r.Collection() {
		return r.file(mirrorsDir, n.Collection, filepath.FromSlash(n.Name)), errors.Join(ostree.CheckCollection(n.Collection), ostree.CheckRef(n.Name))
	}
	remote, ref, ok := strings.Cut(n.Name, ":")
	if !ok {
		return r.file(headsDir, filepath.FromSlash(n.Name)), ostree.CheckRef(n.Name)
	}
	return r.file(remotesDir, remote, filepath.FromSlash(ref)), errors.Join(ostree.CheckRemote(remote), ostree.CheckRef(ref))
}

func readRef(file string) (c ostree.Checksum, err error) {
	f, _, err := openFollowing(file)
	if err != nil {
		return c, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<10))
	if err != nil {
		return c, err
	}
	return ostree.ParseChecksum(strings.TrimRight(string(b), " \t\r\n"))
}

// openFollowing opens a file that may be a link, as aliases of refs are.
func openFollowing(file string) (*os.File, int64, error) {
	target, err := filepath.EvalSymlinks(file)
	if err != nil {
		return nil, 0, err
	}
	return openRegular(target)
}

// missing tells whether a file is not there, or a part of its path is no folder.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EISDIR)
}

// walkRefs calls fn with the name below dir, and the file, of each ref. What cannot be
// a ref, such as temporary files, is passed over.
func (r *Repo) walkRefs(dir string, fn func(name, file string) error) error {
	root := r.file(dir)
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // just deleted, or no such folder
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if ostree.CheckRef(path.Base(name)) != nil {
			return nil
		}
		return fn(name, p)
	})
}

// eachRef calls fn with each ref: NAME, or REMOTE:NAME, and what could be read of it.
func (r *Repo) eachRef(fn func(name string, c ostree.Checksum, err error) error) error {
	err := r.walkRefs(headsDir, func(name, p string) error {
		if ostree.CheckRef(name) != nil {
			return nil
		}
		c, err := readRef(p)
		return fn(name, c, err)
	})
	if err != nil {
		return err
	}
	return r.walkRefs(remotesDir, func(name, p string) error {
		remote, ref, _ := strings.Cut(name, "/")
		if ostree.CheckRemote(remote) != nil || ostree.CheckRef(ref) != nil {
			return nil
		}
		c, err := readRef(p)
		return fn(remote+":"+ref, c, err)
	})
}

// Refs returns all refs by name; remote ones are REMOTE:NAME. Those of other
// collections are not among them.
func (r *Repo) Refs() (map[string]ostree.Checksum, error) {
	out := map[string]ostree.Checksum{}
	err := r.eachRef(func(name string, c ostree.Checksum, err error) error {
		if err != nil {
			return fmt.Errorf("ref %s: %w", name, err)
		}
		out[name] = c
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Aliases returns the refs that are other names, by name: each with the ref that it
// stands for.
func (r *Repo) Aliases() (map[string]string, error) {
	out := map[string]string{}
	err := r.walkRefs(headsDir, func(name, p string) error {
		target, err := r.aliasTarget(p)
		if err == nil && target != "" {
			out[name] = target
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// aliasTarget is the ref that the file of an alias leads to, or "".
func (r *Repo) aliasTarget(file string) (string, error) {
	link, err := os.Readlink(file)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(r.file(headsDir), filepath.Join(filepath.Dir(file), link))
	if err != nil || ostree.CheckRef(filepath.ToSlash(rel)) != nil {
		return "", nil
	}
	return filepath.ToSlash(rel), nil
}

// collectionIDs are the collection IDs of remotes by their names, and by "" this
// repository's.
func (r *Repo) collectionIDs() (map[string]string, error) {
	remotes, err := r.Remotes()
	if err != nil {
		return nil, err
	}
	ids := map[string]string{"": r.Collection()}
	for _, m := range remotes {
		ids[m.Name], _ = m.Option("collection-id")
	}
	return ids, nil
}

// CollectionRefs returns the refs that belong to a collection: those of this
// repository if it has a collection ID, those of remotes that have one, and those that
// are kept of other collections.
func (r *Repo) CollectionRefs() (map[RefName]ostree.Checksum, error) {
	ids, err := r.collectionIDs()
	if err != nil {
		return nil, err
	}
	out := map[RefName]ostree.Checksum{}
	refs, err := r.Refs()
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		remote, ref, ok := strings.Cut(name, ":")
		if !ok {
			remote, ref = "", name
		}
		if id := ids[remote]; id != "" {
			n := RefName{id, ref}
			if _, there := out[n]; !there { // this repository's go before those of remotes
				out[n] = refs[name]
			}
		}
	}
	err = r.walkRefs(mirrorsDir, func(name, p string) error {
		id, ref, ok := strings.Cut(name, "/")
		if !ok || ostree.CheckRef(ref) != nil {
			return nil
		}
		c, err := readRef(p)
		if err != nil {
			return fmt.Errorf("ref (%s, %s): %w", id, ref, err)
		}
		out[RefName{id, ref}] = c
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
