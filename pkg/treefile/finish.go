package treefile

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/units"
)

// finish sets defaults, puts variables in, checks values and fills the fields.
func (p *parser) finish(l *layer) (*Treefile, error) {
	if v, ok := l.values["basearch"]; ok && v.v != p.o.Basearch {
		return nil, p.fail(v.file, v.line, "basearch", "is %v, the compose is for %s", v.v, p.o.Basearch)
	}
	if err := p.checkVariables(l); err != nil {
		return nil, err
	}
	p.substituteAll(l)
	f := &finisher{p: p, l: l}
	t := &Treefile{
		Ref: f.str("ref", ""), Basearch: p.o.Basearch, Releasever: f.str("releasever", ""),
		RepoVars: map[string]string{}, Metadata: f.mapping("metadata"),
		Repos: f.list("repos"), LockfileRepos: f.list("lockfile-repos"), Packages: f.list("packages"),
		ExcludePackages: f.list("exclude-packages"), Recommends: f.flag("recommends", true), Documentation: f.flag("documentation", true),
		Units: f.list("units"), DefaultTarget: f.str("default-target", ""), InitramfsArgs: f.list("initramfs-args"),
		NoInitramfs: f.flag("no-initramfs", false), MachineIDCompat: f.flag("machineid-compat", true), TmpIsDir: f.flag("tmp-is-dir", false),
		Selinux: f.flag("selinux", true), Container: f.flag("container", false), OptUsrLocal: f.str("opt-usrlocal", "var"),
		AddFiles: l.sources, RemoveFiles: f.list("remove-files"), Postprocess: f.list("postprocess"), PostprocessScript: l.script,
		MutateOSRelease: f.str("mutate-os-release", ""), EtcGroupMembers: f.list("etc-group-members"),
		AddCommitMetadata: f.mapping("add-commit-metadata"), VersionPrefix: f.str("automatic-version-prefix", ""),
		VersionSuffix: f.str("automatic-version-suffix", "."),
		Keys:          p.firstUses(),
	}
	for k, v := range f.mapping("repovars") {
		t.RepoVars[k] = v.(string)
	}
	f.repoPackages(t)
	f.removeFromPackages(t)
	f.removeFiles(t)
	f.version(t)
	f.images(t)
	f.disk(t)
	f.deltas(t)
	if f.err != nil {
		return nil, f.err
	}
	if !t.MachineIDCompat && len(t.Units) > 0 {
		v := l.values["units"]
		return nil, p.fail(v.file, v.line, "units", "cannot go with machineid-compat: false: the first boot would preset all units")
	}
	t.merged = map[string]any{"basearch": t.Basearch}
	for k, v := range l.values {
		if k != "variables" && k != "repovars" {
			t.merged[k] = v.v
		}
	}
	return t, nil
}

func (p *parser) firstUses() (out []KeyUse) {
	for _, k := range p.keys {
		if !slices.ContainsFunc(out, func(o KeyUse) bool { return o.Key == k.Key }) {
			out = append(out, k)
		}
	}
	return out
}

func (p *parser) checkVariables(l *layer) error {
	v, ok := l.values["variables"]
	if !ok {
		return nil
	}
	for name, x := range v.v.(map[string]any) {
		key := "variables." + name
		if name == "basearch" || name == "releasever" {
			return p.fail(v.file, v.line, key, "is set by itself and may not be defined")
		}
		switch x.(type) {
		case string, bool, int64:
		default:
			return p.fail(v.file, v.line, key, "want a string, a number, true or false")
		}
		if strings.ContainsAny(name+fmt.Sprint(x), "${}") {
			return p.fail(v.file, v.line, key, "may not have $, { or }")
		}
	}
	return nil
}

// substituted are the keys in which variables are put.
var substituted = []string{"ref", "automatic-version-prefix", "mutate-os-release"}

func (p *parser) substituteAll(l *layer) {
	for _, k := range substituted {
		if v, ok := l.values[k]; ok {
			v.v = p.substitute(v.v.(string))
			l.values[k] = v
		}
	}
	for _, k := range []string{"metadata", "add-commit-metadata"} {
		v, ok := l.values[k]
		if !ok {
			continue
		}
		out := map[string]any{}
		for name, x := range v.v.(map[string]any) {
			if s, ok := x.(string); ok {
				x = p.substitute(s)
			}
			out[name] = x
		}
		v.v = out
		l.values[k] = v
	}
}

// finisher reads values and keeps the first error.
type finisher struct {
	p   *parser
	l   *layer
	err error
}

func (f *finisher) fail(key, path, format string, a ...any) {
	if v := f.l.values[key]; f.err == nil {
		f.err = f.p.fail(v.file, v.line, path, format, a...)
	}
}

func (f *finisher) str(key, def string) string {
	v, ok := f.l.values[key]
	if !ok {
		return def
	}
	return fmt.Sprint(v.v)
}

func (f *finisher) flag(key string, def bool) bool {
	if v, ok := f.l.values[key]; ok {
		return v.v.(bool)
	}
	return def
}

func (f *finisher) list(key string) []string { return stringsOf(f.l.values[key].v) }

func (f *finisher) mapping(key string) map[string]any {
	m, _ := f.l.values[key].v.(map[string]any)
	return m
}

