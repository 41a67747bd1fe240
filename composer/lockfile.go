package composer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
)

// Lockfile is rpm-ostree's lockfile: for each package name the one version that may
// be chosen.
type Lockfile struct {
	Packages map[string]LockedPackage `json:"packages"`
	Metadata *LockMetadata            `json:"metadata,omitempty"`
}

// LockedPackage pins a package, with its architecture or without.
type LockedPackage struct {
	EVRA     string         `json:"evra,omitempty"`
	EVR      string         `json:"evr,omitempty"`
	Digest   string         `json:"digest,omitempty"`
	Metadata map[string]any `json:"metadata,omitempty"`
}

// LockMetadata says when the lockfile was made and of which metadata.
type LockMetadata struct {
	Generated string                  `json:"generated,omitempty"` // RFC 3339
	Repos     map[string]LockRepoTime `json:"rpmmd_repos,omitempty"`
}

// LockRepoTime is the age of one RPM repository's metadata.
type LockRepoTime struct {
	Generated string `json:"generated"` // RFC 3339
}

// lockfilePath is the lockfile that belongs to a treefile when none is named.
func lockfilePath(treefile string) string {
	return strings.TrimSuffix(treefile, filepath.Ext(treefile)) + ".lock.json"
}

// readLockfile reads a lockfile; nil when there is none.
func readLockfile(path string) (*Lockfile, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	l := &Lockfile{}
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(l); err != nil {
		return nil, fmt.Errorf("lockfile %s: %w", path, err)
	}
	if l.Packages == nil {
		return nil, fmt.Errorf("lockfile %s: key \"packages\" is missing", path)
	}
	for name, p := range l.Packages {
		if (p.EVRA == "") == (p.EVR == "") {
			return nil, fmt.Errorf("lockfile %s: package %s: want one of \"evra\" and \"evr\"", path, name)
		}
	}
	return l, nil
}

// newLockfile is the lockfile of a resolution.
func newLockfile(packages []*repodata.Package, repos []*repodata.Repo, now time.Time) *Lockfile {
	l := &Lockfile{Packages: map[string]LockedPackage{}, Metadata: &LockMetadata{
		Generated: now.UTC().Truncate(24 * time.Hour).Format(time.RFC3339), Repos: map[string]LockRepoTime{}}}
	for _, p := range packages {
		locked := LockedPackage{EVRA: p.NEVRA.EVR.String() + "." + p.NEVRA.Arch, Digest: p.Checksum.String()}
		if p.SourceRPM != "" {
			locked.Metadata = map[string]any{"sourcerpm": p.SourceRPM}
		}
		l.Packages[p.NEVRA.Name] = locked
	}
	for _, r := range repos {
		l.Metadata.Repos[r.ID] = LockRepoTime{time.Unix(r.Timestamp, 0).UTC().Format(time.RFC3339)}
	}
	return l
}

// matches tells whether the lock lets a package through.
func (l LockedPackage) matches(p *repodata.Package) bool {
	text := l.EVR
	if text == "" {
		i := strings.LastIndexByte(l.EVRA, '.')
		if i < 0 || l.EVRA[i+1:] != p.NEVRA.Arch {
			return false
		}
		text = l.EVRA[:i]
	}
	v, err := nevra.ParseEVR(text)
	return err == nil && nevra.Compare(v, p.NEVRA.EVR) == 0 && l.sameContent(p.Checksum)
}

// sameContent tells whether a checksum is the locked one; those of two kinds cannot be
// compared.
func (l LockedPackage) sameContent(sum digest.Digest) bool {
	want, err := digest.Parse(l.Digest)
	return err != nil || want.Algorithm != sum.Algorithm || want == sum
}

// nevras lists the locked packages that name an architecture.
func (l *Lockfile) nevras() (out []nevra.NEVRA) {
	for name, p := range l.Packages {
		i := strings.LastIndexByte(p.EVRA, '.')
		if i < 0 {
			continue
		}
		if v, err := nevra.ParseEVR(p.EVRA[:i]); err == nil {
			out = append(out, nevra.NEVRA{Name: name, EVR: v, Arch: p.EVRA[i+1:]})
		}
	}
	return out
}
