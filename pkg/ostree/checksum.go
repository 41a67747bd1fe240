package ostree

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Checksum is the SHA-256 that names an object.
type Checksum [sha256.Size]byte

// ParseChecksum reads 64 lower-case hexadecimal digits.
func ParseChecksum(s string) (c Checksum, err error) {
	if !IsChecksum(s) {
		return c, fmt.Errorf("checksum %q: want 64 lower-case hexadecimal digits: %w", s, ErrMalformed)
	}
	_, err = hex.Decode(c[:], []byte(s))
	return c, err
}

// IsChecksum tells whether s has the form of a checksum.
func IsChecksum(s string) bool { return len(s) == 2*sha256.Size && isHex(s) }

// isHex tells whether s has lower-case hexadecimal digits only.
func isHex(s string) bool {
	for _, r := range []byte(s) {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return false
		}
	}
	return s != ""
}

// Compare is that of bytes.Compare.
func (c Checksum) Compare(d Checksum) int { return bytes.Compare(c[:], d[:]) }

func (c Checksum) String() string { return hex.EncodeToString(c[:]) }

// MarshalText writes hexadecimal digits.
func (c Checksum) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads hexadecimal digits.
func (c *Checksum) UnmarshalText(b []byte) (err error) {
	*c, err = ParseChecksum(string(b))
	return err
}

// ObjectType is the type of an object, with the numbers that deltas use.
type ObjectType uint8

// The types of object.
const (
	TypeFile       ObjectType = 1
	TypeDirTree    ObjectType = 2
	TypeDirMeta    ObjectType = 3
	TypeCommit     ObjectType = 4
	TypeTombstone  ObjectType = 5
	TypeCommitMeta ObjectType = 6

	// Types that only some repositories hold, besides the objects of a commit.
	TypePayloadLink    ObjectType = 7
	TypeFileXattrs     ObjectType = 8
	TypeFileXattrsLink ObjectType = 9
)

var typeNames = map[ObjectType]string{
	TypeFile: "file", TypeDirTree: "dirtree", TypeDirMeta: "dirmeta", TypeCommit: "commit",
	TypeTombstone: "tombstone-commit", TypeCommitMeta: "commitmeta",
	TypePayloadLink: "payload-link", TypeFileXattrs: "file-xattrs", TypeFileXattrsLink: "file-xattrs-link",
}

func (t ObjectType) String() string {
	if s, ok := typeNames[t]; ok {
		return s
	}
	return fmt.Sprintf("type-%d", uint8(t))
}

// ParseObjectType reads a type's name.
func ParseObjectType(s string) (ObjectType, bool) {
	for t, name := range typeNames {
		if name == s {
			return t, true
		}
	}
	return 0, false
}

// MaxMetadata is the largest metadata object, in bytes.
const MaxMetadata = 128 << 20

// Mode is how a repository stores its objects. It is no part of a checksum.
type Mode string

// The modes, by the names that configuration files have.
const (
	ModeArchive      Mode = "archive-z2"
	ModeBare         Mode = "bare"
	ModeBareUser     Mode = "bare-user"
	ModeBareUserOnly Mode = "bare-user-only"
	ModeSplitXattrs  Mode = "bare-split-xattrs" // is read, not written
)

// ParseMode reads a mode; "archive" is another name of archive-z2.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case "archive":
		return ModeArchive, nil
	case ModeArchive, ModeBare, ModeBareUser, ModeBareUserOnly, ModeSplitXattrs:
		return m, nil
	}
	return "", fmt.Errorf("repository mode %q: want archive, bare, bare-user or bare-user-only: %w", s, ErrUnsupported)
}
