package fat

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// name is a file's name in both forms.
type name struct {
	long  string
	short [11]byte
	plain bool // the short form says it all
}

const (
	maxName  = 255 // UTF-16 units
	perEntry = 13  // of them in a 32-byte entry
)

func (n name) entries() int {
	if n.plain {
		return 1
	}
	return 1 + (len(utf16.Encode([]rune(n.long)))+perEntry-1)/perEntry
}

// shortNames gives each name of a folder a short one that no other has.
func shortNames(long []string) ([]name, error) {
	out := make([]name, len(long))
	taken := map[[11]byte]bool{}
	folded := map[string]string{}
	for i, l := range long {
		if err := checkName(l); err != nil {
			return nil, err
		}
		if other, ok := folded[strings.ToUpper(l)]; ok {
			return nil, fmt.Errorf("names %q and %q are one in FAT32", other, l)
		}
		folded[strings.ToUpper(l)] = l
		out[i].long = l
		if out[i].short, out[i].plain = plainShort(l); out[i].plain {
			taken[out[i].short] = true
		}
	}
	next := map[[11]byte]int{} // the number that names of one beginning are at
	for i := range out {
		if n := &out[i]; !n.plain {
			n.number(taken, next)
		}
	}
	return out, nil
}

// number finds a short name that is free.
func (n *name) number(taken map[[11]byte]bool, next map[[11]byte]int) {
	like := numbered(n.long, 1)
	for i := next[like] + 1; ; i++ {
		if n.short = numbered(n.long, i); !taken[n.short] {
			taken[n.short] = true
			next[like] = i
			return
		}
	}
}

func checkName(l string) error {
	control := strings.IndexFunc(l, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0
	if control || !utf8.ValidString(l) || strings.ContainsAny(l, "\"*/:<>?\\|") || len(utf16.Encode([]rune(l))) > maxName ||
		strings.HasSuffix(l, ".") || strings.HasSuffix(l, " ") || l == "" {
		return fmt.Errorf("name %q is not allowed in FAT32", l)
	}
	return nil
}

func shortChar(r rune) bool {
	return r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'()-@^_`{}~", r)
}

func plainShort(l string) (s [11]byte, ok bool) {
	base, ext, _ := strings.Cut(l, ".")
	if base == "" || len(base) > 8 || len(ext) > 3 || strings.IndexFunc(base+ext, func(r rune) bool { return !shortChar(r) }) >= 0 {
		return s, false
	}
	copy(s[:], fmt.Sprintf("%-8s%-3s", base, ext))
	return s, true
}

// numbered makes a short name such as LOADER~1.CFG.
func numbered(l string, i int) (s [11]byte) {
	clean := func(t string, n int) string {
		t = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' {
				r -= 'a' - 'A'
			}
			if shortChar(r) {
				return r
			}
			return -1
		}, t)
		return t[:min(n, len(t))]
	}
	dot := strings.LastIndexByte(l, '.')
	base, ext := l, ""
	if dot > 0 {
		base, ext = l[:dot], l[dot+1:]
	}
	tail := fmt.Sprintf("~%d", i) // a folder has at most 65536 entries
	copy(s[:], fmt.Sprintf("%-8s%-3s", clean(base, 8-len(tail))+tail, clean(ext, 3)))
	return s
}

// shortSum is the checksum of a short name that stands in the entries of the long one.
func shortSum(short [11]byte) (sum byte) {
	for _, c := range short {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}

// longAt are the places of a long name's units in an entry.
var longAt = [perEntry]int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}

// lastLong marks the first entry of a long name, which has its end.
const lastLong = 0x40

// appendLong appends the entries of a long name, the last piece first.
func (n name) appendLong(out []byte) []byte {
	if n.plain {
		return out
	}
	text := utf16.Encode([]rune(n.long))
	count := (len(text) + perEntry - 1) / perEntry
	for i := count; i > 0; i-- {
		e := make([]byte, entrySize)
		e[0], e[11], e[13] = byte(i), attrLong, shortSum(n.short)
		if i == count {
			e[0] |= lastLong
		}
		for j, at := range longAt {
			u := uint16(0xffff)
			if k := (i-1)*perEntry + j; k < len(text) {
				u = text[k]
			} else if k == len(text) {
				u = 0
			}
			binary.LittleEndian.PutUint16(e[at:], u)
		}
		out = append(out, e...)
	}
	return out
}
