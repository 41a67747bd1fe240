// Package repodata reads and writes the metadata of an RPM repository (rpm-md) and
// the .repo files that say where repositories are. It does no I/O.
//
// # Format
//
// repodata/repomd.xml names the other files with checksum and size. "primary" has
// each package's name, version, checksum, place, relations, and those of its files
// that are in a bin folder or in /etc; "filelists" has all files. They are
// compressed in one of several ways.
//
// "group" (comps) has groups of packages, "updateinfo" has advisories. All are XML; a
// document type with entities of its own is refused.
//
// [Packed] is a form of ours for the packages of primary metadata, which is read in
// place.
//
// Not here: modules, which are YAML, see package modulemd; zchunk files, as each has a
// plain one beside it; deltas of packages, changelogs.
//
// Source: createrepo_c 0.20, libdnf 0.69 and libcomps 0.1 as observed; see
// docs/FORMATS.md.
package repodata

import (
	"errors"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/nevra"
)

// ErrMalformed is wrapped by every error of the formats here.
var ErrMalformed = errors.New("repository metadata is malformed")

// Package is what a repository says of one package.
type Package struct {
	NEVRA         nevra.NEVRA
	Checksum      digest.Digest // of the package file
	Location      string        // relative to the repository, or to Base
	Base          string        // xml:base; empty: the repository itself
	Size          int64         // bytes of the package file
	InstalledSize int64         // bytes
	BuildTime     int64         // seconds since 1970 UTC
	FileTime      int64         // of the package file, seconds since 1970 UTC
	ArchiveSize   int64
	HeaderStart   int64 // byte range of the main header in the file
	HeaderEnd     int64

	Summary, Description, License, Vendor, Packager, Group, URL, BuildHost, SourceRPM string

	Provides, Requires, Conflicts, Obsoletes    []nevra.Relation
	Recommends, Suggests, Supplements, Enhances []nevra.Relation
	PreRequires                                 map[int]bool // positions in Requires that are needed while installing
	Files                                       []File       // those that the primary metadata has, or all
	Repo                                        *Repo
}

// File is a file of a package: Type is "" for a file, "dir" or "ghost".
type File struct{ Path, Type string }

// Repo is a repository's packages: Packages, or Packed when that is not nil.
type Repo struct {
	ID        string
	Priority  int // lower wins; 99 by default
	Cost      int
	Timestamp int64 // of the metadata, seconds since 1970 UTC
	Packages  []*Package
	Packed    *Packed
	Exclude   []string // what is invisible: NAME, NAME.ARCH, NEVRA, or a glob of one
	Include   []string // when there are any, all else is invisible
	Hotfixes  bool     // modules hide none of its packages
	Locked    bool     // packages without a lock are invisible
}
