package main

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/composer"
)

// usage reads what this process and those that it started have used. The peak of
// memory is that since the last reading, where the kernel can forget it.
func usage() composer.Usage {
	u := composer.Usage{Clock: time.Now()}
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var r unix.Rusage
		if unix.Getrusage(who, &r) == nil {
			u.CPU += time.Duration(r.Utime.Nano() + r.Stime.Nano())
		}
	}
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return u
	}
	if _, rest, ok := bytes.Cut(b, []byte("VmHWM:")); ok {
		if f := bytes.Fields(rest); len(f) > 0 {
			kib, _ := strconv.ParseInt(string(f[0]), 10, 64)
			u.PeakBytes = kib << 10
		}
	}
	// "5" resets the peak; where that is not allowed it stays that of the whole run.
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	return u
}
