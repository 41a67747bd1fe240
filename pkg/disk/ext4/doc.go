// Package ext4 plans an ext4 file system that holds a given tree: every byte of
// metadata is computed from names, sizes and modes before any content is read.
//
// # Format
//
// Blocks of 4096 bytes, groups of 32768 blocks, inodes of 256 bytes. Groups 0, 1 and
// the powers of 3, 5 and 7 begin with a copy of superblock and group descriptors,
// followed by blocks reserved for more descriptors, which inode 7 lists, so that the
// file system can grow while mounted. Of every 16 groups the first holds the block
// bitmaps, inode bitmaps and inode tables of all. Files are extents; folders of more
// than a block are hash trees; extended attributes lie in the inode or in one
// block. All metadata has crc32c checksums; none covers content.
//
// Features: has_journal ext_attr resize_inode dir_index, filetype extents 64bit
// flex_bg metadata_csum_seed, sparse_super large_file huge_file dir_nlink
// extra_isize metadata_csum.
//
// Not here: reading, POSIX ACLs, files with holes, inline data, more than 16 TiB.
//
// Source: the kernel's documentation of ext4 and mke2fs 1.47 as observed; see
// docs/FORMATS.md.
package ext4

import (
	"errors"
	"hash/crc32"
)

// ErrTooSmall is wrapped when the content does not fit.
var ErrTooSmall = errors.New("too small")

const (
	blockSize      = 4096
	blocksPerGroup = 32768
	inodeSize      = 256
	flexGroups     = 16
	descSize       = 64
	maxLinks       = 65000
	// MaxSize is the largest file system, in bytes.
	MaxSize = 16<<40 - blocksPerGroup*blockSize
)

// Inodes with a fixed number.
const (
	rootInode    = 2
	resizeInode  = 7
	journalInode = 8
	lostInode    = 11
	firstInode   = 11
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc is crc32c without the final inversion, continued from c.
func crc(c uint32, b ...[]byte) uint32 {
	for _, p := range b {
		c = ^crc32.Update(^c, castagnoli, p)
	}
	return c
}

func ceil(n, unit int64) int64 { return (n + unit - 1) / unit }
