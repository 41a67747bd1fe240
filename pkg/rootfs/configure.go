package rootfs

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
)

// tmpfiles writes the lines for what packages have in /var, but for paths that a
// package's own tmpfiles.d names.
func (a *assembly) tmpfiles() error {
	named := map[string]bool{}
	if dir := a.root.Lookup("usr/lib/tmpfiles.d"); dir != nil {
		for _, name := range dir.Names() {
			b, err := a.read("usr/lib/tmpfiles.d/" + name)
			if err != nil {
				return err
			}
			for l := range strings.Lines(string(b)) {
				if f := strings.Fields(l); len(f) > 1 && f[0][0] != '#' {
					named[f[1]] = true
				}
			}
		}
	}
	slices.SortStableFunc(a.varLines, func(x, y tmpfile) int { return strings.Compare(x.path, y.path) })
	out := "# What packages have in /var; written by the compose.\n"
	last := ""
	for _, l := range a.varLines {
		if !named[l.path] && l.path != last {
			out += l.String() + "\n"
			last = l.path
		}
	}
	return a.put("usr/lib/tmpfiles.d/rpm-ostree-autovar.conf", out, 0o644)
}

// macros tells rpm in the tree where the database is.
const macros = "%_dbpath /usr/share/rpm\n"

// database puts the RPM database into /usr, with the links that programs look for,
// and a second copy that clients compare with when they add packages.
func (a *assembly) database() error {
	if len(a.o.Database) == 0 {
		return nil
	}
	for name, n := range a.o.Database {
		for _, dir := range []string{"usr/share/rpm", "usr/lib/sysimage/rpm-ostree-base-db"} {
			own := *n
			if err := a.root.Put(dir+"/"+name, &own); err != nil {
				return err
			}
		}
	}
	if err := a.root.Put("usr/lib/sysimage/rpm", filetree.NewSymlink("../../share/rpm")); err != nil {
		return err
	}
	return a.put("usr/lib/rpm/macros.d/macros.rpm-ostree", macros, 0o644)
}

const unitDir = "usr/lib/systemd/system"

// units enables units as their [Install] section says; one without goes to
// multi-user.target. It also sets the default target and stores the treefile.
func (a *assembly) units() error {
	for _, u := range a.o.Units {
		if err := a.enable(u); err != nil {
			return err
		}
	}
	if t := a.o.DefaultTarget; t != "" {
		if err := a.root.Put(unitDir+"/default.target", filetree.NewSymlink(t)); err != nil {
			return err
		}
	}
	if a.o.Treefile == nil {
		return nil
	}
	return a.put("usr/share/rpm-ostree/treefile.json", string(a.o.Treefile), 0o644)
}

func (a *assembly) enable(unit string) error {
	file := unit
	if at := strings.IndexByte(unit, '@'); at >= 0 { // an instance: its template is there
		file = unit[:at+1] + path.Ext(unit)
	}
	target := ""
	for _, dir := range []string{unitDir, "etc/systemd/system"} {
		if n := a.root.Lookup(dir + "/" + file); n != nil {
			target = dir + "/" + file
			break
		}
	}
	if target == "" {
		return fmt.Errorf("unit %s: no package has /%s/%s%s", unit, unitDir, file, a.nearUnit(file))
	}
	b, err := a.read(target)
	if err != nil {
		return err
	}
	placed := false
	for key, names := range install(string(b)) {
		for _, name := range names {
			name = strings.ReplaceAll(name, "%i", instance(unit))
			link := "etc/systemd/system/" + name + map[string]string{"WantedBy": ".wants/", "RequiredBy": ".requires/"}[key] + unit
			if key == "Alias" {
				link = "etc/systemd/system/" + name
			} else {
				placed = true
			}
			if a.root.Lookup(link) == nil {
				if err := a.root.Put(link, filetree.NewSymlink("/"+target)); err != nil {
					return err
				}
			}
		}
	}
	if placed {
		return nil
	}
	return a.root.Put("etc/systemd/system/multi-user.target.wants/"+unit, filetree.NewSymlink("/"+target))
}

func instance(unit string) string {
	_, rest, _ := strings.Cut(unit, "@")
	return strings.TrimSuffix(rest, path.Ext(rest))
}

// install reads the [Install] section of a unit.
func install(text string) map[string][]string {
	out := map[string][]string{}
	in := false
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "[") {
			in = l == "[Install]"
		}
		k, v, ok := strings.Cut(l, "=")
		if k = strings.TrimSpace(k); in && ok && (k == "WantedBy" || k == "RequiredBy" || k == "Alias") {
			out[k] = append(out[k], strings.Fields(v)...)
		}
	}
	return out
}

// nearUnit says which unit may have been meant.
func (a *assembly) nearUnit(unit string) string {
	dir := a.root.Lookup(unitDir)
	if dir == nil {
		return ""
	}
	base := strings.TrimSuffix(unit, path.Ext(unit))
	for _, n := range dir.Names() {
		if strings.Contains(n, base) || len(n) > 4 && strings.Contains(base, strings.TrimSuffix(n, path.Ext(n))) {
			return ": did you mean " + n + "?"
		}
	}
	return ""
}

// osRelease puts the version into os-release.
func (a *assembly) osRelease() error {
	if a.o.MutateOSRelease == "" || a.o.Version == "" {
		return nil
	}
	at, err := a.root.Resolve("etc/os-release")
	if err != nil || a.root.Lookup(at) == nil {
		at = "usr/lib/os-release"
	}
	b, err := a.read(at)
	if err != nil || b == nil {
		return err
	}
	var out strings.Builder
	for l := range strings.Lines(string(b)) {
		if strings.TrimSpace(l) == "" {
			continue
		}
		if strings.HasPrefix(l, "VERSION=") || strings.HasPrefix(l, "PRETTY_NAME=") {
			l = strings.ReplaceAll(l, a.o.MutateOSRelease, a.o.Version)
		}
		out.WriteString(strings.TrimRight(l, "\n") + "\n")
	}
	fmt.Fprintf(&out, "OSTREE_VERSION='%s'\n", a.o.Version)
	return a.put(at, out.String(), 0o644)
}

// removeFiles takes out what the treefile names; what is missing does not matter.
func (a *assembly) removeFiles() error {
	for _, p := range a.o.RemoveFiles {
		if rest, ok := strings.CutPrefix(p, "usr/etc/"); ok {
			p = "etc/" + rest
		}
		a.root.Remove(p)
	}
	return nil
}

// addFiles puts the treefile's files in.
func (a *assembly) addFiles() error {
	for _, f := range a.o.AddFiles {
		dest := f.Dest
		if rest, ok := strings.CutPrefix(dest, "usr/etc/"); ok {
			dest = "etc/" + rest
		}
		dir, err := a.parent("/" + path.Dir(dest))
		if err != nil {
			return fmt.Errorf("add-files: /%s: %w", f.Dest, err)
		}
		if err := dir.Set(path.Base(dest), filetree.Bytes(f.Body, f.Mode)); err != nil {
			return fmt.Errorf("add-files: /%s: %w", f.Dest, err)
		}
	}
	return nil
}

// machineID ships an empty machine-id, or none for first-boot semantics.
func (a *assembly) machineID() error {
	a.root.Remove("etc/machine-id")
	if !a.o.MachineIDCompat || a.root.Lookup("etc") == nil {
		return nil
	}
	return a.put("etc/machine-id", "", 0o444)
}
