package disk

import (
	"crypto/sha256"

	"github.com/treewright/treewright/pkg/disk/gpt"
)

// ID is an identifier.
type ID [16]byte

func (i ID) String() string { return gpt.GUID(i).String() }

// newID derives an identifier of version 4's form.
func newID(seed [32]byte, label string) ID {
	sum := sha256.Sum256(append(seed[:], label...))
	id := ID(sum[:16])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// RootID is the UUID of the root file system, BootID that of the boot file system: a
// boot entry names them before the disk is planned.
func RootID(seed [32]byte) ID { return newID(seed, "root file system") }

// BootID is the UUID of the boot file system.
func BootID(seed [32]byte) ID { return newID(seed, "boot file system") }
