package composer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/fsutil"
)

// BuildsIndex is builds/builds.json, coreos-assembler's list of builds.
type BuildsIndex struct {
	SchemaVersion string       `json:"schema-version"`
	Builds        []BuildEntry `json:"builds"` // newest first
	Timestamp     string       `json:"timestamp"`
}

// BuildEntry is one build in the index.
type BuildEntry struct {
	ID     string   `json:"id"`
	Arches []string `json:"arches"`
}

// Meta is meta.json of one build, in coreos-assembler's schema; what that has no
// place for stands under "treewright".
type Meta struct {
	BuildID         string                   `json:"buildid"`
	Name            string                   `json:"name"`
	Ref             string                   `json:"ref,omitempty"`
	Summary         string                   `json:"summary,omitempty"`
	Commit          string                   `json:"ostree-commit"`
	ContentChecksum string                   `json:"ostree-content-checksum,omitempty"`
	Version         string                   `json:"ostree-version"`
	Timestamp       string                   `json:"ostree-timestamp"`
	InputHash       string                   `json:"rpm-ostree-inputhash,omitempty"`
	PkgDiff         []PackageChange          `json:"pkgdiff,omitempty"`
	BaseArch        string                   `json:"coreos-assembler.basearch"`
	BuildTimestamp  string                   `json:"coreos-assembler.build-timestamp"`
	Images          map[string]ImageArtifact `json:"images"`
	Treewright      MetaExtra                `json:"treewright"`
}

// ImageArtifact is one image in meta.json; Path is relative to the build's folder.
type ImageArtifact struct {
	Path        string `json:"path"`
	Format      string `json:"format,omitempty"` // of the image that it belongs to, for what is not an image
	SHA256      string `json:"sha256"`
	Size        int64  `json:"size"`
	VirtualSize int64  `json:"-"`
}

// MetaExtra is what coreos-assembler's schema has no place for.
type MetaExtra struct {
	Parent       string           `json:"parent,omitempty"`
	VirtualSizes map[string]int64 `json:"virtual-sizes,omitempty"`
	Sidecars     []ImageArtifact  `json:"sidecars,omitempty"`
	Deltas       []DeltaReport    `json:"deltas,omitempty"`
	ImageInputs  string           `json:"image-inputs,omitempty"`
}

// StageReport is what a stage took.
type StageReport struct {
	Name       string  `json:"name"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu-seconds"` // of this process and those it started
	PeakBytes  int64   `json:"peak-bytes"`  // of this process's memory
}

const schemaVersion = "1.0.0"

func (c *Config) buildsDir() string { return filepath.Join(c.Workdir, "builds") }

// readIndex reads builds.json; a missing one is empty.
func (c *Config) readIndex() (*BuildsIndex, error) {
	path := filepath.Join(c.buildsDir(), "builds.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &BuildsIndex{SchemaVersion: schemaVersion}, nil
	}
	if err != nil {
		return nil, err
	}
	idx := &BuildsIndex{}
	if err := json.Unmarshal(b, idx); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return idx, nil
}

// readMeta reads a build's meta.json.
func (c *Config) readMeta(id string) (*Meta, error) {
	path := filepath.Join(c.buildsDir(), id, "meta.json")
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := &Meta{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

var goodBuildID = regexp.MustCompile(`^[\w][-.+~^:\w]*$`)

// newBuildID is the version when it names a folder and no build has it, else
// YYYYMMDD.N.
func newBuildID(version string, now time.Time, idx *BuildsIndex) string {
	taken := map[string]bool{}
	for _, b := range idx.Builds {
		taken[b.ID] = true
	}
	if goodBuildID.MatchString(version) && !taken[version] && version != "latest" {
		return version
	}
	day := now.Format("20060102")
	for n := 0; ; n++ {
		if id := fmt.Sprintf("%s.%d", day, n); !taken[id] {
			return id
		}
	}
}

// newBuildDir makes the folder in which a build is put together. It is hidden until
// [Config.publishBuild] renames it.
func (c *Config) newBuildDir(id string) (string, error) {
	if err := os.MkdirAll(c.buildsDir(), 0o755); err != nil {
		return "", err
	}
	c.sweepBuilds()
	dir := filepath.Join(c.buildsDir(), ".tmp-"+id)
	return dir, os.Mkdir(dir, 0o755)
}

// sweepBuilds removes what interrupted runs left. The workdir is locked.
func (c *Config) sweepBuilds() {
	left, err := filepath.Glob(filepath.Join(c.buildsDir(), ".tmp-*"))
	if err != nil {
		return
	}
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			c.Log.WithError(err).Warn("leftover of an interrupted build stays")
		}
	}
}

// publishBuild makes a finished build visible: its folder, then the index, then the
// link builds/latest.
func (c *Config) publishBuild(dir, id string, m *Meta, idx *BuildsIndex) error {
	if err := writeJSON(filepath.Join(dir, "meta.json"), m); err != nil {
		return err
	}
	if err := os.Rename(dir, filepath.Join(c.buildsDir(), id)); err != nil {
		return err
	}
	idx.SchemaVersion = schemaVersion
	idx.Builds = append([]BuildEntry{{ID: id, Arches: []string{c.Arch}}}, idx.Builds...)
	idx.Timestamp = c.Time.Format(time.RFC3339)
	if err := writeJSON(filepath.Join(c.buildsDir(), "builds.json"), idx); err != nil {
		return err
	}
	tmp := filepath.Join(c.buildsDir(), ".tmp-latest")
	if err := os.Symlink(id, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(c.buildsDir(), "latest"))
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return fsutil.WriteBytes(path, 0o644, append(b, '\n'))
}

// productName is the first part of file names and the name in meta.json: the
// treefile's file name without its ending.
func productName(treefile string) string {
	base := filepath.Base(treefile)
	return strings.TrimSuffix(base, filepath.Ext(base))
}