func (f *finisher) repoPackages(t *Treefile) {
	list, _ := f.l.values["repo-packages"].v.([]any)
	seen := map[string]bool{}
	for i := len(list) - 1; i >= 0; i-- { // a package that comes again belongs to the last
		key := fmt.Sprintf("repo-packages[%d]", i)
		m := list[i].(map[string]any)
		repo, _ := m["repo"].(string)
		if repo == "" || m["packages"] == nil {
			f.fail("repo-packages", key, "want {repo: ID, packages: [...]}")
			return
		}
		var words []string
		for _, e := range stringsOf(m["packages"]) {
			split, err := splitWords(e)
			if err != nil {
				f.fail("repo-packages", key, "%v", err)
			}
			for _, w := range split {
				if !seen[w] {
					seen[w] = true
					words = append(words, w)
				}
			}
		}
		if len(words) > 0 {
			t.RepoPackages = slices.Insert(t.RepoPackages, 0, RepoPackages{repo, words})
		}
	}
}

func (f *finisher) removeFromPackages(t *Treefile) {
	list, _ := f.l.values["remove-from-packages"].v.([]any)
	for i, e := range list {
		words := stringsOf(e)
		if len(words) < 2 {
			f.fail("remove-from-packages", fmt.Sprintf("remove-from-packages[%d]", i), "want [PACKAGE, PATTERN, ...]")
			return
		}
		t.RemoveFromPackages = append(t.RemoveFromPackages, PackageFiles{words[0], words[1:]})
	}
}

func (f *finisher) removeFiles(t *Treefile) {
	for i, p := range t.RemoveFiles {
		if strings.HasPrefix(p, "/") || p != path.Clean(p) || strings.HasPrefix(p, "..") || p == "." {
			f.fail("remove-files", fmt.Sprintf("remove-files[%d]", i), "%q: want a path relative to the root, such as usr/share/doc", p)
		}
	}
}

func (f *finisher) version(t *Treefile) {
	if len(t.VersionSuffix) != 1 || t.VersionSuffix[0] > 0x7f {
		f.fail("automatic-version-suffix", "automatic-version-suffix", "%q: want one ASCII character", t.VersionSuffix)
	}
	if e := f.str("edition", "2014"); e != "2014" && e != "2024" {
		f.fail("edition", "edition", "%q: want 2014 or 2024", e)
	}
	if b := f.str("boot-location", "modules"); b != "new" && b != "modules" && b != "kernel-install" {
		f.fail("boot-location", "boot-location", "%q: want modules, kernel-install or new", b)
	}
	if o := t.OptUsrLocal; o != "var" && o != "root" && o != "state-overlay" && o != "stateoverlay" {
		f.fail("opt-usrlocal", "opt-usrlocal", "%q: want var, root or state-overlay", o)
	}
}

// Formats are the image formats that a treefile may name.
var Formats = []string{"qcow2", "vdi", "openstack", "raw"}

func (f *finisher) images(t *Treefile) {
	v, ok := f.l.values["images"]
	if !ok {
		return
	}
	list, ok := v.v.([]any)
	if !ok {
		f.fail("images", "images", "want a list of formats")
		return
	}
	for i, e := range list {
		key := fmt.Sprintf("images[%d]", i)
		img := Image{}
		switch e := e.(type) {
		case string:
			img.Format = e
		case map[string]any:
			for k, x := range e {
				s := fmt.Sprint(x)
				switch k {
				case "format":
					img.Format = s
				case "compression":
					img.Compression = s
				case "size":
					img.Size = f.size("images", key+".size", s)
				default:
					f.fail("images", key, "unknown key %q: want format, size or compression", k)
				}
			}
		default:
			f.fail("images", key, "want a format or {format: ..., size: ...}")
			return
		}
		if !slices.Contains(Formats, img.Format) {
			f.fail("images", key, "format %q is not known: want one of %s", img.Format, strings.Join(Formats, ", "))
		}
		t.Images = append(t.Images, img)
	}
}

func (f *finisher) size(key, path, s string) units.Bytes {
	n, err := units.Parse(s)
	if err != nil {
		f.fail(key, path, "%v", err)
	}
	return n
}

func (f *finisher) disk(t *Treefile) {
	t.Disk = Disk{RootFS: "ext4"}
	for k, x := range f.mapping("disk") {
		key := "disk." + k
		switch k {
		case "size":
			t.Disk.Size = f.size("disk", key, fmt.Sprint(x))
		case "stateroot":
			t.Disk.Stateroot = fmt.Sprint(x)
		case "rootfs":
			if t.Disk.RootFS = fmt.Sprint(x); t.Disk.RootFS != "ext4" {
				f.fail("disk", key, "%q is not supported: want ext4", t.Disk.RootFS)
			}
		case "kargs":
			if t.Disk.KernelArgs = stringsOf(x); t.Disk.KernelArgs == nil {
				f.fail("disk", key, "want a list of strings")
			}
		case "firmware":
			t.Disk.Firmware = stringsOf(x)
			for _, w := range t.Disk.Firmware {
				if w != "bios" && w != "uefi" {
					f.fail("disk", key, "%q: want bios, uefi or both", w)
				}
			}
		default:
			f.fail("disk", "disk", "unknown key %q: want size, firmware, rootfs, kargs or stateroot", k)
		}
	}
}

func (f *finisher) deltas(t *Treefile) {
	for k, x := range f.mapping("deltas") {
		switch n, isInt := x.(int64); {
		case k == "from" && isInt && n >= 0 && n < 1000:
			from := int(n)
			t.Deltas.From = &from
		case k == "empty":
			b, ok := x.(bool)
			if !ok {
				f.fail("deltas", "deltas.empty", "want true or false")
			}
			t.Deltas.Empty = b
		default:
			f.fail("deltas", "deltas."+k, "want from: a number of commits, or empty: true or false")
		}
	}
}
