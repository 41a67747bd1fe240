package treefile

import (
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/nevra"
)

// Lockfile is rpm-ostree's lockfile, in JSON or YAML: for each package name the one
// version that may be chosen.
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

// Split is the version and the architecture of a lock; the latter is empty when the
// lock is for all.
func (l LockedPackage) Split() (nevra.EVR, string) {
	text, arch := l.EVR, ""
	if i := strings.LastIndexByte(l.EVRA, '.'); i >= 0 {
		text, arch = l.EVRA[:i], l.EVRA[i+1:]
	}
	v, _ := nevra.ParseEVR(text) // was checked by ParseLockfile
	return v, arch
}

var lockedFields = map[string]reader{
	"evra": check(wrongEVRA), "evr": check(wrongEVR), "digest": check(wrongDigest), "metadata": readPlainMap,
}

var lockFields = map[string]reader{
	"packages": func(n node) (any, error) { return readMap(n, "a mapping of packages", nil, readLocked) },
	"metadata": fields(map[string]reader{
		"generated": readText,
		"rpmmd_repos": func(n node) (any, error) {
			return readMap(n, "a mapping of RPM repositories", nil, fields(map[string]reader{"generated": readText}))
		},
	}),
}

func wrongEVR(s string) string {
	if v, err := nevra.ParseEVR(s); err != nil || v.Release == "" {
		return "is no [epoch:]version-release"
	}
	return ""
}

func wrongEVRA(s string) string {
	i := strings.LastIndexByte(s, '.')
	if i < 0 || i == len(s)-1 || strings.Contains(s[i:], "-") || wrongEVR(s[:i]) != "" {
		return "is no [epoch:]version-release.arch"
	}
	return ""
}

func wrongDigest(s string) string {
	if _, err := digest.Parse(s); err != nil {
		return "is no ALGORITHM:HEX of a known algorithm"
	}
	return ""
}

// readLocked reads one package to LockedPackage.
func readLocked(n node) (any, error) {
	v, err := fields(lockedFields)(n)
	if err != nil {
		return nil, err
	}
	m := v.(map[string]item)
	p := LockedPackage{EVRA: field[string](m, "evra"), EVR: field[string](m, "evr"), Digest: field[string](m, "digest")}
	if (p.EVRA == "") == (p.EVR == "") {
		return nil, n.errorf(`want one of "evra" and "evr"`)
	}
	return p, nil
}

// ParseLockfile reads a lockfile; name is its name, which tells by its ending whether
// it is JSON or YAML. The metadata of packages is left out, as rpm-ostree does.
//
// Every error is an [*Error].
func ParseLockfile(name string, b []byte) (*Lockfile, error) {
	if len(b) > maxFile {
		return nil, place{file: name}.errorf("has more than %d MiB", maxFile>>20)
	}
	s := &source{path: name, shown: name, json: !slices.ContainsFunc([]string{".yaml", ".yml"}, func(e string) bool { return strings.HasSuffix(name, e) }), loader: newLoader(nil, Options{})}
	root, err := s.document(b)
	if err != nil {
		return nil, err
	}
	v, err := fields(lockFields)(root)
	if err != nil {
		return nil, err
	}
	m := v.(map[string]item)
	if _, ok := m["packages"]; !ok {
		return nil, place{file: name, line: 1}.errorf(`key "packages" is missing`)
	}
	out := &Lockfile{Packages: map[string]LockedPackage{}}
	for pkg, it := range field[map[string]item](m, "packages") {
		out.Packages[pkg], _ = it.value.(LockedPackage)
	}
	meta := field[map[string]item](m, "metadata")
	if meta == nil {
		return out, nil
	}
	out.Metadata = &LockMetadata{Generated: field[string](meta, "generated"), Repos: map[string]LockRepoTime{}}
	for id, it := range field[map[string]item](meta, "rpmmd_repos") {
		times, _ := it.value.(map[string]item)
		out.Metadata.Repos[id] = LockRepoTime{field[string](times, "generated")}
	}
	return out, nil
}
