package treefile_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/treefile"
)

// The wanted versions are rpm-ostree's, from the table in its manual and its tests.
func TestNextVersion(t *testing.T) {
	now := time.Date(2026, 3, 9, 23, 30, 0, 0, time.FixedZone("", -3600)) // the 10th in UTC
	for _, tc := range []struct{ prefix, suffix, last, want string }{
		{"10", "", "", "10"},
		{"10", "", "10", "10.1"},
		{"10", "", "10.1", "10.2"},
		{"10", "", "10.9", "10.10"},
		{"10", "", "10.1.5", "10.2"},
		{"10", "", "10001", "10"},
		{"10", "", "9.4", "10"},
		{"10.1", "", "10.12", "10.1"},
		{"10.1", "", "10.1.5", "10.1.6"},
		{"10.1", "", "10.1.1.5", "10.1.2"},
		{"10.1", "", "10.1.x", "10.1.1"},
		{"10", "-", "10", "10-1"},
		{"10", "-", "10-1", "10-2"},
		{"10", "-", "10.1", "10"},
		{"10", "", "10.99999999999999999999", "10.100000000000000000000"},
		{"10.<date:%Y%m%d>", "", "", "10.20260310.0"},
		{"10.<date:%Y%m%d>", "", "10.20260310.1", "10.20260310.2"},
		{"10.<date:%Y%m%d>", "", "10.20260309.7", "10.20260310.0"},
		{"10.<date:%Y%m%d>", "", "10.20260310", "10.20260310.0"},
		{"10.<date:%Y%m%d>", "-", "10.20260310-4", "10.20260310-5"},
		{"10.<foo: >", "", "", "10.<foo: >"},
	} {
		if got := treefile.NextVersion(tc.prefix, tc.suffix, tc.last, now); got != tc.want {
			t.Errorf("NextVersion(%q, %q, %q) = %q, want %q", tc.prefix, tc.suffix, tc.last, got, tc.want)
		}
	}
}

// The wanted dates are those of date(1), see testdata/README.md.
func TestNextVersionDates(t *testing.T) {
	b, err := os.ReadFile("testdata/strftime.tsv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if len(lines) < 100 {
		t.Fatalf("only %d lines", len(lines))
	}
	for _, line := range lines {
		f := strings.SplitN(line, "\t", 3)
		sec, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := treefile.NextVersion("<date:"+f[1]+">", ".", "", time.Unix(sec, 0)); got != f[2]+".0" {
			t.Errorf("%s at %d = %q, want %q", f[1], sec, got, f[2]+".0")
		}
	}
}
