// Package treefile reads treefiles: the declarative input of a compose, in the
// format of rpm-ostree, with the files that it includes merged in.
//
// # Format
//
// A treefile is one YAML mapping (JSON is YAML, too); docs/COMPATIBILITY.md lists
// the keys. include, arch-include and conditional-include name other treefiles,
// relative to the including one. Merging follows the key: of most keys the
// includer's value wins, and an earlier include's over a later one's; package
// lists unite; other lists are put one behind the other, the includer's last; maps
// unite, the includer's entries winning.
//
// Variables, ${name}, are put in once everything is merged, in ref,
// automatic-version-prefix, mutate-os-release, and the values of
// add-commit-metadata and metadata.
//
// More than rpm-ostree allows: a file may be included twice, by different ways; it
// is merged the first time. Unknown keys are errors in JSON, too.
//
// Source: rpm-ostree 2026.2's documentation and behaviour; see docs/FORMATS.md.
package treefile

import "fmt"

// Error is an error of a treefile with its place.
type Error struct {
	File string
	Line int    // 0 when it is about the whole file
	Key  string // "" when it is about no key
	Msg  string
}

func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s += fmt.Sprintf(":%d", e.Line)
	}
	if e.Key != "" {
		s += ": " + e.Key
	}
	return s + ": " + e.Msg
}
