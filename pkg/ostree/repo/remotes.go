package repo

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/keyfile"
	"github.com/treewright/treewright/pkg/ostree"
)

// remotesConfDir is the folder of a system with key files of further remotes.
const remotesConfDir = "etc/ostree/remotes.d"

// Remote is a repository that this one pulls from: a group `remote "NAME"` of the
// configuration, or of a file of remotes.d.
type Remote struct {
	Name string
	File string // that the group stands in
	keys *keyfile.File
	repo *Repo // that it is a remote of
}

// A RemoteError tells what is wrong with a remote. Err is or wraps
// [ostree.ErrNotFound], fs.ErrExist or [ostree.ErrMalformed].
type RemoteError struct {
	Name string
	File string // that has it when it exists
	Key  string // the option that is wrong or missing, or ""
	Err  error
}

func (e *RemoteError) Error() string {
	s := "remote " + strconv.Quote(e.Name)
	if e.Key != "" {
		s += ": " + e.Key
	}
	if e.File != "" {
		s += " in " + e.File
	}
	return s + ": " + e.Err.Error()
}

func (e *RemoteError) Unwrap() error { return e.Err }

func remoteGroup(name string) string { return `remote "` + name + `"` }

// Option returns an option of a remote, and whether it is there.
func (m *Remote) Option(key string) (string, bool) {
	return m.keys.Get(remoteGroup(m.Name), key)
}

// Options lists the options of a remote, in the order of the file.
func (m *Remote) Options() []string { return m.keys.Keys(remoteGroup(m.Name)) }

// List returns an option whose value is a list, or nil.
func (m *Remote) List(key string) []string {
	list, _ := m.keys.List(remoteGroup(m.Name), key)
	return list
}

// ErrSeparators is an option with both kinds of separators.
var ErrSeparators = errors.New("list has ',' and ';' between its elements")

// Values returns an option that is a list with either ',' or ';' between elements, or
// nil. The error is a [*RemoteError] that wraps [ErrSeparators].
func (m *Remote) Values(key string) ([]string, error) {
	v, _ := m.Option(key)
	if v == "" {
		return nil, nil
	}
	sep := ","
	if strings.Contains(v, ";") {
		if sep = ";"; strings.Contains(v, ",") {
			return nil, &RemoteError{Name: m.Name, Key: key, Err: ErrSeparators}
		}
	}
	return strings.Split(strings.TrimSuffix(v, sep), sep), nil
}

// Keyring is the file with the GPG keys of the remote. It need not be there.
func (m *Remote) Keyring() string { return m.repo.Keyring(m.Name) }

// Flag returns an option that is true or false. The error is a [*RemoteError].
func (m *Remote) Flag(key string, otherwise bool) (bool, error) {
	v, _ := m.Option(key)
	on, err := config{key: v}.flag(key, otherwise)
	if err != nil {
		err = &RemoteError{Name: m.Name, Key: key, Err: err}
	}
	return on, err
}

// URL is the option url. The error is a [*RemoteError] when there is none.
func (m *Remote) URL() (string, error) {
	url, ok := m.Option("url")
	if !ok {
		return "", &RemoteError{Name: m.Name, Key: "url", Err: ostree.ErrNotFound}
	}
	return url, nil
}

