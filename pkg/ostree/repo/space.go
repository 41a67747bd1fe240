package repo

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/units"
)

// roomRule is how much of the file system stays free: core.min-free-space-size, else
// core.min-free-space-percent, 3 where the configuration says nothing.
type roomRule struct {
	text    string // of the key and its value; empty: no rule
	bytes   int64
	percent int64
}

func parseRoom(c config) (roomRule, error) {
	const sizeKey, percentKey = "core.min-free-space-size", "core.min-free-space-percent"
	if v := c[sizeKey]; v != "" {
		n, err := parseSize(v)
		if err != nil {
			return roomRule{}, fmt.Errorf("%s is %q, want a number and MB, GB or TB: %w", sizeKey, v, ostree.ErrUnsupported)
		}
		return roomRule{text: "min-free-space-size " + v, bytes: n}, nil
	}
	n, err := c.number(percentKey, 3)
	if err != nil {
		return roomRule{}, err
	}
	if n < 0 || n > 99 {
		return roomRule{}, fmt.Errorf("%s is %d, want 0 to 99: %w", percentKey, n, ostree.ErrUnsupported)
	}
	if n == 0 {
		return roomRule{}, nil
	}
	return roomRule{text: fmt.Sprintf("min-free-space-percent %d%%", n), percent: int64(n)}, nil
}

// parseSize reads a number with MB, GB or TB, which count in powers of 1024.
func parseSize(v string) (int64, error) {
	for unit, shift := range map[string]uint{"MB": 20, "GB": 30, "TB": 40} {
		if digits, ok := strings.CutSuffix(v, unit); ok {
			n, err := strconv.ParseUint(digits, 10, 63-int(shift))
			return int64(n) << shift, err
		}
	}
	return 0, strconv.ErrSyntax
}

// room is what content a transaction may still write.
type room struct {
	rule roomRule
	mu   sync.Mutex
	left int64 // bytes
}

// measure looks at the file system of the repository.
func (r *Repo) measure() (*room, error) {
	if r.room.text == "" {
		return &room{}, nil
	}
	var st unix.Statfs_t
	if err := unix.Statfs(r.path, &st); err != nil {
		return nil, fmt.Errorf("repository %s: free space: %w", r.path, err)
	}
	keep := r.room.bytes
	if r.room.percent > 0 {
		keep = int64(st.Blocks) * st.Bsize / 100 * r.room.percent
	}
	return &room{rule: r.room, left: int64(st.Bavail)*st.Bsize - keep}, nil
}

// take is called with each file object that is to be written. The error wraps ENOSPC,
// as that of a full disk does.
func (m *room) take(size int64) error {
	if m.rule.text == "" {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if size > m.left {
		return fmt.Errorf("%s would be exceeded by a file of %s: %w", m.rule.text, units.Bytes(size), unix.ENOSPC)
	}
	m.left -= size
	return nil
}
