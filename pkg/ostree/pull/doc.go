// Package pull moves commits from one OSTree repository into another.
//
// # Stages
//
// A pull asks a [Source] for the commits of refs, checks them, walks their trees, which
// tells the files that are missing, fetches those, and ends with refs that point to the
// commits. Metadata is fetched level by level of the tree and files behind it, both
// several at once.
//
// A folder that an earlier commit of the same ref has, too, is not looked into when
// that commit is whole: a pull costs what changed.
//
// # Safety
//
// Nothing becomes part of the repository before it was compared with its checksum,
// unless the caller trusts the source. Commits become visible behind all that they
// lead to, and refs behind them. A commit of which only a part is asked for is marked
// as partial before it becomes visible.
//
// What a pull that ends early has come by stays in the repository, also when it is
// killed, but for the last seconds: the next one goes on there.
//
// # Checks on a commit
//
// Its signatures, by functions that the caller gives; that it is bound to the ref it
// was asked by; and, when the caller wants, that it is not older than another.
//
// # Static deltas
//
// Of those that the source lists, the one is used that leads from the newest commit
// that is here whole. What is not in it is fetched behind it, as without one.
//
// Source: ostree 2022.7 as observed; see docs/FORMATS.md.
package pull
