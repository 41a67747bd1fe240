package ostreecmd

import (
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/ostree/pull"
)

// The forms are those of stock ostree on a terminal.
func TestProgressLine(t *testing.T) {
	for want, s := range map[string]pull.Status{
		"Receiving metadata objects: 7/(estimating) 1.0\u00a0kB/s 2.0\u00a0kB": {Scanned: 7, Transferred: 2000},
		"Receiving objects: 33% (1/3) 0 bytes/s 0 bytes":                       {Scanned: 7, Files: 3, Done: 1},
	} {
		if got := progressLine(s, 2*time.Second); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
}
