package modulemd

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
)

// Spec names a module: NAME[:STREAM][/PROFILE].
type Spec struct{ Module, Stream, Profile string }

// ParseSpec reads "NAME[:STREAM][/PROFILE]".
func ParseSpec(s string) (Spec, error) {
	name, profile, hasProfile := strings.Cut(s, "/")
	name, stream, hasStream := strings.Cut(name, ":")
	if name == "" || hasStream && stream == "" || hasProfile && profile == "" || strings.ContainsAny(s, " \t\n") || strings.Contains(stream, ":") {
		return Spec{}, fmt.Errorf("module %q: want NAME[:STREAM][/PROFILE]", s)
	}
	return Spec{name, stream, profile}, nil
}

func (s Spec) String() string {
	out := s.Module
	if s.Stream != "" {
		out += ":" + s.Stream
	}
	if s.Profile != "" {
		out += "/" + s.Profile
	}
	return out
}

// Selection is the streams that are on.
type Selection struct {
	modules *Modules
	on      map[string]*Build // by module
}

// Select turns on the streams asked for, what they require, and default streams. An
// error wraps [ErrNotFound] or [ErrConflict] and names the module.
func (m *Modules) Select(arch string, specs []Spec) (*Selection, error) {
	s := &Selection{m, map[string]*Build{}}
	asked := map[string]string{}
	for _, spec := range specs {
		stream, err := m.stream(spec)
		if err != nil {
			return nil, err
		}
		if was, ok := asked[spec.Module]; ok && was != stream {
			return nil, fmt.Errorf("module %s: both streams %s and %s are asked for: %w", spec.Module, was, stream, ErrConflict)
		}
		asked[spec.Module] = stream
	}
	for _, module := range slices.Sorted(maps.Keys(asked)) {
		if err := s.turnOn(arch, module, asked[module], asked); err != nil {
			return nil, err
		}
	}
	for _, module := range slices.Sorted(maps.Keys(m.Stream)) {
		if s.on[module] != nil {
			continue
		}
		before := maps.Clone(s.on)
		if s.turnOn(arch, module, m.Stream[module], asked) != nil {
			s.on = before // it does not fit, so it stays off
		}
	}
	return s, nil
}

// stream is the stream that is meant, which there is.
func (m *Modules) stream(spec Spec) (string, error) {
	streams := m.streams(spec.Module)
	switch {
	case len(streams) == 0:
		return "", fmt.Errorf("module %s: %w", spec.Module, ErrNotFound)
	case spec.Stream == "" && m.Stream[spec.Module] == "":
		return "", fmt.Errorf("module %s: it has no default stream; there are %s: %w", spec.Module, strings.Join(streams, ", "), ErrNotFound)
	case spec.Stream == "":
		return m.Stream[spec.Module], nil
	case !slices.Contains(streams, spec.Stream):
		return "", fmt.Errorf("module %s: stream %s: %w; there are %s", spec.Module, spec.Stream, ErrNotFound, strings.Join(streams, ", "))
	}
	return spec.Stream, nil
}

