package composer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/rootfs"
	"github.com/treewright/treewright/pkg/rpm"
	"github.com/treewright/treewright/pkg/treefile"
	"github.com/treewright/treewright/pkg/units"
)

// scriptLevel is the level at which the output of scripts is logged.
const scriptLevel = logrus.InfoLevel

// MetadataString is an entry for the commit's metadata.
type MetadataString struct{ Key, Value string }

// ComposeOptions tells what to compose and how.
type ComposeOptions struct {
	ResolveOptions
	Metadata    []MetadataString // beats the treefile's
	Parent      string           // revision; empty: the ref's commit
	NoParent    bool
	Force       bool // make a commit though no input changed
	SkipScripts bool // leave the treefile's postprocess scripts out

	TouchIfChanged  string // file whose time is set when there is a new commit
	CommitIDFile    string // file that gets the checksum; the ref is then left as it is
	ComposeJSONFile string // file that gets facts, as rpm-ostree writes them
}

// ComposeReport is the outcome.
type ComposeReport struct {
	Unchanged       bool              `json:"unchanged"`
	Commit          ostree.Checksum   `json:"ostree-commit"`
	ContentChecksum ostree.Checksum   `json:"ostree-content-checksum"`
	Ref             string            `json:"ref,omitempty"`
	Version         string            `json:"ostree-version,omitempty"`
	Parent          string            `json:"parent,omitempty"`
	Timestamp       string            `json:"ostree-timestamp"`
	InputHash       string            `json:"rpm-ostree-inputhash"`
	Packages        []ResolvedPackage `json:"packages"`
	Objects         int               `json:"objects"`
	ObjectsWritten  int               `json:"objects-written"`
	Stages          []StageReport     `json:"stages"`

	treefile *treefile.Treefile
	lock     *treefile.Lockfile
}

// Compose makes a commit of a treefile, unless nothing changed since the ref's.
func Compose(ctx context.Context, o ComposeOptions) (*ComposeReport, error) {
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
	report, err := o.compose(ctx, r)
	if err != nil {
		return nil, err
	}
	o.Progress.Step("", 0, 0)
	return report, o.writeFiles(r, report)
}

// stages measures what each takes.
type stages struct {
	cfg  *Config
	list []StageReport
}

func (s *stages) run(name string, fn func() error) error {
	before := s.cfg.Usage()
	err := fn()
	after := s.cfg.Usage()
	r := StageReport{name, after.Clock.Sub(before.Clock).Seconds(), (after.CPU - before.CPU).Seconds(), after.PeakBytes}
	s.list = append(s.list, r)
	s.cfg.Log.WithFields(logrus.Fields{"stage": name, "seconds": fmt.Sprintf("%.2f", r.Seconds), "cpu": fmt.Sprintf("%.2f", r.CPUSeconds), "peak": units.Bytes(r.PeakBytes)}).Info("stage done")
	return err
}

