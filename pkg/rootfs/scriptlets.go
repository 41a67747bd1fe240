package rootfs

import (
	"cmp"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/rpm"
)

// scriptRun is a scriptlet to be run.
type scriptRun struct {
	Package     string // its name
	Kind        string // "%post", as messages show it
	Interpreter []string
	Body        string
	Args        []string
	Stdin       string
}

// skipped are scriptlets that rpm-ostree leaves out: what they do belongs to a running
// system, or to one that is upgraded in place.
var skipped = skipTable(
	"glibc.pre glibc-headers.pre coreutils.pre ca-certificates.pre libgcc.post filesystem.posttrans setup.post pinentry.pre",
	"fedora-release.posttrans vagrant.pre vagrant-libvirt.pre bash.post gdb.pre systemd.transfiletriggerin man-db.transfiletriggerin",
	"filesystem.transfiletriggerin nfs-utils.post microcode_ctl.post microcode_ctl.posttrans",
	kernelScriptlets(),
)

// kernelScriptlets are those that would call the boot loader's tools.
func kernelScriptlets() string {
	names := []string{"kernel", "kernel-core", "kernel-modules", "kernel-uek", "kernel-uek-core"}
	for _, v := range []string{"redhat", "debug", "redhat-debug", "automotive", "automotive-debug", "rt", "rt-debug", "16k", "16k-debug", "64k", "64k-debug"} {
		names = append(names, "kernel-"+v+"-core", "kernel-"+v+"-modules")
	}
	for _, v := range []string{"lt", "ml"} {
		names = append(names, "kernel-"+v, "kernel-"+v+"-core", "kernel-"+v+"-modules")
	}
	return strings.Join(names, ".posttrans ") + ".posttrans"
}

func skipTable(lists ...string) map[string]bool {
	m := map[string]bool{}
	for _, l := range lists {
		for _, name := range strings.Fields(l) {
			m[name] = true
		}
	}
	return m
}

// skippedReleases are scriptlets that are left out in packages of a release.
var skippedReleases = map[string][]string{"pam.post": {".el7"}, "nvme-cli.post": {".el8", ".el8_2"}}

// isSkipped tells whether a script is left out. kind is without "%".
func isSkipped(p *Package, kind, body string) bool {
	name := p.Name + "." + kind
	if skipped[name] {
		return true
	}
	for _, suffix := range skippedReleases[name] {
		if strings.HasSuffix(p.EVR.Release, suffix) {
			return true
		}
	}
	const marker = "-- rpm-ostree-skip" // a package's own wish, in its Lua
	for i, line := range strings.SplitN(body, "\n", 11) {
		if i < 10 && strings.TrimSpace(line) == marker {
			return true
		}
	}
	return false
}

// upperPriority divides the triggers on files that run before a package's %post from
// those that run behind it, as in rpm.
const upperPriority = 10000

// planScriptlets lists what an installation of the packages, in this order, runs:
// first what runs before accounts are settled, then the rest. All files are in place
// from the beginning.
func planScriptlets(packages []Package) (before, rest []scriptRun) {
	for i := range packages {
		p := &packages[i]
		for _, q := range packages[:i] {
			before = append(before, triggeredBy(&q, p, "triggerprein")...)
		}
		before = append(before, scriptsOf(p, "pre")...)
	}
	for i := range packages {
		p := &packages[i]
		rest = append(rest, fileTriggers(packages[:i+1], i, true)...)
		rest = append(rest, scriptsOf(p, "post")...)
		for _, q := range packages[:i] {
			rest = append(rest, triggeredBy(&q, p, "triggerin")...)
		}
		for _, q := range packages[:i+1] {
			rest = append(rest, triggeredBy(p, &q, "triggerin")...)
		}
		rest = append(rest, fileTriggers(packages[:i+1], i, false)...)
	}
	for i := range packages {
		rest = append(rest, scriptsOf(&packages[i], "posttrans")...)
	}
	return before, append(rest, transFileTriggers(packages)...)
}

// newRun is a script to run, unless it is left out.
func newRun(p *Package, s rpm.Scriptlet, stdin string, args ...string) []scriptRun {
	if isSkipped(p, s.Kind, s.Body) {
		return nil
	}
	return []scriptRun{{Package: p.Name, Kind: "%" + s.Kind, Interpreter: s.Interpreter, Body: s.Body, Args: args, Stdin: stdin}}
}

