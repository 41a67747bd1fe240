package repodata

import (
	"encoding/hex"
	"hash/crc32"
	"io"
	"iter"
	"strings"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/nevra"
)

// Packed is many packages in the form that a [Packer] writes, with an index by name,
// by capability and by file. Packages are made when they are asked for. It is not for
// use by several goroutines at once.
type Packed struct {
	data  string // all of it, but for the checksum
	count [7]int // numbers in the header
	at    [7]int // where the sections begin
	made  []*Package
}

// OpenPacked reads the packed form; size is its length in bytes. Whatever it holds,
// no method panics.
//
// An error wraps [ErrMalformed] when the bytes are of another version, cut off or
// damaged.
func OpenPacked(r io.Reader, size int64) (*Packed, error) {
	if size < int64(packedHeader)+4 || size > maxPacked {
		return nil, malformed("packed metadata of %d bytes", size)
	}
	var text strings.Builder
	text.Grow(int(size) - 4)
	sum := crc32.New(castagnoli)
	buf := make([]byte, 256<<10)
	n, err := io.CopyBuffer(onlyWriter{io.MultiWriter(&text, sum)}, io.LimitReader(r, size-4), buf)
	if err != nil {
		return nil, err
	}
	var end [4]byte
	if _, err := io.ReadFull(r, end[:]); err != nil || n < size-4 {
		return nil, malformed("packed metadata is cut off behind %d bytes", n)
	}
	p := &Packed{data: text.String()}
	if !strings.HasPrefix(p.data, packedMagic) {
		return nil, malformed("packed metadata of another version")
	}
	if want := uint32(end[0]) | uint32(end[1])<<8 | uint32(end[2])<<16 | uint32(end[3])<<24; want != sum.Sum32() {
		return nil, malformed("packed metadata: checksum is %08x, promised was %08x", sum.Sum32(), want)
	}
	return p, p.layout()
}

// onlyWriter hides ReadFrom.
type onlyWriter struct{ io.Writer }

// layout finds the sections.
func (p *Packed) layout() error {
	at := packedHeader
	for i, words := range []int{packageWords, 1, relationWords, 1, 2, 1, 0} {
		p.count[i], p.at[i] = int(p.word(len(packedMagic)+4*i)), at
		at += 4 * words * p.count[i]
	}
	slots := p.count[5]
	if at+p.count[6] != len(p.data) || slots == 0 || slots&(slots-1) != 0 || slots <= p.count[4] {
		return malformed("packed metadata: sections of %d bytes in %d", at+p.count[6], len(p.data))
	}
	p.made = make([]*Package, p.count[0])
	return nil
}