// Remotes lists the remotes by name: those of the configuration, of remotes.d if the
// repository is a system's, and of the repository that core.parent names.
func (r *Repo) Remotes() ([]*Remote, error) {
	byName := map[string]*Remote{}
	for at := r; at != nil; at = at.parent {
		own, err := at.ownRemotes()
		if err != nil {
			return nil, err
		}
		for _, m := range own {
			if byName[m.Name] == nil {
				byName[m.Name] = m
			}
		}
	}
	out := slices.Collect(maps.Values(byName))
	slices.SortFunc(out, func(a, b *Remote) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// maxParents bounds chains of core.parent.
const maxParents = 16

// ownRemotes lists the remotes of this repository alone. A name that stands in the
// configuration comes from there, whatever remotes.d says of it.
func (r *Repo) ownRemotes() ([]*Remote, error) {
	f, err := r.readConfig()
	if err != nil {
		return nil, err
	}
	out := r.remotesOf(r.file("config"), f)
	if r.system == "" {
		return out, nil
	}
	files, err := filepath.Glob(filepath.Join(r.system, remotesConfDir, "*.conf"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	for _, name := range files {
		f, err := readKeyFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // just deleted
		}
		if err != nil {
			return nil, err
		}
		for _, m := range r.remotesOf(name, f) {
			if !slices.ContainsFunc(out, func(o *Remote) bool { return o.Name == m.Name }) {
				out = append(out, m)
			}
		}
	}
	return out, nil
}

func (r *Repo) remotesOf(file string, f *keyfile.File) []*Remote {
	var out []*Remote
	for _, g := range f.Groups() {
		name, ok := strings.CutPrefix(g, `remote "`)
		if name, is := strings.CutSuffix(name, `"`); ok && is && ostree.CheckRemote(name) == nil {
			out = append(out, &Remote{Name: name, File: file, keys: f, repo: r})
		}
	}
	return out
}

// Remote finds a remote by its name. The error is a [*RemoteError].
func (r *Repo) Remote(name string) (*Remote, error) {
	if err := ostree.CheckRemote(name); err != nil {
		return nil, &RemoteError{Name: name, Err: err}
	}
	all, err := r.Remotes()
	if err != nil {
		return nil, err
	}
	return findRemote(all, name)
}

func findRemote(all []*Remote, name string) (*Remote, error) {
	i := slices.IndexFunc(all, func(m *Remote) bool { return m.Name == name })
	if i < 0 {
		return nil, &RemoteError{Name: name, Err: ostree.ErrNotFound}
	}
	return all[i], nil
}

// RemoteOption is an option that a remote gets. List is for those that are lists.
type RemoteOption struct {
	Key, Value string
	List       []string
}

// AddRemote adds a remote to the configuration. One of that name that is there
// already is an error that wraps fs.ErrExist, unless it is to be replaced; then all its
// options go. Errors are a [*RemoteError].
func (r *Repo) AddRemote(name string, options []RemoteOption, replace bool) error {
	if err := ostree.CheckRemote(name); err != nil {
		return &RemoteError{Name: name, Err: err}
	}
	own, err := r.ownRemotes()
	if err != nil {
		return err
	}
	there, _ := findRemote(own, name)
	if there != nil && !replace {
		return &RemoteError{Name: name, File: there.File, Err: fs.ErrExist}
	}
	file := r.file("config")
	if there != nil {
		file = there.File
	}
	return r.editRemotes(file, func(f *keyfile.File) error {
		group := remoteGroup(name)
		f.RemoveGroup(group)
		for _, o := range options {
			set := f.Set(group, o.Key, o.Value)
			if o.List != nil {
				set = f.SetList(group, o.Key, o.List)
			}
			if set != nil {
				return &RemoteError{Name: name, Key: o.Key, Err: set}
			}
		}
		return nil
	})
}

// editRemotes edits the configuration or a file of remotes.d.
func (r *Repo) editRemotes(file string, fn func(*keyfile.File) error) error {
	if file == r.file("config") {
		return r.EditConfig(fn)
	}
	return r.editKeyFile(file, fn)
}

// DeleteRemote removes a remote and its keyring. A file of remotes.d that holds nothing
// else goes, too. The error is a [*RemoteError] when there is none of that name in the
// repository itself.
func (r *Repo) DeleteRemote(name string) error {
	if err := ostree.CheckRemote(name); err != nil {
		return &RemoteError{Name: name, Err: err}
	}
	own, err := r.ownRemotes()
	if err != nil {
		return err
	}
	m, err := findRemote(own, name)
	if err != nil {
		return err
	}
	if m.File != r.file("config") && len(m.keys.Groups()) == 1 {
		err = os.Remove(m.File)
	} else {
		err = r.editRemotes(m.File, func(f *keyfile.File) error { f.RemoveGroup(remoteGroup(name)); return nil })
	}
	if err != nil {
		return err
	}
	if err := os.Remove(r.Keyring(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fsutil.SyncDir(r.path)
}

// Keyring is the file with the GPG keys of a remote. It need not be there.
func (r *Repo) Keyring(remote string) string { return r.file(remote + ".trustedkeys.gpg") }

// CacheDir is the folder for what can be fetched again. It need not be there.
func (r *Repo) CacheDir() string { return r.file("tmp", "cache") }
