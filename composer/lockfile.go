package composer

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/treefile"
)

// lockfilePath is the lockfile that belongs to a treefile when none is named.
func lockfilePath(treefile string) string {
	return strings.TrimSuffix(treefile, filepath.Ext(treefile)) + ".lock.json"
}

// readLockfile reads a lockfile; nil when there is none.
func readLockfile(path string) (*treefile.Lockfile, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return treefile.ParseLockfile(path, b)
}

// overlay reads lockfiles, which must be there, and puts their packages over those of
// l, the later ones over the earlier.
func overlay(l *treefile.Lockfile, paths []string) (*treefile.Lockfile, error) {
	out := &treefile.Lockfile{Packages: map[string]treefile.LockedPackage{}}
	if l != nil {
		maps.Copy(out.Packages, l.Packages)
	}
	for _, path := range paths {
		o, err := readLockfile(path)
		if err != nil {
			return nil, err
		}
		if o == nil {
			return nil, fmt.Errorf("lockfile %s: %w", path, ErrNotFound)
		}
		maps.Copy(out.Packages, o.Packages)
	}
	return out, nil
}

// newLockfile is the lockfile of a resolution. Of a name that is there in two
// architectures the version alone is locked.
func newLockfile(packages []*repodata.Package, repos []*repodata.Repo, now time.Time) *treefile.Lockfile {
	l := &treefile.Lockfile{Packages: map[string]treefile.LockedPackage{}, Metadata: &treefile.LockMetadata{
		Generated: now.UTC().Truncate(24 * time.Hour).Format(time.RFC3339), Repos: map[string]treefile.LockRepoTime{}}}
	for _, p := range packages {
		locked := treefile.LockedPackage{EVRA: p.NEVRA.EVR.String() + "." + p.NEVRA.Arch, Digest: p.Checksum.String()}
		if _, twice := l.Packages[p.NEVRA.Name]; twice {
			locked = treefile.LockedPackage{EVR: p.NEVRA.EVR.String()}
		}
		if p.SourceRPM != "" {
			locked.Metadata = map[string]any{"sourcerpm": p.SourceRPM}
		}
		l.Packages[p.NEVRA.Name] = locked
	}
	for _, r := range repos {
		l.Metadata.Repos[r.ID] = treefile.LockRepoTime{Generated: time.Unix(r.Timestamp, 0).UTC().Format(time.RFC3339)}
	}
	return l
}

// lockMatches tells whether a lock lets a package through.
func lockMatches(l treefile.LockedPackage, p *repodata.Package) bool {
	v, arch := l.Split()
	return (arch == "" || arch == p.NEVRA.Arch) && nevra.Compare(v, p.NEVRA.EVR) == 0 && sameContent(l.Digest, p.Checksum)
}

// sameContent tells whether a checksum is the locked one; those of two kinds cannot be
// compared.
func sameContent(locked string, sum digest.Digest) bool {
	want, err := digest.Parse(locked)
	return err != nil || want.Algorithm != sum.Algorithm || want == sum
}

// lockedPackages lists the locked packages that name an architecture.
func lockedPackages(l *treefile.Lockfile) (out []nevra.NEVRA) {
	for name, p := range l.Packages {
		if v, arch := p.Split(); arch != "" {
			out = append(out, nevra.NEVRA{Name: name, EVR: v, Arch: arch})
		}
	}
	return out
}
