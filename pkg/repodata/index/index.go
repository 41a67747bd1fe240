// Package index makes a folder of RPM packages an RPM repository, as createrepo_c
// does: it reads the packages' headers and writes repodata/.
package index

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/rpm"
)

// Write reads the packages in dir and writes dir/repodata. timestamp is the
// revision, in seconds since 1970 UTC; when it is negative, that of the newest
// package's build. It returns how many packages there are.
func Write(dir string, timestamp int64) (int, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.rpm"))
	if err != nil {
		return 0, err
	}
	var packages []*repodata.Package
	for _, f := range files {
		p, err := Package(f)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", f, err)
		}
		if p != nil {
			packages = append(packages, p)
		}
	}
	repodata.Sort(packages)
	if timestamp < 0 {
		for _, p := range packages {
			timestamp = max(timestamp, p.BuildTime)
		}
	}
	return len(packages), WritePackages(dir, packages, timestamp)
}

// WritePackages writes dir/repodata for packages, which need not be there.
func WritePackages(dir string, packages []*repodata.Package, timestamp int64) error {
	metadata, err := repodata.WriteMetadata(packages, timestamp)
	if err != nil {
		return err
	}
	return replace(filepath.Join(dir, "repodata"), metadata)
}

// replace writes the metadata, the index last, and then removes older files.
func replace(dir string, metadata []repodata.Metadata) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, m := range metadata {
		name := filepath.Base(m.Name)
		keep[name] = true
		if err := fsutil.WriteBytes(filepath.Join(dir, name), 0o644, m.Content); err != nil {
			return err
		}
	}
	for _, e := range old {
		if !keep[e.Name()] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// Package reads what a repository says of one package file; nil for a source
// package.
func Package(path string) (*repodata.Package, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha256.New()
	h, err := rpm.ReadHeader(bufio.NewReader(f))
	if err != nil {
		return nil, err
	}
	if h.IsSource() {
		return nil, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	size, err := io.Copy(sum, f)
	if err != nil {
		return nil, err
	}
	p, err := fromHeader(h)
	if err != nil {
		return nil, err
	}
	p.Checksum, p.Size, p.Location = digest.FromHash(digest.SHA256, sum), size, filepath.Base(path)
	p.FileTime = p.BuildTime // the file's own time would make the result depend on the copy
	return p, nil
}

func fromHeader(h *rpm.Header) (*repodata.Package, error) {
	i := h.Info()
	p := &repodata.Package{
		NEVRA: h.NEVRA(), Summary: i.Summary, Description: i.Description, License: i.License, Vendor: i.Vendor,
		Packager: i.Packager, Group: i.Group, URL: i.URL, BuildHost: i.BuildHost, SourceRPM: i.SourceRPM,
		BuildTime: i.BuildTime, InstalledSize: i.InstalledSize, HeaderStart: h.Start, HeaderEnd: h.End,
	}
	d, err := h.Dependencies()
	if err != nil {
		return nil, err
	}
	for _, r := range d.Requires {
		if strings.HasPrefix(r.Name, "rpmlib(") {
			continue
		}
		if r.Sense&(rpm.SensePre|rpm.SensePost) != 0 {
			if p.PreRequires == nil {
				p.PreRequires = map[int]bool{}
			}
			p.PreRequires[len(p.Requires)] = true
		}
		p.Requires = append(p.Requires, r.Relation)
	}
	for _, k := range []struct {
		from []rpm.Dependency
		to   *[]nevra.Relation
	}{
		{d.Provides, &p.Provides}, {d.Conflicts, &p.Conflicts}, {d.Obsoletes, &p.Obsoletes}, {d.Recommends, &p.Recommends},
		{d.Suggests, &p.Suggests}, {d.Supplements, &p.Supplements}, {d.Enhances, &p.Enhances},
	} {
		for _, r := range k.from {
			*k.to = append(*k.to, r.Relation)
		}
	}
	files, err := h.Files()
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		kind := ""
		switch {
		case f.Flags&rpm.FlagGhost != 0:
			kind = "ghost"
		case f.Kind == filetree.Dir:
			kind = "dir"
		}
		p.Files = append(p.Files, repodata.File{Path: f.Path, Type: kind})
	}
	return p, nil
}
