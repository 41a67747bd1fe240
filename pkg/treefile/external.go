package treefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// Limits of the files that a treefile names, which are held in memory.
const (
	maxExternal  = 64 << 20  // bytes of one
	maxExternals = 256 << 20 // bytes of all
)

// External is a file that a treefile names: a script, a passwd file, a file to add.
type External struct {
	Name string      // as it is written
	Path string      // in the fs.FS
	Mode fs.FileMode // permission bits
	Body []byte
}

func (x External) flat() any { return x.Name }

// AddFile is a file that is put into the tree.
type AddFile struct {
	External
	Dest string // path in the tree, without a leading slash
}

func (f AddFile) flat() any { return []string{f.Name, f.Dest} }

// PackageFiles names files of a package that are left out of the tree: those
// whose absolute path one of the patterns matches anywhere.
type PackageFiles struct {
	Package  string
	Patterns []string // regular expressions that package regexp compiles
}

func (r PackageFiles) flat() any { return append([]string{r.Package}, r.Patterns...) }

// resolve is the path in the fs.FS of ref, which a file of src's folder names.
func (n node) resolve(ref string) (string, error) {
	if bad := margins(ref); bad != "" {
		return "", n.errorf("%q %s", clip(ref), bad)
	}
	p := path.Join(n.src.dir(), ref)
	if path.IsAbs(ref) {
		p = strings.TrimPrefix(path.Clean(ref), "/")
	}
	if !fs.ValidPath(p) || p == "." {
		return "", n.errorf("%q: leaves the folder that treefiles are read from", clip(ref))
	}
	return p, nil
}

func readExternal(n node) (any, error) {
	s, err := n.str()
	if err != nil {
		return nil, err
	}
	p, err := n.resolve(s)
	return External{Name: s, Path: p}, err
}

func readAddFile(n node) (any, error) {
	l, err := n.items("[SOURCE, DESTINATION]")
	if err != nil {
		return nil, err
	}
	if len(l) != 2 {
		return nil, n.errorf("want [SOURCE, DESTINATION], have a list of %d", len(l))
	}
	src, err := readExternal(l[0])
	if err != nil {
		return nil, err
	}
	dest, err := check(wrongDest)(l[1])
	if err != nil {
		return nil, err
	}
	return AddFile{src.(External), cleanDest(dest.(string))}, nil
}

func cleanDest(s string) string { return strings.TrimPrefix(path.Clean(s), "/") }

var destinations = regexp.MustCompile(`^(usr|etc|bin|sbin|lib|lib64)/`)

func wrongDest(s string) string {
	dest := cleanDest(s)
	switch {
	case margins(s) != "":
		return margins(s)
	case strings.Contains("/"+s+"/", "/../"):
		return `holds ".."`
	case strings.HasSuffix(s, "/"):
		return "ends in a slash: want the file's path"
	case !destinations.MatchString(dest), strings.HasPrefix(dest+"/", "usr/local/"):
		return "is not below usr/ (but not usr/local/), etc/, bin/, sbin/, lib/ or lib64/"
	}
	return ""
}

func readRemoveFromPackage(n node) (any, error) {
	l, err := n.items("[PACKAGE, PATTERN...]")
	if err != nil {
		return nil, err
	}
	if len(l) < 2 {
		return nil, n.errorf("want [PACKAGE, PATTERN...], have a list of %d", len(l))
	}
	name, err := check(blanks)(l[0])
	if err != nil {
		return nil, err
	}
	r := PackageFiles{Package: name.(string)}
	for _, e := range l[1:] {
		s, err := e.str()
		if err != nil {
			return nil, err
		}
		if _, err := regexp.Compile(s); err != nil {
			return nil, e.errorf("%q: %s", clip(s), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		r.Patterns = append(r.Patterns, s)
	}
	return r, nil
}

// open reads the files that a layer names.
func (l *loader) open(m layer) error {
	if e, ok := m["postprocess-script"]; ok {
		x := e.value.(External)
		if err := l.read(&x, e.at); err != nil {
			return err
		}
		if x.Mode&0o100 == 0 {
			return e.at.errorf("%q: is not executable (mode %04o)", x.Name, x.Mode)
		}
		e.value = x
		m["postprocess-script"] = e
	}
	for _, key := range []string{"check-passwd", "check-groups"} {
		e, ok := m[key]
		c, _ := e.value.(Check)
		if !ok || c.File == nil {
			continue
		}
		x := *c.File
		if err := l.read(&x, e.at); err != nil {
			return err
		}
		c.File = &x
		e.value = c
		m[key] = e
	}
	files, _ := m["add-files"].value.([]item)
	for i, it := range files {
		f := it.value.(AddFile)
		if err := l.read(&f.External, it.at); err != nil {
			return err
		}
		files[i].value = f
	}
	return nil
}

// read fills x from its path.
func (l *loader) read(x *External, at place) error {
	if have, ok := l.externals[x.Path]; ok {
		x.Mode, x.Body = have.Mode, have.Body
		return nil
	}
	b, mode, err := readFile(l.fsys, x.Path, maxExternal)
	if err != nil {
		return at.errorf("%q: %w", x.Name, l.unreadable(x.Name, x.Path, err))
	}
	if l.size += len(b); l.size > maxExternals {
		return at.errorf("%q: the files that the treefile names have more than %d MiB", x.Name, maxExternals>>20)
	}
	x.Mode, x.Body = mode, b
	l.externals[x.Path] = *x
	return nil
}

// pathError puts the path of a file, where it is not what the user wrote, before the
// reason why it cannot be read.
type pathError struct {
	path string
	err  error
}

func (e *pathError) Error() string { return e.path + ": " + e.err.Error() }
func (e *pathError) Unwrap() error { return e.err }

// unreadable is the reason in err, without the words of package fs.
func (l *loader) unreadable(written, path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if shown := l.show(path); shown != written {
		return &pathError{shown, err}
	}
	return err
}

var errNotRegular = errors.New("is no regular file")

// readFile reads a regular file of at most limit bytes. Errors are of package fs.
func readFile(fsys fs.FS, name string, limit int64) (data []byte, mode fs.FileMode, err error) {
	info, err := fs.Stat(fsys, name) // first, since to open a pipe may take forever
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close() // only read
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("has more than %d MiB", limit>>20)}
	}
	return data, info.Mode().Perm(), err
}