// streams lists the streams of a module.
func (m *Modules) streams(module string) (out []string) {
	for _, b := range m.Builds {
		if b.Module == module {
			out = append(out, b.Stream)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// builds lists the builds of a stream that a machine can use, the newest first.
func (m *Modules) builds(arch, module, stream string) (out []*Build) {
	for i := range m.Builds {
		b := &m.Builds[i]
		if b.Module == module && b.Stream == stream && (arch == "" || b.Arch == "" || b.Arch == arch || b.Arch == "noarch") {
			out = append(out, b)
		}
	}
	slices.SortStableFunc(out, func(a, b *Build) int {
		return cmp.Or(cmp.Compare(b.Version, a.Version), strings.Compare(a.Context, b.Context))
	})
	return out
}

// turnOn turns a stream on, and what it requires. asked are the streams that modules
// must have, on or not.
func (s *Selection) turnOn(arch, module, stream string, asked map[string]string) error {
	if b := s.on[module]; b != nil {
		if b.Stream == stream {
			return nil
		}
		return fmt.Errorf("module %s: stream %s is needed, and %s is on: %w", module, stream, b.Stream, ErrConflict)
	}
	if want, ok := asked[module]; ok && want != stream {
		return fmt.Errorf("module %s: stream %s is needed, and %s is asked for: %w", module, stream, want, ErrConflict)
	}
	err := fmt.Errorf("module %s: stream %s: %w", module, stream, ErrNotFound)
	for _, b := range s.modules.builds(arch, module, stream) {
		before := maps.Clone(s.on)
		s.on[module] = b
		if err = s.require(arch, b, asked); err == nil {
			return nil
		}
		s.on = before
	}
	return err
}

// require turns on what a build requires, by the first of its alternatives that can
// be met.
func (s *Selection) require(arch string, b *Build, asked map[string]string) (err error) {
	if len(b.Requires) == 0 {
		return nil
	}
	for _, one := range b.Requires {
		before := maps.Clone(s.on)
		if err = s.requireAll(arch, one, asked); err == nil {
			return nil
		}
		s.on = before
	}
	return fmt.Errorf("module %s:%s: %w", b.Module, b.Stream, err)
}

func (s *Selection) requireAll(arch string, one map[string][]string, asked map[string]string) error {
	for _, module := range slices.Sorted(maps.Keys(one)) {
		if module == "platform" {
			continue
		}
		if err := s.requireOne(arch, module, one[module], asked); err != nil {
			return err
		}
	}
	return nil
}

// requireOne turns on one of a module's streams: that which is on or asked for, the
// default, or the first that will do. Without streams any will do; "-STREAM" will not.
func (s *Selection) requireOne(arch, module string, streams []string, asked map[string]string) error {
	var no, yes []string
	for _, st := range streams {
		if rest, ok := strings.CutPrefix(st, "-"); ok {
			no = append(no, rest)
		} else {
			yes = append(yes, st)
		}
	}
	var try []string
	if b := s.on[module]; b != nil {
		try = []string{b.Stream}
	} else if st, ok := asked[module]; ok {
		try = []string{st}
	} else {
		try = append([]string{s.modules.Stream[module]}, s.modules.streams(module)...)
	}
	err := fmt.Errorf("module %s is required: %w", module, ErrNotFound)
	for _, st := range try {
		if st == "" || slices.Contains(no, st) || len(yes) > 0 && !slices.Contains(yes, st) {
			if s.on[module] != nil || asked[module] != "" {
				err = fmt.Errorf("module %s: stream %s is needed, and %s is on: %w", module, strings.Join(streams, " or "), st, ErrConflict)
			}
			continue
		}
		if err = s.turnOn(arch, module, st, asked); err == nil {
			return nil
		}
	}
	return err
}

// Streams lists what is on: NAME:STREAM.
func (s *Selection) Streams() (out []string) {
	for _, module := range slices.Sorted(maps.Keys(s.on)) {
		out = append(out, module+":"+s.on[module].Stream)
	}
	return out
}

// Packages lists the packages of the streams that are on, and those of all others.
func (s *Selection) Packages() (on, off []nevra.NEVRA) {
	for i := range s.modules.Builds {
		if b := &s.modules.Builds[i]; s.on[b.Module] == b {
			on = append(on, b.Artifacts...)
		} else {
			off = append(off, b.Artifacts...)
		}
	}
	return on, off
}

// Profile lists the packages that installing a module means: those of the profile, or
// of the stream's default profiles.
func (s *Selection) Profile(spec Spec) ([]string, error) {
	b := s.on[spec.Module]
	if b == nil {
		return nil, fmt.Errorf("module %s: %w", spec, ErrNotFound)
	}
	names := []string{spec.Profile}
	if spec.Profile == "" {
		if names = s.modules.Profiles[spec.Module][b.Stream]; len(names) == 0 {
			names = []string{"default"}
		}
	}
	var out []string
	for _, name := range names {
		rpms, ok := b.Profiles[name]
		if !ok {
			return nil, fmt.Errorf("module %s:%s: profile %s: %w; there are %s", b.Module, b.Stream, name, ErrNotFound,
				strings.Join(slices.Sorted(maps.Keys(b.Profiles)), ", "))
		}
		out = append(out, rpms...)
	}
	return out, nil
}

// StreamOf finds the stream that a package belongs to, for messages; empty when it is
// of none.
func (m *Modules) StreamOf(n nevra.NEVRA) string {
	for _, b := range m.Builds {
		for _, a := range b.Artifacts {
			if a.Name == n.Name && a.Arch == n.Arch && nevra.Compare(a.EVR, n.EVR) == 0 {
				return b.Module + ":" + b.Stream
			}
		}
	}
	return ""
}
