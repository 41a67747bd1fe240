package fat

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path"
	"strings"
	"unicode/utf16"

	"github.com/treewright/treewright/pkg/filetree"
)

const (
	maxDepth = 64
	deleted  = 0xe5

	// Flags of byte 12: the name, or its ending, is in small letters.
	smallBase = 0x08
	smallExt  = 0x10
)

// folder reads what is in a folder; parent is the cluster that ".." must name.
func (v *reader) folder(d *filetree.Node, at string, chain []uint32, parent uint32, depth int) error {
	if depth > maxDepth || int64(len(chain))*v.cluster > maxFolder {
		return malformed("/%s: a folder of %d clusters, %d deep", at, len(chain), depth)
	}
	var raw []byte
	for _, c := range chain {
		b, err := v.read(v.offset(c), v.cluster)
		if err != nil {
			return err
		}
		raw = append(raw, b...)
	}
	own := chain[0]
	if at != "" {
		if !dotEntry(raw, ".", own) || !dotEntry(raw[entrySize:], "..", parent) {
			return malformed("/%s does not begin with itself and its parent", at)
		}
		raw = raw[2*entrySize:]
	} else {
		own = 0
	}
	var l longName
	seen := map[string]bool{}
	for ; len(raw) > 0 && raw[0] != 0; raw = raw[entrySize:] {
		e := raw[:entrySize]
		if e[0] == deleted {
			l = longName{}
			continue
		}
		if e[11]&0x3f == attrLong {
			if err := l.add(e); err != nil {
				return fmt.Errorf("/%s: %w", at, err)
			}
			continue
		}
		name, err := l.name(e)
		if err != nil {
			return fmt.Errorf("/%s: %w", at, err)
		}
		l = longName{}
		p := path.Join(at, name)
		if e[11]&attrLabel == 0 {
			fold := strings.ToUpper(name)
			if checkName(name) != nil || seen[fold] {
				return malformed("/%s: a name that is not allowed, or is there twice", p)
			}
			seen[fold] = true
		}
		if err := v.entry(d, e, p, name, own, depth); err != nil {
			return err
		}
	}
	if l.want != 0 {
		return malformed("/%s: a long name ends in nothing", at)
	}
	return nil
}

func dotEntry(e []byte, name string, cluster uint32) bool {
	return string(e[:11]) == string(padded(name)) && e[11]&attrDir != 0 && firstCluster(e) == cluster
}

func padded(s string) []byte { n := dots(s); return n[:] }

func firstCluster(e []byte) uint32 {
	le := binary.LittleEndian
	return uint32(le.Uint16(e[20:]))<<16 | uint32(le.Uint16(e[26:]))
}

// entry adds what a short entry tells of to the folder d.
func (v *reader) entry(d *filetree.Node, e []byte, p, name string, own uint32, depth int) error {
	first, size := firstCluster(e), int64(binary.LittleEndian.Uint32(e[28:]))
	if e[11]&attrLabel != 0 {
		if depth > 0 || v.label != "" {
			return malformed("/%s: a second volume label", p)
		}
		v.label = strings.TrimRight(string(e[:11]), " ")
		return nil
	}
	var chain []uint32
	if first != 0 {
		var err error
		if chain, err = v.chain(first); err != nil {
			return fmt.Errorf("/%s: %w", p, err)
		}
	}
	if e[11]&attrDir != 0 {
		n := filetree.NewDir(0o755)
		if len(chain) == 0 || size != 0 {
			return malformed("/%s: a folder without a cluster, or with a size", p)
		}
		if err := d.Set(name, n); err != nil {
			return malformed("/%s: %v", p, err)
		}
		return v.folder(n, p, chain, own, depth+1)
	}
	if (size+v.cluster-1)/v.cluster != int64(len(chain)) {
		return malformed("/%s: %d bytes in %d clusters", p, size, len(chain))
	}
	n := &filetree.Node{Kind: filetree.File, Mode: 0o644, Size: size, From: content{v, chain, size}}
	if err := d.Set(name, n); err != nil {
		return malformed("/%s: %v", p, err)
	}
	return nil
}

// longName puts a long name together from its entries, which come last piece first.
type longName struct {
	units []uint16
	want  int // number of the piece that must come before this one; 0: none
	sum   byte
	has   bool
}

func (l *longName) add(e []byte) error {
	number := int(e[0] &^ lastLong)
	switch {
	case e[0]&lastLong != 0:
		*l = longName{want: number, sum: e[13], has: true}
	case !l.has || number != l.want || e[13] != l.sum:
		return malformed("piece %d of a long name is out of place", number)
	}
	if l.want == 0 || l.want*perEntry > maxName+perEntry {
		return malformed("a long name of %d pieces", l.want)
	}
	piece := make([]uint16, perEntry, perEntry+len(l.units))
	for j, at := range longAt {
		piece[j] = binary.LittleEndian.Uint16(e[at:])
	}
	l.units = append(piece, l.units...)
	l.want--
	return nil
}

// name is that of a short entry, with the long name before it.
func (l *longName) name(e []byte) (string, error) {
	if !l.has {
		return shortName(e)
	}
	if l.want != 0 || l.sum != shortSum([11]byte(e[:11])) {
		return "", malformed("a long name that does not belong to the short one")
	}
	for i, u := range l.units {
		if u == 0 {
			l.units = l.units[:i]
			break
		}
	}
	return string(utf16.Decode(l.units)), nil
}

func shortName(e []byte) (string, error) {
	base, ext := string(bytes.TrimRight(e[:8], " ")), string(bytes.TrimRight(e[8:11], " "))
	if e[11]&attrLabel != 0 {
		return "", nil
	}
	if base == "" || strings.IndexFunc(base+ext, func(r rune) bool { return !shortChar(r) }) >= 0 {
		return "", malformed("short name %q", e[:11])
	}
	if e[12]&smallBase != 0 {
		base = strings.ToLower(base)
	}
	if e[12]&smallExt != 0 {
		ext = strings.ToLower(ext)
	}
	if ext != "" {
		base += "." + ext
	}
	return base, nil
}
