package treefile

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// maxDepth is how many files may include one another, as in rpm-ostree.
const maxDepth = 50

// Options tells what a treefile is read for.
type Options struct {
	// Basearch is the architecture to compose for, as RPM metadata spells it:
	// "x86_64". Required.
	Basearch string

	// Releasever, when not empty, stands instead of the treefile's releasever.
	Releasever string

	// Vars gives variables a value instead of the treefile's: true, false or a
	// decimal number, else text.
	Vars map[string]string

	// ShowPath gives the name that errors and places show for a path in the fs.FS;
	// nil: the path.
	ShowPath func(path string) string
}

// Parse reads the treefile name in fsys and those that it includes, checks and merges
// them, and reads the files that they name.
//
// Nothing outside fsys is read, so its root decides how far up includes may reach. A
// file has at most 16 MiB, a file that a treefile names 64 MiB, all of those 256 MiB.
//
// What is wrong with a treefile is an [*Error]; so is a missing include, and it wraps
// fs.ErrNotExist. Only when the file name itself cannot be read, the error is the
// file system's.
func Parse(fsys fs.FS, name string, opts Options) (*Treefile, error) {
	if opts.Basearch == "" {
		return nil, errors.New("treefile: Options.Basearch is not set")
	}
	l := newLoader(fsys, opts)
	if err := checkEnding(name); err != nil {
		return nil, place{file: l.show(name)}.errorf("%w", err)
	}
	merged, err := l.load(name)
	if err != nil {
		return nil, err
	}
	return l.finish(merged)
}

// loader reads one treefile and all that it includes.
type loader struct {
	fsys  fs.FS
	opts  Options
	vars  map[string]any
	given map[string]string // variables that the caller set
	typed map[string]bool   // of those, the ones that a file gave a type

	stack     []string // files that are being read, the outermost first
	done      map[string]bool
	uses      map[string]KeyUse
	externals map[string]External
	size      int // bytes of the externals
}

func newLoader(fsys fs.FS, opts Options) *loader {
	l := &loader{
		fsys: fsys, opts: opts, vars: map[string]any{}, given: map[string]string{}, typed: map[string]bool{},
		done: map[string]bool{}, uses: map[string]KeyUse{}, externals: map[string]External{},
	}
	maps.Copy(l.given, opts.Vars)
	if opts.Releasever != "" {
		l.given["releasever"] = opts.Releasever
	}
	for name, text := range l.given {
		l.vars[name] = scalar(text)
	}
	l.vars["basearch"] = opts.Basearch
	return l
}

func (l *loader) show(p string) string {
	if l.opts.ShowPath != nil {
		return l.opts.ShowPath(p)
	}
	return p
}

// load reads a file and what it includes, merged.
func (l *loader) load(name string) (layer, error) {
	l.stack = append(l.stack, name)
	l.done[name] = true
	defer func() { l.stack = l.stack[:len(l.stack)-1] }()
	f, err := l.parseFile(name)
	if err != nil {
		return nil, err
	}
	if err := l.enter(f); err != nil {
		return nil, err
	}
	for n, it := range f.variables {
		l.declare(n, it.value)
	}
	if e, ok := f.layer["releasever"]; ok {
		l.declare("releasever", e.value)
	}
	l.noteFinalize(path.Dir(name))
	work := slices.Concat(f.includes, f.archIncludes)
	for _, c := range f.conditionals {
		ok, err := allHold(c.conditions, l.vars)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		work = append(work, c.targets...)
		if c.inline != nil {
			if err := l.enter(c.inline); err != nil {
				return nil, err
			}
			f.layer.merge(c.inline.layer)
		}
	}
	return f.layer, l.include(f.layer, work)
}

func (l *loader) parseFile(name string) (*file, error) {
	data, _, err := readFile(l.fsys, name, maxFile)
	if err != nil {
		return nil, err
	}
	s := &source{path: name, shown: l.show(name), json: path.Ext(name) == ".json", loader: l}
	root, err := s.document(data)
	if err != nil {
		return nil, err
	}
	return s.parse(root)
}

