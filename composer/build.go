package composer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// BuildOptions tells what to build.
type BuildOptions struct {
	ComposeOptions
	Disk      DiskOptions
	DeltaFrom int // from how many earlier commits deltas are made; negative: as the treefile says, else 1
	NoDelta   bool
}

// BuildReport is the outcome.
type BuildReport struct {
	Unchanged bool            `json:"unchanged"`
	ID        string          `json:"id"`
	Dir       string          `json:"dir"`
	Commit    ostree.Checksum `json:"ostree-commit"`
	Version   string          `json:"ostree-version"`
	Changes   []PackageChange `json:"pkgdiff"`
	Images    []ImageFile     `json:"images"`
	Deltas    []DeltaReport   `json:"deltas"`
	Stages    []StageReport   `json:"stages"`
}

// MarshalJSON writes lists that are empty as such, never as null.
func (r *BuildReport) MarshalJSON() ([]byte, error) {
	type plain BuildReport
	p := plain(*r)
	p.Changes = append([]PackageChange{}, r.Changes...)
	p.Images = append([]ImageFile{}, r.Images...)
	p.Deltas = append([]DeltaReport{}, r.Deltas...)
	p.Stages = append([]StageReport{}, r.Stages...)
	return json.Marshal(p)
}

// Build runs the whole pipeline: compose, images, deltas, record. A build appears in
// builds/ whole or not at all.
func Build(ctx context.Context, o BuildOptions) (*BuildReport, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	unlock, err := o.lockWorkdir(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	r, err := repo.Create(o.Repo, ostree.ModeArchive)
	if err != nil {
		return nil, err
	}
	composed, err := o.compose(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := o.writeFiles(r, composed); err != nil {
		return nil, err
	}
	if o.Disk.Ref == "" {
		o.Disk.Ref = composed.Ref
	}
	o.Disk.fillFrom(composed.treefile)
	report, err := o.build(ctx, r, composed)
	o.Progress.Step("", 0, 0)
	return report, err
}

// imageInputs names all that the images are made of.
func (o *BuildOptions) imageInputs(c ostree.Checksum) (string, error) {
	d := o.Disk
	d.Formats = nil
	b, err := json.Marshal(struct {
		Commit string
		Disk   DiskOptions
		Images any
	}{c.String(), d, d.images})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

func (o *BuildOptions) build(ctx context.Context, r *repo.Repo, c *ComposeReport) (*BuildReport, error) {
	idx, err := o.readIndex()
	if err != nil {
		return nil, err
	}
	inputs, err := o.imageInputs(c.Commit)
	if err != nil {
		return nil, err
	}
	var last *Meta
	if len(idx.Builds) > 0 {
		if last, err = o.readMeta(idx.Builds[0].ID); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	if last != nil && !o.Force && last.Commit == c.Commit.String() && last.Treewright.ImageInputs == inputs {
		report := last.report(filepath.Join(o.buildsDir(), last.BuildID))
		report.Commit, report.Stages = c.Commit, c.Stages
		return report, nil
	}
	id := newBuildID(c.Version, o.Time, idx)
	dir, err := o.newBuildDir(id)
	if err != nil {
		return nil, err
	}
	report := &BuildReport{ID: id, Dir: filepath.Join(o.buildsDir(), id), Commit: c.Commit, Version: c.Version}
	meta := o.newMeta(id, inputs, c)
	if err := o.fillBuild(ctx, r, c, dir, report, meta); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return report, o.publishBuild(dir, id, meta, idx)
}

// fillBuild makes images and deltas and writes the record into dir.
func (o *BuildOptions) fillBuild(ctx context.Context, r *repo.Repo, c *ComposeReport, dir string, report *BuildReport, meta *Meta) error {
	s := &stages{cfg: &o.Config, list: c.Stages}
	base := productName(o.Treefile) + "-" + report.ID + "." + o.Arch
	err := s.run("images", func() (err error) {
		report.Images, err = o.Disk.write(ctx, &o.Config, r, c.Commit, dir, base)
		return err
	})
	if err != nil {
		return err
	}
	err = s.run("deltas", func() (err error) {
		report.Deltas, err = o.deltas(ctx, r, c)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.run("summary", func() error {
		return r.UpdateSummary(ctx, repo.SummaryOptions{Time: o.Time.Unix()})
	}); err != nil {
		return err
	}
	if c.Parent != "" {
		parent, err := ostree.ParseChecksum(c.Parent)
		if err != nil {
			return err
		}
		if report.Changes, err = diffPackages(r, parent, c.Commit); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	report.Stages = s.list
	meta.add(report, dir)
	return errors.Join(
		writeJSON(filepath.Join(dir, "lock.json"), c.lock),
		writeJSON(filepath.Join(dir, "commitmeta.json"), c.facts()),
	)
}

// deltas makes those that the options or the treefile ask for.
func (o *BuildOptions) deltas(ctx context.Context, r *repo.Repo, c *ComposeReport) ([]DeltaReport, error) {
	if o.NoDelta {
		return nil, nil
	}
	n := o.DeltaFrom
	if n < 0 {
		n = 1
		if f := c.treefile.Deltas.From; f != nil {
			n = *f
		}
	}
	return o.makeDeltas(ctx, r, c.Commit, n, c.treefile.Deltas.Empty)
}

// newMeta begins the record of a build.
func (o *BuildOptions) newMeta(id, inputs string, c *ComposeReport) *Meta {
	return &Meta{
		BuildID: id, Name: productName(o.Treefile), Ref: c.Ref, Commit: c.Commit.String(), ContentChecksum: c.ContentChecksum.String(),
		Version: c.Version, Timestamp: c.Timestamp, InputHash: c.InputHash, BaseArch: o.Arch,
		BuildTimestamp: o.Time.Format(time.RFC3339), Images: map[string]ImageArtifact{},
		Treewright: MetaExtra{Parent: c.Parent, ImageInputs: inputs, VirtualSizes: map[string]int64{}},
	}
}

// add takes the outcome into the record. Paths of images become those of the finished
// build.
func (m *Meta) add(r *BuildReport, dir string) {
	m.PkgDiff = r.Changes
	m.Treewright.Deltas = r.Deltas
	for i, f := range r.Images {
		name := filepath.Base(f.Path)
		r.Images[i].Path = filepath.Join(r.Dir, name)
		a := ImageArtifact{Path: name, SHA256: f.SHA256, Size: f.Size}
		if f.VirtualSize == 0 {
			a.Format = f.Format
			m.Treewright.Sidecars = append(m.Treewright.Sidecars, a)
			continue
		}
		m.Images[metaImageName(f.Format)] = a
		m.Treewright.VirtualSizes[metaImageName(f.Format)] = f.VirtualSize
	}
}

// report is what the build of this record reported, with no changes since.
func (m *Meta) report(dir string) *BuildReport {
	r := &BuildReport{Unchanged: true, ID: m.BuildID, Dir: dir, Version: m.Version, Deltas: m.Treewright.Deltas}
	for _, name := range slices.Sorted(maps.Keys(m.Images)) {
		a := m.Images[name]
		r.Images = append(r.Images, ImageFile{
			Format: imageFormat(name), Path: filepath.Join(dir, a.Path), SHA256: a.SHA256, Size: a.Size,
			VirtualSize: m.Treewright.VirtualSizes[name],
		})
	}
	for _, a := range m.Treewright.Sidecars {
		r.Images = append(r.Images, ImageFile{Format: a.Format, Path: filepath.Join(dir, a.Path), SHA256: a.SHA256, Size: a.Size})
	}
	return r
}

// metaImageName is coreos-assembler's name of an image: by platform, not by format.
func metaImageName(format string) string {
	if name, ok := platforms[format]; ok {
		return name
	}
	return format
}

var platforms = map[string]string{"qcow2": "qemu", "raw": "metal", "vdi": "virtualbox"}

// imageFormat is the format behind a name of metaImageName.
func imageFormat(name string) string {
	for format, platform := range platforms {
		if platform == name {
			return format
		}
	}
	return name
}

// facts are what commitmeta.json tells.
func (r *ComposeReport) facts() map[string]any {
	return map[string]any{
		"ostree-commit": r.Commit, "ostree-content-checksum": r.ContentChecksum, "ostree-version": r.Version,
		"ostree-timestamp": r.Timestamp, "rpm-ostree-inputhash": r.InputHash, "ref": r.Ref, "packages": r.Packages,
	}
}
