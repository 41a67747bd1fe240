package gpt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"unicode/utf16"
)

const startSize = (2 + entrySectors) * SectorSize

// Parse reads the table at the start of a disk: b is its first 34 sectors, of which
// the protective MBR is not looked at. What the table says of the disk's size is
// believed; [Read] checks it.
func Parse(b []byte) (*Table, error) {
	if len(b) < startSize {
		return nil, fmt.Errorf("%d bytes, want %d: %w", len(b), startSize, ErrMalformed)
	}
	entries := b[2*SectorSize : startSize]
	t, err := parse(b[SectorSize:2*SectorSize], entries, 1, 2)
	if err != nil {
		return nil, err
	}
	t.Sectors = binary.LittleEndian.Uint64(b[SectorSize+32:]) + 1
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

// Read reads the table of a disk of size bytes and checks that it is whole: the
// protective MBR is there, and both copies say the same and lie where they belong.
// Errors of r are returned as they are; all others wrap [ErrMalformed].
func Read(r io.ReaderAt, size int64) (*Table, error) {
	if size < 2*startSize || size%SectorSize != 0 {
		return nil, fmt.Errorf("disk of %d bytes: %w", size, ErrMalformed)
	}
	start, end := make([]byte, startSize), make([]byte, startSize-SectorSize)
	if _, err := r.ReadAt(start, 0); err != nil {
		return nil, err
	}
	if _, err := r.ReadAt(end, size-int64(len(end))); err != nil && err != io.EOF {
		return nil, err
	}
	t, err := Parse(start)
	if err != nil {
		return nil, err
	}
	sectors := uint64(size / SectorSize)
	if t.Sectors != sectors {
		return nil, fmt.Errorf("second copy is said to end at sector %d, the disk has %d: %w", t.Sectors, sectors, ErrMalformed)
	}
	if !t.protected(start[:SectorSize]) {
		return nil, fmt.Errorf("MBR is not one partition of type EE that covers the disk: %w", ErrMalformed)
	}
	entries := end[:entrySectors*SectorSize]
	if _, err := parse(end[len(entries):], entries, sectors-1, sectors-1-entrySectors); err != nil {
		return nil, fmt.Errorf("second copy: %w", err)
	}
	if !bytes.Equal(entries, start[2*SectorSize:]) || !bytes.Equal(end[len(entries)+56:len(entries)+72], start[SectorSize+56:SectorSize+72]) {
		return nil, fmt.Errorf("the two copies differ: %w", ErrMalformed)
	}
	return t, nil
}

// protected tells whether mbr keeps programs that know no GPT away. Where the only
// partition ends in cylinders, heads and sectors, tools do not agree.
func (t *Table) protected(mbr []byte) bool {
	own := t.mbr(nil)
	copy(own[451:454], mbr[451:454])
	return bytes.Equal(mbr[446:], own[446:])
}

// parse reads a header that is at sector own, and its entries, which are at sector at.
func parse(h, entries []byte, own, at uint64) (*Table, error) {
	le := binary.LittleEndian
	if string(h[:8]) != "EFI PART" || le.Uint32(h[8:]) != 0x10000 || le.Uint32(h[12:]) != headerSize {
		return nil, fmt.Errorf("header %x: %w", h[:16], ErrMalformed)
	}
	sum := bytes.Clone(h[:headerSize])
	clear(sum[16:20])
	if got, want := crc32.ChecksumIEEE(sum), le.Uint32(h[16:]); got != want {
		return nil, fmt.Errorf("checksum of the header is %08x, it says %08x: %w", got, want, ErrMalformed)
	}
	if le.Uint64(h[24:]) != own || le.Uint64(h[72:]) != at || le.Uint32(h[80:]) != entryCount || le.Uint32(h[84:]) != entrySize {
		return nil, fmt.Errorf("header for sector %d, %d entries of %d bytes at sector %d: not where they always are: %w",
			le.Uint64(h[24:]), le.Uint32(h[80:]), le.Uint32(h[84:]), le.Uint64(h[72:]), ErrMalformed)
	}
	if got, want := crc32.ChecksumIEEE(entries), le.Uint32(h[88:]); got != want {
		return nil, fmt.Errorf("checksum of the entries is %08x, the header says %08x: %w", got, want, ErrMalformed)
	}
	t := &Table{Disk: GUID(h[56:72]).swap()}
	for i := range entryCount {
		if p := parseEntry(entries[i*entrySize:]); p != (Partition{}) {
			t.Partitions = append(t.Partitions, make([]Partition, i-len(t.Partitions))...)
			t.Partitions = append(t.Partitions, p)
		}
	}
	return t, nil
}

// parseEntry reads an entry; one without a type is unused, whatever else is in it.
func parseEntry(e []byte) (p Partition) {
	le := binary.LittleEndian
	if p.Type = GUID(e[:16]).swap(); p.Type == (GUID{}) {
		return p
	}
	p.GUID = GUID(e[16:32]).swap()
	p.First, p.Last, p.Attributes = le.Uint64(e[32:]), le.Uint64(e[40:]), le.Uint64(e[48:])
	var name []uint16
	for j := 0; j < nameUnits && le.Uint16(e[56+2*j:]) != 0; j++ {
		name = append(name, le.Uint16(e[56+2*j:]))
	}
	p.Name = string(utf16.Decode(name))
	return p
}