// enter opens the files that f names, and notes its keys.
func (l *loader) enter(f *file) error {
	for _, u := range f.uses {
		if _, ok := l.uses[u.Key]; !ok {
			l.uses[u.Key] = u
		}
	}
	return l.open(f.layer)
}

// include merges the files of work into m. One that was read before adds nothing.
func (l *loader) include(m layer, work []target) error {
	for _, t := range work {
		if i := slices.Index(l.stack, t.path); i >= 0 {
			var loop []string
			for _, p := range append(slices.Clone(l.stack[i:]), t.path) {
				loop = append(loop, l.show(p))
			}
			return t.at.errorf("loop: %s", strings.Join(loop, " includes "))
		}
		if l.done[t.path] {
			continue
		}
		if len(l.stack) >= maxDepth {
			return t.at.errorf("%q: more than %d files include one another", t.text, maxDepth)
		}
		included, err := l.load(t.path)
		if err != nil {
			return l.includeError(t, err)
		}
		m.merge(included)
	}
	return nil
}

func (l *loader) includeError(t target, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return t.at.errorf("%q: %w", t.text, l.unreadable(t.text, t.path, err))
}

// noteFinalize notes the folder finalize.d beside a treefile, when rpm-ostree would
// run a script in it.
func (l *loader) noteFinalize(dir string) {
	const key = "finalize.d"
	dir = path.Join(dir, key)
	entries, err := fs.ReadDir(l.fsys, dir)
	if _, noted := l.uses[key]; noted || err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.Mode()&0o100 != 0 {
			l.uses[key] = KeyUse{Key: key, File: l.show(dir)}
			return
		}
	}
}

// finish makes the result of the merged layers.
func (l *loader) finish(m layer) (*Treefile, error) {
	if _, ok := l.given["releasever"]; ok {
		e := m["releasever"]
		e.value = l.vars["releasever"]
		m["releasever"] = e
	}
	m.tidy()
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if err := l.substituteKey(m, name); err != nil {
			return nil, err
		}
	}
	if err := l.checkMerged(m); err != nil {
		return nil, err
	}
	m["basearch"] = entry{value: l.opts.Basearch, at: m["basearch"].at}
	return build(m, l), nil
}

// substituteKey replaces variables in the value of a key that has them.
func (l *loader) substituteKey(m layer, name string) (err error) {
	e := m[name]
	if !keys[name].subst {
		return nil
	}
	switch v := e.value.(type) {
	case string:
		e.value, err = l.substitute(e.at, v, true)
	case Rojig:
		for _, s := range []*string{&v.Name, &v.Summary, &v.Description} {
			if err == nil {
				*s, err = l.substitute(e.at, *s, true)
			}
		}
		e.value = v
	case map[string]item:
		out := maps.Clone(v)
		for k, it := range out {
			if s, ok := it.value.(string); ok {
				it.value, _ = l.substitute(it.at, s, false)
				out[k] = it
			}
		}
		e.value = out
	}
	m[name] = e
	return err
}

// checkMerged checks what only shows when all is merged.
func (l *loader) checkMerged(m layer) error {
	if e, ok := m["basearch"]; ok && e.value != l.opts.Basearch {
		return e.at.errorf("%q: this compose is for %s", e.value, l.opts.Basearch)
	}
	if e, ok := m["ref"]; ok {
		if bad := wrongRef(e.value.(string)); bad != "" {
			return e.at.errorf("%q %s", clip(e.value.(string)), bad)
		}
	}
	if e, ok := m["automatic-version-prefix"]; ok {
		if err := checkDates(e.value.(string)); err != nil {
			return e.at.errorf("%w", err)
		}
	}
	units, compat := m["units"], m["machineid-compat"]
	if len(get[[]item](m, "units")) > 0 && !get[bool](m, "machineid-compat") {
		return units.at.errorf("cannot be used with machineid-compat: false (%s:%d), which leaves units to presets",
			compat.at.file, compat.at.line)
	}
	return nil
}
