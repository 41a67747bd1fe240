package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/rpmpack"
	"golang.org/x/sync/errgroup"

	"github.com/treewright/treewright/pkg/fsutil"
)

// deb is one package, read.
type deb struct {
	archive
	control   map[string]string
	conffiles map[string]bool
	maintainer

	compressor string // of the payload
	scripts    bool   // the script that configures the package is kept
}

// convertAll writes one RPM for each .deb, and the package "filesystem".
func convertAll(ctx context.Context, archives []archive, o *options) (int, error) {
	out := o.out
	debs := make([]*deb, len(archives))
	names := map[string]bool{}
	for i, a := range archives {
		d, err := readControl(ctx, a)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", filepath.Base(a.path), err)
		}
		d.compressor, d.scripts = o.compressor, o.scripts
		debs[i] = d
		names[d.control["Package"]] = true
	}
	keep := map[string]bool{"repodata": true}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, d := range debs {
		name := d.rpmName()
		if keep[name] {
			return 0, fmt.Errorf("%s comes twice", name)
		}
		keep[name] = true
		group.Go(func() error { return d.convert(ctx, filepath.Join(out, name), names) })
	}
	keep[filesystemRPM] = true
	if err := errors.Join(writeFilesystem(filepath.Join(out, filesystemRPM), o.compressor), group.Wait()); err != nil {
		return 0, err
	}
	return len(keep) - 1, removeOthers(out, keep)
}

// removeOthers takes packages of earlier runs out of the repository.
func removeOthers(out string, keep map[string]bool) error {
	entries, err := os.ReadDir(out)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !keep[e.Name()] && strings.HasSuffix(e.Name(), ".rpm") {
			err = errors.Join(err, os.Remove(filepath.Join(out, e.Name())))
		}
	}
	return err
}

// readControl reads what dpkg knows of a package without its content.
func readControl(ctx context.Context, a archive) (*deb, error) {
	out, err := command(ctx, "dpkg-deb", "--ctrl-tarfile", a.path)
	if err != nil {
		return nil, err
	}
	d := &deb{archive: a, conffiles: map[string]bool{}, maintainer: maintainer{}}
	for r := tar.NewReader(bytes.NewReader(out)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		switch path.Clean(h.Name) {
		case "control":
			d.control = parseControl(string(body))
		case "postinst", "templates", "config":
			d.maintainer[path.Clean(h.Name)] = string(body)
		case "conffiles":
			for line := range strings.Lines(string(body)) {
				if f := strings.Fields(line); len(f) > 0 && f[0] != "remove-on-upgrade" {
					d.conffiles[usrMerge(f[0])] = true
				}
			}
		}
	}
	if d.control["Package"] == "" || d.control["Version"] == "" {
		return nil, errors.New("control file names no package")
	}
	return d, nil
}

func parseControl(s string) map[string]string {
	fields := map[string]string{}
	var last string
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, " ") && last != "" {
			fields[last] += "\n" + strings.TrimPrefix(line, " ")
		} else if k, v, ok := strings.Cut(line, ":"); ok {
			last = k
			fields[k] = strings.TrimSpace(v)
		}
	}
	return fields
}

func (d *deb) arch() string {
	if d.control["Architecture"] == "all" {
		return "noarch"
	}
	return "x86_64"
}

func (d *deb) version() evr { return parseVersion(d.control["Version"]) }

func (d *deb) rpmName() string {
	v := d.version()
	return fmt.Sprintf("%s-%s-%s.%s.rpm", d.control["Package"], v.version, v.release, d.arch())
}

// convert writes the RPM, unless an earlier run did.
func (d *deb) convert(ctx context.Context, out string, names map[string]bool) error {
	if st, err := os.Stat(out); err == nil {
		if src, err := os.Stat(d.path); err == nil && st.ModTime().After(src.ModTime()) && newerThanProgram(st.ModTime()) {
			return nil
		}
	}
	files, newest, err := d.files(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(d.path), err)
	}
	meta, err := d.metadata(names)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(d.path), err)
	}
	meta.BuildTime = time.Unix(newest, 0)
	post := ""
	if d.scripts {
		paths := make([]string, len(files))
		for i, f := range files {
			paths[i] = f.Name
		}
		slices.Sort(paths)
		post = d.maintainer.post(d.control, paths)
	}
	return writeRPM(out, meta, d.source(), post, files)
}

// newerThanProgram tells whether a converted package is from this program or a
// later one.
func newerThanProgram(t time.Time) bool {
	self, err := os.Executable()
	if err != nil {
		return false
	}
	st, err := os.Stat(self)
	// `go run` builds the program anew into a cache; its time is the build's.
	return err == nil && (strings.Contains(self, "go-build") || t.After(st.ModTime()))
}