func scriptsOf(p *Package, kind string) (out []scriptRun) {
	for _, s := range p.Scriptlets {
		if s.Kind == kind {
			out = append(out, newRun(p, s, "", "1")...)
		}
	}
	return out
}

// triggeredBy lists the triggers of p that the package by sets off.
func triggeredBy(p, by *Package, kind string) (out []scriptRun) {
	self := nevra.Relation{Name: by.Name, Flags: nevra.EQ, EVR: by.EVR}
	for _, t := range p.Triggers {
		if t.Kind == kind && slices.ContainsFunc(t.On, func(r nevra.Relation) bool { return r.Name == by.Name && r.Matches(self) }) {
			out = append(out, newRun(p, t.Scriptlet, "", "1", "1")...)
		}
	}
	return out
}

// fileTriggers lists the triggers that the last of the packages sets off with its
// files, and those of its own that the files of all set off; upper tells which half of
// the priorities.
func fileTriggers(packages []Package, last int, upper bool) (out []scriptRun) {
	type found struct {
		p     *Package
		t     rpm.Trigger
		stdin string
	}
	var list []found
	add := func(p *Package, files ...Package) {
		for _, t := range p.Triggers {
			if t.Kind != "filetriggerin" || (t.Priority >= upperPriority) != upper {
				continue
			}
			if stdin := matching(files, t.On); stdin != "" {
				list = append(list, found{p, t, stdin})
			}
		}
	}
	for i := range packages[:last] {
		add(&packages[i], packages[last])
	}
	add(&packages[last], packages...)
	slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(b.t.Priority, a.t.Priority) })
	for _, f := range list {
		out = append(out, newRun(f.p, f.t.Scriptlet, f.stdin, "0")...)
	}
	return out
}

// transFileTriggers lists the triggers on files of all packages that run at the end.
func transFileTriggers(packages []Package) (out []scriptRun) {
	type found struct {
		p *Package
		t rpm.Trigger
	}
	var list []found
	for i := range packages {
		for _, t := range packages[i].Triggers {
			if t.Kind == "transfiletriggerin" {
				list = append(list, found{&packages[i], t})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(b.t.Priority, a.t.Priority) })
	for _, f := range list {
		if stdin := matching(packages, f.t.On); stdin != "" {
			out = append(out, newRun(f.p, f.t.Scriptlet, stdin, "0")...)
		}
	}
	return out
}

// matching lists the paths of packages that begin as the conditions say, a line each.
func matching(packages []Package, on []nevra.Relation) string {
	var paths []string
	for _, p := range packages {
		for _, f := range p.Files {
			if f.Flags&rpm.FlagGhost == 0 && slices.ContainsFunc(on, func(r nevra.Relation) bool { return strings.HasPrefix(f.Path, r.Name) }) {
				paths = append(paths, f.Path)
			}
		}
	}
	if len(paths) == 0 {
		return ""
	}
	slices.Sort(paths)
	return strings.Join(slices.Compact(paths), "\n") + "\n"
}

// scriptlets runs what packages run when they are installed, and gives files their
// owners between what makes accounts and what may use them.
func (a *assembly) scriptlets(packages []Package) error {
	before, rest := planScriptlets(packages)
	if len(before)+len(rest) == 0 {
		return a.own(a.db)
	}
	if err := a.prepareForScriptlets(); err != nil {
		return err
	}
	d, err := a.onDisk()
	if err != nil {
		return err
	}
	if err := a.runScriptlets(d, before); err != nil {
		return err
	}
	db := &accountDB{}
	if err := db.load(d.read); err != nil {
		return err
	}
	if err := a.own(db); err != nil {
		return err
	}
	if err := a.runScriptlets(d, rest); err != nil {
		return err
	}
	if err := a.takeBack(d); err != nil {
		return err
	}
	a.root.Remove("opt")
	return nil
}

// prepareForScriptlets puts what scripts expect in the tree: /opt, and the state of
// alternatives, which is a part of it.
func (a *assembly) prepareForScriptlets() error {
	if a.root.Lookup("usr/lib/opt") != nil && a.root.Lookup("opt") == nil {
		if err := a.root.Put("opt", filetree.NewSymlink("usr/lib/opt")); err != nil {
			return err
		}
	}
	if a.root.Lookup(alternatives) == nil && (a.command("alternatives") || a.command("update-alternatives")) {
		_, err := a.root.MkdirAll(alternatives, 0o755)
		return err
	}
	return nil
}

// alternatives is where rpm-ostree keeps what is /var/lib/alternatives elsewhere.
const alternatives = "usr/lib/alternatives"
