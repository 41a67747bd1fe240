package openpgp

import (
	"encoding/binary"
	"fmt"
)

// Kinds of records of a keybox.
const (
	recordHeader  = 1
	recordOpenPGP = 2
)

// IsKeybox tells whether a file begins as a keybox does.
func IsKeybox(b []byte) bool {
	return len(b) >= 12 && b[4] == recordHeader && string(b[8:12]) == "KBXf"
}

// ReadKeybox reads the keys of a keybox of at most MaxKeyring bytes, the pubring.kbx of
// GnuPG: records that begin with
//
//	length  4 bytes, big-endian, of the record
//	kind    1 byte
//	version 1 byte
//	flags   2 bytes
//	at, n   4 bytes each: in a record of a key, where in it the packets are
//
// Keys of kinds that are not known are left out. Every error wraps [ErrMalformed].
func ReadKeybox(b []byte) (*Keyring, error) {
	if len(b) > MaxKeyring {
		return nil, fmt.Errorf("keybox of %d bytes, at most %d are allowed: %w", len(b), MaxKeyring, ErrMalformed)
	}
	if !IsKeybox(b) {
		return nil, fmt.Errorf("keybox: does not begin as one: %w", ErrMalformed)
	}
	k := &Keyring{}
	for off := 0; off < len(b); {
		record, err := cutRecord(b[off:])
		if err != nil {
			return nil, fmt.Errorf("keybox: record at %d: %w", off, err)
		}
		off += len(record)
		if record[4] != recordOpenPGP {
			continue
		}
		packets, err := keyblock(record)
		if err == nil {
			err = k.addPackets(packets)
		}
		if err != nil {
			return nil, fmt.Errorf("keybox: record that ends at %d: %w", off, err)
		}
	}
	return k, nil
}

// cutRecord is the first record of b.
func cutRecord(b []byte) ([]byte, error) {
	if len(b) < 5 {
		return nil, fmt.Errorf("%d bytes: %w", len(b), ErrMalformed)
	}
	n := binary.BigEndian.Uint32(b)
	if n < 5 || uint64(n) > uint64(len(b)) {
		return nil, fmt.Errorf("length is %d, %d are left: %w", n, len(b), ErrMalformed)
	}
	return b[:n], nil
}

// keyblock is where a record has the packets of a key.
func keyblock(record []byte) ([]byte, error) {
	if len(record) < 16 {
		return nil, fmt.Errorf("key in %d bytes: %w", len(record), ErrMalformed)
	}
	at, n := uint64(binary.BigEndian.Uint32(record[8:])), uint64(binary.BigEndian.Uint32(record[12:]))
	if at+n > uint64(len(record)) {
		return nil, fmt.Errorf("key of %d bytes at %d: record has %d: %w", n, at, len(record), ErrMalformed)
	}
	return record[at : at+n], nil
}
