// Package treefile reads treefiles, the declarative input of a compose: packages,
// RPM repositories, the ref to write, what to do to the tree, and which images and
// deltas to make of it.
//
// # Format
//
// A treefile is one mapping in YAML (.yaml, .yml) or JSON (.json). The keys are
// rpm-ostree's, and three of our own: images, disk and deltas. docs/COMPATIBILITY.md
// lists them all. A treefile may include others; for each key one of four rules says
// how a file is merged with those that it includes:
//
//	first    the includer's value stands, else that of the earliest include (ref, selinux, images, ...)
//	prepend  the included list comes before the includer's (repos, units, postprocess, ...)
//	union    one set, in byte order (packages, ignore-removed-users, ...)
//	by name  one mapping, where the includer's entry stands (add-commit-metadata, disk, ...)
//
// Include paths, and those of scripts and other files that a treefile names, are
// relative to the folder of the file that states them; one with a leading slash
// starts at the root of the fs.FS.
//
// After merging, ${name} becomes the variable's value in ref, rojig,
// automatic-version-prefix, mutate-os-release, platform-module and the strings at the
// top level of metadata and add-commit-metadata; nowhere else.
//
// # Where rpm-ostree differs
//
// A file that two others include is read once, where rpm-ostree refuses it: the
// first include has it. An unknown key is an error in JSON too, but for "comment".
// An undefined variable is an error, except in the two kinds of metadata, where the
// text stays. A mapping written inside conditional-include is read with the care of a
// file. Mistakes that rpm-ostree finds late or never, such as a script without "#!",
// are found here.
//
// Not here: kickstart files; finalize.d, whose presence Treefile.Keys tells.
//
// Source: rpm-ostree v2026.2, docs/treefile.md and rust/src/treefile.rs; what it does
// counts where the two disagree.
package treefile
