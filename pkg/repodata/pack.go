package repodata

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io"
	"math/bits"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
)

// The packed form of packages is little-endian, in words of 32 bits. Behind the magic,
// whose last byte is the version, it has
//
//	the numbers of packages, strings, relations, list words, keys, slots, text bytes
//	for each package     name, arch, epoch, version, release, checksum's kind, checksum,
//	                     its lists' place
//	for each string      where it ends in the text
//	for each relation    name, flags, epoch, version, release
//	lists                of words; each begins with its length
//	for each key         a string, and the place of three lists of packages: so named,
//	                     providing it (each with the relation), owning that file
//	slots                a hash table of the keys' strings (FNV-1a, linear): key + 1, or 0
//	text
//	CRC-32C of all that
//
// A package's lists are its other texts and numbers, the eight kinds of relations (the
// highest bit tells what is needed while installing), and its files, type and path. Of
// texts and numbers it has those that matter to one who chooses and loads packages.
const packedMagic = "trwpack\x01"

const (
	packedHeader  = len(packedMagic) + 7*4
	packageWords  = 8
	relationWords = 5
	preBit        = 1 << 31
	maxPacked     = 1 << 31 // bytes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Packer makes the packed form, which [Packed] reads.
type Packer struct {
	text      []byte
	ends      []uint32
	strings   map[string]uint32
	relations []uint32
	relation  map[[relationWords]uint32]uint32
	packages  []uint32
	lists     []uint32
	refs      []ref
	plus      []uint32 // packages that supplement something
}

// ref is a package under a key.
type ref struct {
	key      uint32
	kind     uint8 // place among a key's lists
	pkg, rel uint32
}

// NewPacker returns a Packer that has no packages yet.
func NewPacker() *Packer {
	p := &Packer{strings: map[string]uint32{}, relation: map[[relationWords]uint32]uint32{}}
	p.str("")
	p.lists = append(p.lists, 0)
	return p
}

// str is a text's number.
func (p *Packer) str(s string) uint32 {
	if n, ok := p.strings[s]; ok {
		return n
	}
	n := p.once(s)
	p.strings[s] = n
	return n
}

// once is the number of a text that does not come twice.
func (p *Packer) once(s string) uint32 {
	p.text = append(p.text, s...)
	p.ends = append(p.ends, uint32(len(p.text)))
	return uint32(len(p.ends) - 1)
}

func (p *Packer) rel(r nevra.Relation) uint32 {
	key := [relationWords]uint32{p.str(r.Name), uint32(r.Flags), p.str(r.EVR.Epoch), p.str(r.EVR.Version), p.str(r.EVR.Release)}
	n, ok := p.relation[key]
	if !ok {
		n = uint32(len(p.relations) / relationWords)
		p.relations = append(p.relations, key[:]...)
		p.relation[key] = n
	}
	return n
}

// Add takes a package in.
func (p *Packer) Add(k *Package) {
	id := uint32(len(p.packages) / packageWords)
	sum, _ := hex.DecodeString(k.Checksum.Hex)
	n := k.NEVRA
	p.packages = append(p.packages, p.str(n.Name), p.str(n.Arch), p.str(n.Epoch), p.str(n.Version), p.str(n.Release),
		p.str(string(k.Checksum.Algorithm)), p.once(string(sum)), uint32(len(p.lists)))
	p.lists = append(p.lists, p.once(k.Summary), p.str(k.URL), p.once(k.Location), p.str(k.Base), p.str(k.License), p.str(k.Vendor), p.str(k.SourceRPM))
	for _, v := range k.numbers() {
		p.lists = append(p.lists, uint32(*v), uint32(*v>>32))
	}
	for _, kind := range relationKinds {
		list := *k.relations(kind)
		p.lists = append(p.lists, uint32(len(list)))
		for i, r := range list {
			word := p.rel(r)
			if kind == "provides" {
				p.refs = append(p.refs, ref{p.str(r.Name), 1, id, word})
			}
			if kind == "requires" && k.PreRequires[i] {
				word |= preBit
			}
			p.lists = append(p.lists, word)
		}
	}
	p.lists = append(p.lists, uint32(len(k.Files)))
	for _, f := range k.Files {
		path := p.str(f.Path)
		p.lists = append(p.lists, p.str(f.Type), path)
		p.refs = append(p.refs, ref{path, 2, id, 0})
	}
	p.refs = append(p.refs, ref{p.str(n.Name), 0, id, 0})
	if len(k.Supplements) > 0 {
		p.plus = append(p.plus, id)
	}
}

// numbers are the numbers of a package, in the order of the packed form.
func (p *Package) numbers() []*int64 {
	return []*int64{&p.Size, &p.InstalledSize, &p.BuildTime}
}

// keys makes the keys, and their lists.
func (p *Packer) keys() (keys []uint32) {
	slices.SortStableFunc(p.refs, func(a, b ref) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.kind, b.kind)) })
	for rest := p.refs; len(rest) > 0; {
		key := rest[0].key
		keys = append(keys, key, uint32(len(p.lists)))
		for kind := range uint8(3) {
			n := 0
			for n < len(rest) && rest[n].key == key && rest[n].kind == kind {
				n++
			}
			p.lists = append(p.lists, uint32(n))
			for _, r := range rest[:n] {
				p.lists = append(p.lists, r.pkg)
				if kind == 1 {
					p.lists = append(p.lists, r.rel)
				}
			}
			rest = rest[n:]
		}
	}
	p.lists[0] = uint32(len(p.lists))
	p.lists = append(append(p.lists, uint32(len(p.plus))), p.plus...)
	return keys
}

