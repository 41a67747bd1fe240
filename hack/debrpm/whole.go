package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"

	"github.com/google/rpmpack"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/repodata/index"
)

// writeWhole writes the metadata of a repository that has every package of the suite,
// without the packages: something large to resolve against.
func writeWhole(ctx context.Context, o *options) (int, error) {
	a, err := openSuite(ctx, o)
	if err != nil {
		return 0, err
	}
	var contents []string // apt knows this kind of list only when told of it
	for _, kv := range []string{
		`MetaKey=$(COMPONENT)/Contents-$(ARCHITECTURE)`, `ShortDescription=Contents`, `Description=$(RELEASE) Contents`, `KeepCompressed=true`,
	} {
		contents = append(contents, "-o", "Acquire::IndexTargets::deb::Contents::"+kv)
	}
	if _, err := a.get(ctx, append(contents, "update")...); err != nil {
		return 0, err
	}
	targets, err := a.get(ctx, append(contents, "indextargets", "--format", "$(CREATED_BY)|$(FILENAME)")...)
	if err != nil {
		return 0, err
	}
	s := suite{byName: map[string][]*repodata.Package{}}
	if err := readTargets(ctx, targets, "Packages", s.readPackages); err != nil {
		return 0, err
	}
	if err := s.convert(); err != nil {
		return 0, err
	}
	if err := readTargets(ctx, targets, "Contents", s.readContents); err != nil {
		return 0, err
	}
	repodata.Sort(s.packages)
	return len(s.packages), index.WritePackages(o.out, s.packages, 0)
}

// readTargets reads the lists of one kind.
func readTargets(ctx context.Context, targets []byte, kind string, read func(io.Reader) error) error {
	for line := range strings.Lines(string(targets)) {
		if by, file, _ := strings.Cut(strings.TrimSpace(line), "|"); by == kind {
			if err := catFile(ctx, file, read); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}

// catFile reads a file of apt's lists, which may be compressed in a way of its own.
func catFile(ctx context.Context, file string, read func(io.Reader) error) error {
	cmd := exec.CommandContext(ctx, "/usr/lib/apt/apt-helper", "cat-file", file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = read(out)
	if err != nil {
		cmd.Process.Kill()
	}
	return errors.Join(err, cmd.Wait())
}

// suite is what apt's lists say of one.
type suite struct {
	debs     []*deb
	packages []*repodata.Package
	byName   map[string][]*repodata.Package
}

// readPackages reads stanzas of control fields with empty lines between them.
func (s *suite) readPackages(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	var stanza strings.Builder
	end := func() {
		if c := parseControl(stanza.String()); c["Package"] != "" {
			s.debs = append(s.debs, &deb{control: c})
		}
		stanza.Reset()
	}
	for lines.Scan() {
		if lines.Text() == "" {
			end()
			continue
		}
		stanza.WriteString(lines.Text() + "\n")
	}
	end()
	return lines.Err()
}

// convert turns what was read into packages, and adds filesystem.
func (s *suite) convert() error {
	if len(s.debs) == 0 {
		return errors.New("the suite has no packages")
	}
	names := map[string]bool{}
	for _, d := range s.debs {
		names[d.control["Package"]] = true
	}
	for _, d := range s.debs {
		p, err := d.pkg(names)
		if err != nil {
			return fmt.Errorf("package %s: %w", d.control["Package"], err)
		}
		s.packages = append(s.packages, p)
		s.byName[p.NEVRA.Name] = append(s.byName[p.NEVRA.Name], p)
	}
	base := nevra.NEVRA{Name: "filesystem", EVR: nevra.EVR{Version: "1", Release: "1"}, Arch: "noarch"}
	own := nevra.Relation{Name: base.Name, Flags: nevra.EQ, EVR: base.EVR}
	p := &repodata.Package{NEVRA: base, Summary: "the folders of a file system", Location: filesystemRPM, Checksum: digest.Sum([]byte(base.String())), Provides: []nevra.Relation{own}}
	s.packages, s.byName["filesystem"] = append(s.packages, p), []*repodata.Package{p}
	return nil
}

// pkg is what a repository would say of the converted package.
func (d *deb) pkg(names map[string]bool) (*repodata.Package, error) {
	m, err := d.metadata(names)
	if err != nil {
		return nil, err
	}
	v := d.version()
	if v.epoch == "" {
		v.epoch = "0"
	}
	evr := nevra.EVR{Epoch: v.epoch, Version: v.version, Release: v.release}
	p := &repodata.Package{
		NEVRA: nevra.NEVRA{Name: m.Name, EVR: evr, Arch: m.Arch}, Location: d.rpmName(), SourceRPM: d.source(),
		Summary: m.Summary, Description: m.Description, URL: m.URL, Group: m.Group, License: m.Licence, Vendor: m.Vendor, BuildHost: m.BuildHost,
	}
	if p.Checksum, err = digest.New(digest.SHA256, d.control["SHA256"]); err != nil {
		return nil, err
	}
	if p.Size, err = strconv.ParseInt(d.control["Size"], 10, 64); err != nil {
		return nil, err
	}
	kib, _ := strconv.ParseInt(d.control["Installed-Size"], 10, 64) // not every package has it
	p.InstalledSize = kib << 10
	p.Provides = []nevra.Relation{{Name: m.Name, Flags: nevra.EQ, EVR: evr}}
	for _, k := range []struct {
		from rpmpack.Relations
		to   *[]nevra.Relation
	}{{m.Provides, &p.Provides}, {m.Requires, &p.Requires}, {m.Conflicts, &p.Conflicts}, {m.Recommends, &p.Recommends}, {m.Suggests, &p.Suggests}} {
		for _, r := range k.from {
			if strings.HasPrefix(r.Name, "rpmlib(") {
				continue
			}
			out := nevra.Relation{Name: r.Name}
			if r.Version != "" {
				if out.EVR, err = nevra.ParseEVR(r.Version); err != nil {
					return nil, err
				}
				out.Flags = flags(r)
			}
			*k.to = append(*k.to, out)
		}
	}
	return p, nil
}

// flags are the comparisons of a relation.
func flags(r *rpmpack.Relation) (f nevra.Flag) {
	if r.Sense&rpmpack.SenseLess != 0 {
		f |= nevra.LT
	}
	if r.Sense&rpmpack.SenseGreater != 0 {
		f |= nevra.GT
	}
	if r.Sense&rpmpack.SenseEqual != 0 {
		f |= nevra.EQ
	}
	return f
}

// readContents adds files to packages: lines of a path and a list of SECTION/PACKAGE.
func (s *suite) readContents(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		i := strings.LastIndexAny(lines.Text(), " \t")
		if i < 0 {
			continue
		}
		file := repodata.File{Path: usrMerge("/" + strings.TrimRight(lines.Text()[:i], " \t"))}
		for _, name := range strings.Split(lines.Text()[i+1:], ",") {
			name = name[strings.LastIndexByte(name, '/')+1:]
			for _, p := range s.byName[name] {
				p.Files = append(p.Files, file)
			}
		}
	}
	return lines.Err()
}
