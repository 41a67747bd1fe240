// Package source reads the trees that commits are made of: folders on disk, tar
// archives, and other commits. Several are laid over one another, and what comes from
// them can be changed on its way: owners, modes, attributes, labels.
//
// The result is a [filetree.Node] for [repo.Txn.WriteTree], together with the
// checksums of the objects that are known already ([Tree.Object], [Tree.Folder]), so
// that neither their content nor their headers are read again.
//
// # Laying over
//
// A later file takes the place of an earlier one, and a later folder gives an earlier
// one its owner, mode and attributes while what both hold stays. A file in the place of
// a folder, or the reverse, is a [*ReplaceError].
//
// Source: ostree 2022.7 as observed; tests compare with it.
package source
