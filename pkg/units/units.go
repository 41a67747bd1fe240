// Package units holds byte sizes as a type that people can write and read:
// "10 GiB", "512M", "1.5GB".
package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size in bytes.
type Bytes int64

// Binary and decimal multiples.
const (
	KiB Bytes = 1 << 10
	MiB Bytes = 1 << 20
	GiB Bytes = 1 << 30
	TiB Bytes = 1 << 40
	KB  Bytes = 1e3
	MB  Bytes = 1e6
	GB  Bytes = 1e9
	TB  Bytes = 1e12
)

// suffixes are the units that Parse knows. A bare letter is binary, as qemu-img
// and coreos-assembler read it.
var suffixes = map[string]Bytes{
	"": 1, "b": 1,
	"k": KiB, "kib": KiB, "kb": KB,
	"m": MiB, "mib": MiB, "mb": MB,
	"g": GiB, "gib": GiB, "gb": GB,
	"t": TiB, "tib": TiB, "tb": TB,
}

// Parse reads a size: a number, which may have a decimal point, and a unit (B,
// KiB, MiB, GiB, TiB, KB, MB, GB, TB; K, M, G, T mean the binary ones; none means
// bytes). Blanks between them and the case do not matter.
func Parse(s string) (Bytes, error) {
	t := strings.TrimSpace(s)
	i := strings.IndexFunc(t, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if i < 0 {
		i = len(t)
	}
	unit, ok := suffixes[strings.ToLower(strings.TrimSpace(t[i:]))]
	if !ok || i == 0 {
		return 0, fmt.Errorf("size %q: want a number and a unit such as MiB or GiB", s)
	}
	if n, err := strconv.ParseInt(t[:i], 10, 64); err == nil {
		if n > math.MaxInt64/int64(unit) {
			return 0, fmt.Errorf("size %q: too large", s)
		}
		return Bytes(n) * unit, nil
	}
	f, err := strconv.ParseFloat(t[:i], 64)
	if err != nil {
		return 0, fmt.Errorf("size %q: want a number and a unit such as MiB or GiB", s)
	}
	if f *= float64(unit); f >= math.MaxInt64 {
		return 0, fmt.Errorf("size %q: too large", s)
	}
	return Bytes(math.Round(f)), nil
}

// String prints the size with one decimal in the largest binary unit that fits:
// "1.5 GiB", "300 B".
func (b Bytes) String() string {
	if b < 0 {
		return "-" + (-b).String()
	}
	for _, u := range []struct {
		size Bytes
		name string
	}{{TiB, "TiB"}, {GiB, "GiB"}, {MiB, "MiB"}, {KiB, "KiB"}} {
		if b >= u.size {
			return strings.TrimSuffix(strconv.FormatFloat(float64(b)/float64(u.size), 'f', 1, 64), ".0") + " " + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + " B"
}

// AlignUp returns b rounded up to a multiple of unit, which is positive.
func (b Bytes) AlignUp(unit Bytes) Bytes { return (b + unit - 1) / unit * unit }

// UnmarshalText reads what [Parse] reads.
func (b *Bytes) UnmarshalText(t []byte) (err error) {
	*b, err = Parse(string(t))
	return err
}
