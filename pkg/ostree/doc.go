// Package ostree is OSTree's object model: the objects that a repository holds,
// their bytes and their checksums. It does no I/O; see ostree/repo for a
// repository on disk.
//
// # Format
//
// Objects are named by the SHA-256 of their bytes; a file object by that of
//
//	length of the header (uint32, big-endian), four zero bytes, header, content
//
// where the header is a GVariant (uuuusa(ayay)): uid, gid, mode with its type
// bits, device number (always 0), link target, extended attributes. A link's
// content is empty. Times are no part of it. The other objects are GVariants:
//
//	dirmeta  (uuua(ayay))                uid, gid, mode, extended attributes
//	dirtree  (a(say)a(sayay))            files: name, checksum; folders: name,
//	                                     dirtree's and dirmeta's checksum
//	commit   (a{sv}aya(say)sstayay)      metadata, parent, related (empty), subject,
//	                                     body, time, root dirtree, root dirmeta
//
// Integers in dirmeta, file headers and the commit's time are big-endian; lists are
// sorted by the bytes of the name; names of extended attributes end in a NUL.
//
// In an archive repository a file object is stored as .filez: the header with the
// content's size in front, (tuuuusa(ayay)), framed in the same way, and the content
// as raw DEFLATE.
//
// Source: ostree 2022.7 and 2026.4 as observed; see docs/FORMATS.md.
package ostree

import "errors"

// What a caller can tell apart with errors.Is.
var (
	ErrNotFound    = errors.New("not found")
	ErrCorrupt     = errors.New("object is corrupt")
	ErrMalformed   = errors.New("object is malformed")
	ErrUnsupported = errors.New("not supported")
)
