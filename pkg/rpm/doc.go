// Package rpm reads one RPM package: its headers, and its payload file by file.
//
// # Format
//
// A package is a lead of 96 bytes (magic ED AB EE DB; only magic, type and
// signature type count), the signature header padded to 8 bytes, the main header,
// and the payload to the end. A header is, all numbers big-endian,
//
//	8E AD E8 01, four zero bytes, il, dl       16 bytes
//	il index entries: tag, type, offset, count 16 bytes each
//	dl bytes of data
//
// Its first entry is a region (tag 62 or 63) that names a trailer in the data; what
// the region covers is what digests and signatures cover, and what an rpmdb keeps
// byte for byte. The payload is a compressed cpio archive: newc with names, or
// "07070X" with the index of the file in the header. Owner, mode and times are the
// header's, not the archive's. Of a group of hard links only the last has content.
//
// Structure and bounds are checked here, by limits of rpm's own, before the values
// of tags are decoded by a library.
//
// Not here: signatures, delta RPMs, writing.
//
// Source: rpm 4.18 and its format documentation; see docs/FORMATS.md.
package rpm

import "errors"

// What a caller can tell apart with errors.Is.
var (
	ErrMalformed   = errors.New("RPM package is malformed")
	ErrCorrupt     = errors.New("RPM package is corrupt")
	ErrUnsupported = errors.New("not supported")
)
