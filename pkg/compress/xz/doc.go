// Package xz decodes .xz and .lzma files.
//
// # Format
//
// An .xz file is one or more streams, with zeros between them in fours:
//
//	FD "7zXZ" 00, flags (2 bytes), CRC-32     12 bytes
//	blocks
//	index: sizes of the blocks, CRC-32
//	CRC-32, length of the index, flags, "YZ"  12 bytes
//
// A block is a header, that may tell its sizes, data in LZMA2, zeros to a multiple of
// four, and a check: CRC-32, CRC-64 or SHA-256. LZMA2 is chunks of at most 64 KiB
// compressed and 2 MiB otherwise, of LZMA or as they are. An .lzma file is 13 bytes
// with properties, size of the dictionary and length, and LZMA.
//
// Blocks that tell their sizes are decoded several at a time, as far as memory is
// allowed.
//
// Not here: writing; filters for programs (BCJ) and delta, which RPM does not use.
//
// Source: "The .xz File Format" 1.1.0, and the LZMA specification by Igor Pavlov.
package xz

import "errors"

// What a caller can tell apart with errors.Is.
var (
	ErrMalformed   = errors.New("xz data is malformed")
	ErrCorrupt     = errors.New("xz data is corrupt")
	ErrMemory      = errors.New("xz data needs more memory than is allowed")
	ErrUnsupported = errors.New("not supported")
)
