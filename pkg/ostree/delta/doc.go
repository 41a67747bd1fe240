// Package delta plans and writes OSTree static deltas: the files that turn one
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
// Operations here are only 'S', open-splice-and-close: for a metadata object the
// length and offset of its bytes in the blob; for a file object the indexes of its
// mode and its attributes, then length and offset of its content, or of its target
// for a link. Numbers are unsigned LEB128. Each operation makes the next object of
// the part header's list.
//
// A fallback is an object that is too large for a part and is fetched whole.
//
// Not here yet: reuse of old content (rollsum, bsdiff), signatures, applying.
//
// Source: the behaviour of ostree 2022.7 and 2026.4, and
// src/libostree/ostree-repo-static-delta-private.h; see docs/FORMATS.md.
package delta