// slots is the hash table of keys.
func (p *Packer) slots(keys []uint32) []uint32 {
	n := len(keys) / 2
	out := make([]uint32, 1<<bits.Len(uint(2*n)))
	for i := range n {
		at := hash(p.string(keys[2*i])) & uint32(len(out)-1)
		for out[at] != 0 {
			at = (at + 1) & uint32(len(out)-1)
		}
		out[at] = uint32(i + 1)
	}
	return out
}

func (p *Packer) string(n uint32) []byte {
	begin := uint32(0)
	if n > 0 {
		begin = p.ends[n-1]
	}
	return p.text[begin:p.ends[n]]
}

// hash is FNV-1a of 32 bits.
func hash[T string | []byte](s T) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

// Pack makes the packed form. The Packer is of no use behind it.
func (p *Packer) Pack() (*Packed, error) {
	keys := p.keys()
	slots := p.slots(keys)
	sections := [][]uint32{nil, p.packages, p.ends, p.relations, p.lists, keys, slots}
	sections[0] = []uint32{uint32(len(p.packages) / packageWords), uint32(len(p.ends)), uint32(len(p.relations) / relationWords),
		uint32(len(p.lists)), uint32(len(keys) / 2), uint32(len(slots)), uint32(len(p.text))}
	size := int64(len(packedMagic) + len(p.text))
	for _, s := range sections {
		size += 4 * int64(len(s))
	}
	if size > maxPacked {
		return nil, malformed("metadata of %d bytes when packed, at most %d are allowed", size, int64(maxPacked))
	}
	var b strings.Builder
	b.Grow(int(size))
	b.WriteString(packedMagic)
	var buf [4096]byte
	for _, s := range sections {
		for len(s) > 0 {
			n := min(len(s), len(buf)/4)
			for i, v := range s[:n] {
				binary.LittleEndian.PutUint32(buf[4*i:], v)
			}
			b.Write(buf[:4*n])
			s = s[n:]
		}
	}
	b.Write(p.text)
	out := &Packed{data: b.String()}
	return out, out.layout()
}

// WriteTo writes the packed form, as [OpenPacked] reads it.
func (p *Packed) WriteTo(w io.Writer) (int64, error) {
	sum := crc32.New(castagnoli)
	n, err := io.Copy(onlyWriter{io.MultiWriter(w, sum)}, strings.NewReader(p.data))
	if err != nil {
		return n, err
	}
	_, err = w.Write(binary.LittleEndian.AppendUint32(nil, sum.Sum32()))
	return n + 4, err
}
