package rpm

import (
	"fmt"
	"path"
	"strings"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/filetree"
)

// FileFlags are the attributes of a file in a package.
type FileFlags uint32

// The flags, with RPM's numbers.
const (
	FlagConfig    FileFlags = 1
	FlagDoc       FileFlags = 2
	FlagMissingOK FileFlags = 8
	FlagNoReplace FileFlags = 16
	FlagGhost     FileFlags = 64
	FlagLicense   FileFlags = 128
	FlagReadme    FileFlags = 256
)

// File is one file of a package as the header has it.
type File struct {
	Path    string        `json:"path"` // absolute and clean
	Kind    filetree.Kind `json:"kind,omitempty"`
	Mode    uint32        `json:"mode"` // permission bits
	User    string        `json:"user"`
	Group   string        `json:"group"`
	Size    int64         `json:"size,omitempty"`   // bytes
	Digest  digest.Digest `json:"digest,omitzero"`  // of a regular file's content
	Target  string        `json:"target,omitempty"` // of a link
	Flags   FileFlags     `json:"flags,omitempty"`
	Caps    string        `json:"caps,omitempty"` // file capabilities, as text
	Lang    string        `json:"lang,omitempty"`
	Color   uint32        `json:"color,omitempty"` // 1: 32-bit ELF, 2: 64-bit ELF
	ModTime int64         `json:"-"`               // seconds since 1970 UTC
	Rdev    uint32        `json:"-"`
	inode   [2]int64      // device and inode, equal for hard links
}

// digestAlgorithms are OpenPGP's numbers.
var digestAlgorithms = map[int64]digest.Algorithm{
	0: digest.MD5, 1: digest.MD5, 2: digest.SHA1, 8: digest.SHA256, 9: digest.SHA384, 10: digest.SHA512, 11: digest.SHA224,
	12: digest.SHA3256, 14: digest.SHA3512,
}

// kinds are the type bits of a mode.
var kinds = map[uint32]filetree.Kind{
	0o040000: filetree.Dir, 0o100000: filetree.File, 0o120000: filetree.Symlink, 0o020000: filetree.CharDevice,
	0o060000: filetree.BlockDevice, 0o010000: filetree.FIFO, 0o140000: filetree.Socket,
}

// Paths returns the files' paths, in header order.
func (h *Header) Paths() ([]string, error) {
	if old := h.strings(tagOldFilenames); len(old) > 0 {
		return old, nil
	}
	base, dirs, index := h.strings(tagBasenames), h.strings(tagDirnames), h.ints(tagDirIndexes)
	if len(base) != len(index) {
		return nil, fmt.Errorf("file list: %d names, %d folder indexes: %w", len(base), len(index), ErrMalformed)
	}
	out := make([]string, len(base))
	for i := range base {
		if index[i] < 0 || index[i] >= int64(len(dirs)) {
			return nil, fmt.Errorf("file list: entry %d: folder index %d: %w", i, index[i], ErrMalformed)
		}
		out[i] = dirs[index[i]] + base[i]
	}
	return out, nil
}

// Files returns the file list, in header order. A path that is not absolute and
// clean is an error that wraps [ErrMalformed].
func (h *Header) Files() ([]File, error) {
	paths, err := h.Paths()
	if err != nil {
		return nil, err
	}
	n := len(paths)
	col := func(tag int) ([]int64, error) { return column(h.ints(tag), n, tag) }
	var cols [7][]int64
	for i, tag := range []int{tagFileModes, tagFileFlags, tagFileMtimes, tagFileRdevs, tagFileInodes, tagFileDevices, tagFileColors} {
		if cols[i], err = col(tag); err != nil {
			return nil, err
		}
	}
	modes, flags, mtimes, rdevs, inodes, devices, colors := cols[0], cols[1], cols[2], cols[3], cols[4], cols[5], cols[6]
	sizes, err := col(tagFileSizes)
	if long := h.ints(tagLongFileSizes); err == nil && len(long) > 0 {
		sizes, err = col(tagLongFileSizes)
	}
	if err != nil {
		return nil, err
	}
	var texts [6][]string
	for i, tag := range []int{tagFileDigests, tagFileLinktos, tagFileUserNames, tagFileGroupNames, tagFileCaps, tagFileLangs} {
		if texts[i], err = column(h.strings(tag), n, tag); err != nil {
			return nil, err
		}
	}
	algorithm, ok := digestAlgorithms[h.num(tagFileDigestAlgo)]
	if !ok {
		return nil, fmt.Errorf("file digests: algorithm %d: %w", h.num(tagFileDigestAlgo), ErrUnsupported)
	}
	out := make([]File, n)
	for i, p := range paths {
		mode := uint32(modes[i]) & 0xffff
		kind, ok := kinds[mode&0o170000]
		if !ok {
			return nil, fmt.Errorf("file %q: mode %o: %w", p, mode, ErrMalformed)
		}
		out[i] = File{Path: p, Kind: kind, Mode: mode & 0o7777, Size: sizes[i], Flags: FileFlags(flags[i]), ModTime: mtimes[i],
			Rdev: uint32(rdevs[i]), Color: uint32(colors[i]), Target: texts[1][i], User: texts[2][i], Group: texts[3][i],
			Caps: strings.TrimPrefix(texts[4][i], "= "), Lang: texts[5][i], inode: [2]int64{devices[i], inodes[i]}}
		if err := out[i].check(texts[0][i], algorithm); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// check completes a file with its digest and refuses what cannot be.
func (f *File) check(sum string, a digest.Algorithm) (err error) {
	if !strings.HasPrefix(f.Path, "/") || f.Path != path.Clean(f.Path) || strings.IndexByte(f.Path, 0) >= 0 {
		return fmt.Errorf("file %q: path is not absolute and clean: %w", f.Path, ErrMalformed)
	}
	if f.User == "" {
		f.User = "root"
	}
	if f.Group == "" {
		f.Group = "root"
	}
	if f.Kind != filetree.File {
		f.Size = 0
		return nil
	}
	if sum != "" && f.Flags&FlagGhost == 0 {
		if f.Digest, err = digest.New(a, sum); err != nil {
			return fmt.Errorf("file %q: %v: %w", f.Path, err, ErrMalformed)
		}
	}
	return nil
}

// column is the values of a tag, one for each file; a tag that is missing has zero
// values.
func column[T any](values []T, n, tag int) ([]T, error) {
	switch len(values) {
	case n:
		return values, nil
	case 0:
		return make([]T, n), nil
	}
	return nil, fmt.Errorf("file list: tag %d has %d values for %d files: %w", tag, len(values), n, ErrMalformed)
}