// compose is the pipeline from treefile to commit, each arrow a stage.
func (o *ComposeOptions) compose(ctx context.Context, target *repo.Repo) (*ComposeReport, error) {
	s := &stages{cfg: &o.Config}
	var res *resolution
	err := s.run("resolve", func() (err error) {
		if res, err = o.resolve(ctx); err == nil {
			err = checkSupported(res.treefile)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	prev, err := previousCommit(target, res.treefile.Ref)
	if err != nil {
		return nil, err
	}
	report := &ComposeReport{Ref: res.treefile.Ref, treefile: res.treefile, lock: newLockfile(res.packages, res.repos, o.Time)}
	for _, p := range res.packages {
		report.Packages = append(report.Packages, ResolvedPackage{p.NEVRA, p.Repo.ID, p.Size})
	}
	if report.InputHash, err = inputHash(target, res, o); err != nil {
		return nil, err
	}
	if prev != nil && !o.Force && prev.commit.Text(keyInputHash) == report.InputHash {
		report.unchanged(prev)
		return report, nil
	}
	report.Version = o.version(res.treefile, prev)
	var in *imported
	if err := s.run("import", func() (err error) { in, err = o.fetch(ctx, res); return err }); err != nil {
		return nil, err
	}
	var tree *rootfs.Result
	if err := s.run("assemble", func() (err error) { tree, err = o.assemble(ctx, target, prev, res, in, report.Version); return err }); err != nil {
		return nil, err
	}
	err = s.run("commit", func() error { return o.commit(ctx, target, prev, res, in, tree.Root, tree.Kernel, report) })
	report.Stages = s.list
	return report, errors.Join(err, tree.Close(ctx))
}

// previous is the commit that the ref had.
type previous struct {
	checksum ostree.Checksum
	commit   *ostree.Commit
}

func previousCommit(r *repo.Repo, ref string) (*previous, error) {
	if ref == "" {
		return nil, nil
	}
	refs, err := r.Refs()
	if err != nil {
		return nil, err
	}
	c, ok := refs[ref]
	if !ok {
		return nil, nil
	}
	commit, err := r.ReadCommit(c)
	if err != nil {
		return nil, fmt.Errorf("ref %s: %w", ref, err)
	}
	return &previous{c, commit}, nil
}

func (r *ComposeReport) unchanged(p *previous) {
	r.Unchanged, r.Commit, r.ContentChecksum, r.Version = true, p.checksum, p.commit.ContentChecksum(), p.commit.Version()
	r.Timestamp = time.Unix(int64(p.commit.Timestamp), 0).UTC().Format(time.RFC3339)
	if p.commit.Parent != nil {
		r.Parent = p.commit.Parent.String()
	}
}

// version is the one asked for, else the next automatic one.
func (o *ComposeOptions) version(t *treefile.Treefile, prev *previous) string {
	for _, m := range o.Metadata {
		if m.Key == ostree.KeyVersion {
			return m.Value
		}
	}
	if t.VersionPrefix == "" {
		return ""
	}
	last := ""
	if prev != nil {
		last = prev.commit.Version()
	}
	return treefile.NextVersion(t.VersionPrefix, t.VersionSuffix, last, o.Time)
}

// inputHash names all that the tree is made of: the treefile with the files that it
// names, and the packages.
func inputHash(target *repo.Repo, r *resolution, o *ComposeOptions) (string, error) {
	h := sha256.New()
	if err := r.treefile.HashInputs(h); err != nil {
		return "", err
	}
	if err := hashLayers(h, target, r.treefile); err != nil {
		return "", err
	}
	fmt.Fprintf(h, "scripts %v\n", !o.SkipScripts)
	var lines []string
	for _, p := range r.packages {
		lines = append(lines, "install "+p.NEVRA.String()+" "+p.Checksum.String())
	}
	slices.Sort(lines)
	final := sha256.New()
	fmt.Fprintf(final, "%x\n%s\n", h.Sum(nil), strings.Join(lines, "\n"))
	return hex.EncodeToString(final.Sum(nil)), nil
}

// notInstalled lists the files of a package that are left out with its documentation.
func notInstalled(rec *record, documentation bool) (out []int) {
	for i, f := range rec.Files {
		if !documentation && f.Flags&rpm.FlagDoc != 0 && f.Flags&rpm.FlagLicense == 0 && f.Kind != filetree.Dir {
			out = append(out, i)
		}
	}
	return out
}

// writeFiles writes the files that scripts around a compose look at.
func (o *ComposeOptions) writeFiles(target *repo.Repo, r *ComposeReport) error {
	if r.Unchanged {
		return nil
	}
	if o.TouchIfChanged != "" {
		f, err := os.OpenFile(o.TouchIfChanged, os.O_WRONLY|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		if err := os.Chtimes(o.TouchIfChanged, o.Time, o.Time); err != nil {
			return err
		}
	}
	if o.CommitIDFile != "" {
		if err := fsutil.WriteBytes(o.CommitIDFile, 0o644, []byte(r.Commit.String()+"\n")); err != nil {
			return err
		}
	}
	if o.ComposeJSONFile == "" {
		return nil
	}
	return writeJSON(o.ComposeJSONFile, composeJSON(target, r, o.CommitIDFile == ""))
}

// composeJSON is the facts that rpm-ostree's --write-composejson-to has.
func composeJSON(target *repo.Repo, r *ComposeReport, refWritten bool) map[string]any {
	m := map[string]any{
		"ostree-commit": r.Commit, "ostree-content-checksum": r.ContentChecksum, "ostree-version": r.Version,
		"ostree-timestamp": r.Timestamp, "rpm-ostree-inputhash": r.InputHash,
	}
	if refWritten && r.Ref != "" {
		m["ref"] = r.Ref
	}
	if parent, err := ostree.ParseChecksum(r.Parent); err == nil {
		if d, err := diffPackages(target, parent, r.Commit); err == nil {
			m["pkgdiff"] = slices.Concat([]PackageChange{}, d)
		}
	}
	return m
}