func (d *deb) source() string {
	name, version := d.control["Source"], d.control["Version"]
	if n, v, ok := strings.Cut(name, " ("); ok {
		name, version = n, strings.TrimSuffix(v, ")")
	}
	if name == "" {
		name = d.control["Package"]
	}
	v := parseVersion(version)
	return fmt.Sprintf("%s-%s-%s.src.rpm", name, v.version, v.release)
}

func writeRPM(out string, meta rpmpack.RPMMetaData, source, post string, files []rpmpack.RPMFile) error {
	own := rpmpack.Relation{Name: meta.Name, Version: meta.Version + "-" + meta.Release, Sense: rpmpack.SenseEqual}
	r, err := rpmpack.NewRPM(meta)
	if err != nil {
		return err
	}
	// The library's own provide lacks the epoch.
	r.Provides = slices.DeleteFunc(r.Provides, func(p *rpmpack.Relation) bool { return *p == own })
	if meta.Epoch != rpmpack.NoEpoch {
		own.Version = strconv.Itoa(int(meta.Epoch)) + ":" + own.Version
	}
	r.Provides = append(r.Provides, &own)
	const tagSourceRPM = 1044
	r.AddCustomTag(tagSourceRPM, rpmpack.EntryString(source))
	if post != "" {
		r.AddPostin(post)
	}
	for _, f := range files {
		r.AddFile(f)
	}
	return fsutil.WriteFile(out, 0o644, r.Write)
}

// metadata maps the control file.
func (d *deb) metadata(names map[string]bool) (rpmpack.RPMMetaData, error) {
	c := d.control
	v := d.version()
	summary, description, _ := strings.Cut(c["Description"], "\n")
	m := rpmpack.RPMMetaData{
		Name: c["Package"], Version: v.version, Release: v.release, Epoch: rpmpack.NoEpoch, Arch: d.arch(),
		Summary: summary, Description: strings.TrimSpace(description), URL: c["Homepage"], Group: c["Section"],
		Licence: "see /usr/share/doc/" + c["Package"] + "/copyright", Vendor: "Debian", BuildHost: "localhost", Compressor: d.compressor,
	}
	if v.epoch != "" && v.epoch != "0" {
		e, err := strconv.ParseUint(v.epoch, 10, 31)
		if err != nil {
			return m, fmt.Errorf("version %q: %w", c["Version"], err)
		}
		m.Epoch = uint32(e)
	}
	for _, field := range []struct {
		name string
		list *rpmpack.Relations
	}{
		{"Pre-Depends", &m.Requires}, {"Depends", &m.Requires}, {"Recommends", &m.Recommends}, {"Suggests", &m.Suggests},
		{"Provides", &m.Provides}, {"Conflicts", &m.Conflicts}, {"Breaks", &m.Conflicts},
	} {
		if d.alone && field.list == &m.Requires {
			continue
		}
		groups, err := parseField(c[field.name])
		if err != nil {
			return m, fmt.Errorf("%s: %w", field.name, err)
		}
		for _, g := range groups {
			// Debian's versioned conflicts do not see unversioned provides; RPM's do.
			if field.list == &m.Conflicts && g[0].op != "" && !names[g[0].name] {
				continue
			}
			*field.list = append(*field.list, requirement(g))
		}
	}
	m.Requires = append(m.Requires, &rpmpack.Relation{Name: "filesystem"})
	m.Requires = append(m.Requires, rpmlib(m)...)
	return m, nil
}

// rpmlib lists the features of rpm that the package makes use of.
func rpmlib(m rpmpack.RPMMetaData) rpmpack.Relations {
	feature := func(name, version string) *rpmpack.Relation {
		return &rpmpack.Relation{Name: "rpmlib(" + name + ")", Version: version, Sense: rpmpack.SenseRPMLIB | rpmpack.SenseLess | rpmpack.SenseEqual}
	}
	out := rpmpack.Relations{feature("CompressedFileNames", "3.0.4-1")}
	switch format, _, _ := strings.Cut(m.Compressor, ":"); format {
	case "zstd":
		out = append(out, feature("PayloadIsZstd", "5.4.18-1"))
	case "xz":
		out = append(out, feature("PayloadIsXz", "5.2-1"))
	case "lzma":
		out = append(out, feature("PayloadIsLzma", "4.4.2-1"))
	}
	if strings.Contains(m.Version+m.Release, "~") {
		out = append(out, feature("TildeInVersions", "4.10.0-1"))
	}
	if slices.ContainsFunc(slices.Concat(m.Requires, m.Recommends, m.Suggests), func(r *rpmpack.Relation) bool { return strings.HasPrefix(r.Name, "(") }) {
		out = append(out, feature("RichDependencies", "4.12.0-1"))
	}
	return out
}