// word is the word at a byte; 0 behind the end.
func (p *Packed) word(at int) uint32 {
	if at < 0 || at+4 > len(p.data) {
		return 0
	}
	s := p.data[at : at+4]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// cell is a word of a section's row.
func (p *Packed) cell(section, row, words, column int) uint32 {
	if row < 0 || row >= p.count[section] {
		return 0
	}
	return p.word(p.at[section] + 4*(row*words+column))
}

func (p *Packed) str(n uint32) string {
	begin := uint32(0)
	if n > 0 {
		begin = p.cell(1, int(n)-1, 1, 0)
	}
	end := p.cell(1, int(n), 1, 0)
	if begin > end || int(end) > p.count[6] {
		return ""
	}
	return p.data[p.at[6]+int(begin) : p.at[6]+int(end)]
}

func (p *Packed) list(n int) uint32 { return p.cell(3, n, 1, 0) }

// length is a list's length, if it has words for each element.
func (p *Packed) length(at, words int) int {
	n := int(p.list(at))
	if n > (p.count[3]-at)/words {
		return 0
	}
	return n
}

func (p *Packed) relation(n uint32) nevra.Relation {
	i := int(n)
	return nevra.Relation{Name: p.str(p.cell(2, i, relationWords, 0)), Flags: nevra.Flag(p.cell(2, i, relationWords, 1)),
		EVR: nevra.EVR{Epoch: p.str(p.cell(2, i, relationWords, 2)), Version: p.str(p.cell(2, i, relationWords, 3)), Release: p.str(p.cell(2, i, relationWords, 4))}}
}

// Len is the number of packages.
func (p *Packed) Len() int { return p.count[0] }

// NEVRA is that of package i.
func (p *Packed) NEVRA(i int) nevra.NEVRA {
	s := func(column int) string { return p.str(p.cell(0, i, packageWords, column)) }
	return nevra.NEVRA{Name: s(0), Arch: s(1), EVR: nevra.EVR{Epoch: s(2), Version: s(3), Release: s(4)}}
}

// Arch is the architecture of package i.
func (p *Packed) Arch(i int) string { return p.str(p.cell(0, i, packageWords, 1)) }

// Pkgid is the checksum of package i as raw bytes.
func (p *Packed) Pkgid(i int) string { return p.str(p.cell(0, i, packageWords, 6)) }

// Package is package i, the same each time.
func (p *Packed) Package(i int) *Package {
	if p.made[i] == nil {
		p.made[i] = p.make(i)
	}
	return p.made[i]
}

func (p *Packed) make(i int) *Package {
	k := &Package{NEVRA: p.NEVRA(i)}
	k.Checksum = digest.Digest{Algorithm: digest.Algorithm(p.str(p.cell(0, i, packageWords, 5))), Hex: hex.EncodeToString([]byte(p.Pkgid(i)))}
	at := int(p.cell(0, i, packageWords, 7))
	for _, to := range []*string{&k.Summary, &k.URL, &k.Location, &k.Base, &k.License, &k.Vendor, &k.SourceRPM} {
		*to = p.str(p.list(at))
		at++
	}
	for _, to := range k.numbers() {
		*to = int64(p.list(at)) | int64(p.list(at+1))<<32
		at += 2
	}
	for _, kind := range relationKinds {
		n := p.length(at, 1)
		if at++; n == 0 {
			continue
		}
		list := make([]nevra.Relation, n)
		for j := range list {
			word := p.list(at + j)
			if word&preBit != 0 {
				if k.PreRequires == nil {
					k.PreRequires = map[int]bool{}
				}
				k.PreRequires[j] = true
			}
			list[j] = p.relation(word &^ preBit)
		}
		*k.relations(kind) = list
		at += n
	}
	if n := p.length(at, 2); n > 0 {
		k.Files = make([]File, n)
		for j := range k.Files {
			k.Files[j] = File{Type: p.str(p.list(at + 1 + 2*j)), Path: p.str(p.list(at + 2 + 2*j))}
		}
	}
	return k
}

// find is the place of a key's lists; ok is false when nothing has that name.
func (p *Packed) find(key string) (at int, ok bool) {
	mask := p.count[5] - 1
	for slot, n := int(hash(key))&mask, 0; n <= mask; slot, n = (slot+1)&mask, n+1 {
		k := p.cell(5, slot, 1, 0)
		if k == 0 {
			return 0, false
		}
		if p.str(p.cell(4, int(k)-1, 2, 0)) == key {
			return int(p.cell(4, int(k)-1, 2, 1)), true
		}
	}
	return 0, false
}

// lookup is one of a key's lists.
func (p *Packed) lookup(key string, kind int) (at, n, words int) {
	at, ok := p.find(key)
	if !ok {
		return 0, 0, 1
	}
	for i := 0; ; i++ {
		if words = 1; i == 1 {
			words = 2
		}
		n = p.length(at, words)
		if i == kind {
			return at + 1, n, words
		}
		at += 1 + words*n
	}
}

// packages is one of a key's lists, of packages that there are.
func (p *Packed) packages(key string, kind int) []int {
	at, n, words := p.lookup(key, kind)
	return p.valid(at, n, words)
}

func (p *Packed) valid(at, n, words int) (out []int) {
	for i := range n {
		if id := int(p.list(at + words*i)); id < p.count[0] {
			out = append(out, id)
		}
	}
	return out
}

// Named lists the packages of a name.
func (p *Packed) Named(name string) []int { return p.packages(name, 0) }

// Owning lists the packages that are known to have a file.
func (p *Packed) Owning(path string) []int { return p.packages(path, 2) }

// Providing visits the packages that provide a capability, with the relation.
func (p *Packed) Providing(name string, visit func(i int, r nevra.Relation)) {
	at, n, words := p.lookup(name, 1)
	for i := range n {
		if id := int(p.list(at + words*i)); id < p.count[0] {
			visit(id, p.relation(p.list(at+words*i+1)))
		}
	}
}

// Supplementing lists the packages that supplement something.
func (p *Packed) Supplementing() []int {
	at := int(p.list(0))
	return p.valid(at+1, p.length(at, 1), 1)
}

// Names visits the names of packages, each once.
func (p *Packed) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for k := range p.count[4] {
			if at := int(p.cell(4, k, 2, 1)); p.list(at) > 0 && !yield(p.str(p.cell(4, k, 2, 0))) {
				return
			}
		}
	}
}
