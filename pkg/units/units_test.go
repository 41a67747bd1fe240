package units_test

import (
	"testing"

	"github.com/treewright/treewright/pkg/units"
)

func TestParse(t *testing.T) {
	for s, want := range map[string]units.Bytes{
		"0": 0, "512": 512, "4 GiB": 4 << 30, "4G": 4 << 30, "1.5GiB": 3 << 29, "10MB": 10e6, " 7 kib ": 7 << 10, "1t": 1 << 40, "3B": 3,
	} {
		if got, err := units.Parse(s); err != nil || got != want {
			t.Errorf("Parse(%q) = %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "GiB", "-1", "1.2.3G", "1 XB", "99999999999T", "1e3"} {
		if got, err := units.Parse(s); err == nil {
			t.Errorf("Parse(%q) = %d", s, got)
		}
	}
}

func TestString(t *testing.T) {
	for n, want := range map[units.Bytes]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 4 << 30: "4 GiB", -2048: "-2 KiB"} {
		if got := n.String(); got != want {
			t.Errorf("%d prints as %q, want %q", n, got, want)
		}
	}
	if got := units.Bytes(1000).AlignUp(units.KiB); got != 1024 {
		t.Errorf("AlignUp = %d", got)
	}
}
