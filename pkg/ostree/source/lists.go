package source

import (
	"errors"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
)

// ErrNoSpace is a line of a statoverride file without a path.
var ErrNoSpace = errors.New("statoverride: a line without a space")

// Modes are changes of modes by path, as a statoverride file lists them.
//
// In folders on disk and in commits ostree passes over each folder twice, and bits
// that are to be added count the first time only, which does not reach its dirmeta; so
// they do nothing to these folders but the root. Commits must not depend on which
// program made them.
type Modes struct {
	add map[string]uint32
	set map[string]uint32
}

// ParseModes reads a statoverride file. A line "N PATH" or "+N PATH" adds the bits N,
// a decimal number or one with 0x in front, to the mode of what is at PATH; a line "=N
// PATH" makes them its permissions. The error is [ErrNoSpace].
func ParseModes(text string) (*Modes, error) {
	m := &Modes{add: map[string]uint32{}, set: map[string]uint32{}}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" {
			continue
		}
		number, path, ok := strings.Cut(line, " ")
		if !ok {
			return nil, ErrNoSpace
		}
		if n, ok := strings.CutPrefix(number, "="); ok {
			m.set[path] = parseBits(n)
		} else {
			m.add[path] = parseBits(number)
		}
	}
	return m, nil
}

// parseBits reads a number as strtod does: what is none is 0. An octal number is read
// as a decimal one.
func parseBits(s string) uint32 {
	if hex, ok := strings.CutPrefix(strings.ToLower(strings.TrimPrefix(s, "+")), "0x"); ok {
		n, _ := strconv.ParseUint(hex, 16, 31)
		return uint32(n)
	}
	f, _ := strconv.ParseFloat(s, 64)
	return uint32(int32(f))
}

// change is the mode that a node at path gets.
func (m *Modes) change(path string, n *filetree.Node, twice bool) uint32 {
	if m == nil {
		return n.Mode
	}
	if bits, ok := m.add[path]; ok {
		delete(m.add, path)
		if twice && n.Kind == filetree.Dir && path != "/" {
			return n.Mode
		}
		return (n.Mode | bits) & 0o7777
	}
	if bits, ok := m.set[path]; ok {
		return bits & 0o7777
	}
	return n.Mode
}

// left are paths whose bits were to be added and that did not come. As in ostree those
// whose mode is set may be missing.
func (m *Modes) left() []string {
	if m == nil {
		return nil
	}
	return keys(m.add)
}

// Skip is what to leave out, by path.
type Skip struct{ paths map[string]bool }

// ParseSkip reads a skip list: a path in each line, with a leading slash.
func ParseSkip(text string) *Skip {
	s := &Skip{map[string]bool{}}
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" {
			s.paths[line] = true
		}
	}
	return s
}

// take tells whether what is at path is left out. A path counts once.
func (s *Skip) take(path string) bool {
	if s == nil || !s.paths[path] {
		return false
	}
	delete(s.paths, path)
	return true
}

func (s *Skip) left() []string {
	if s == nil {
		return nil
	}
	return keys(s.paths)
}
