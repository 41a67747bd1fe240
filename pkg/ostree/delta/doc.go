// Package delta plans, writes, reads and applies OSTree static deltas: the files that turn one
// commit into another for less than its new objects cost, one by one.
//
// # Format
//
// A delta is the folder deltas/PP/REST, where PP+REST is FROM-TO (or TO alone,
// from nothing), each checksum in base64 without its "=" and with '_' for '/'. It
// holds superblock and the parts 0, 1, 2, … The superblock is a GVariant of type
//
//	(a{sv} t ay ay (a{sv}aya(say)sstayay) ay a(uayttay) a(yaytt))
//	metadata, timestamp, from, to, commit, recursion, parts, fallbacks
//
// The timestamp is big-endian. The numbers in parts and fallbacks are in the
// writer's byte order, which metadata "ostree.endianness" tells ('l' or 'B'). A
// part header is version 0, the SHA-256 of the part's file, its size, the size of
// the objects in it, and the objects: a type byte and a checksum each.
//
// A part is one byte, 'x', and an xz stream of a GVariant of type
//
//	(a(uuu) aa(ayay) ay ay)
//	modes (uid, gid, mode, big-endian), sets of extended attributes, blob, operations
//
// Numbers are unsigned LEB128. Operations make the objects of the part header's list,
// one behind the other:
//
//	S length offset                   a metadata object, of bytes of the blob
//	S mode xattrs length offset       a file, or a link, whose target the bytes are
//	o mode xattrs size … c            a file that the operations between make
//	w length offset                   bytes of the read source, else of the blob
//	r offset / R                      the read source: the file object whose checksum the
//	                                  blob has there / none
//	B offset length                   all of the file: a patch in the blob of the source
//
// A patch is steps of three little-endian numbers with a sign bit, the lengths of a
// difference, which is added to old bytes, and of new bytes, and how far to go on in old
// ones, and then both.
//
// A fallback is an object that is too large for a part and is fetched whole.
//
// Parts may be in the superblock, as metadata (yay) under the names of their files;
// the commit's detached metadata is there, too. A superblock with signatures is a
// GVariant (taya{sv}): "OSTSGNDT", the superblock, the signatures.
//
// Not here yet: reuse of old content (rollsum, bsdiff) in what is written.
//
// Source: the behaviour of ostree 2022.7 and 2026.4, and
// src/libostree/ostree-repo-static-delta-private.h; see docs/FORMATS.md.
package delta
