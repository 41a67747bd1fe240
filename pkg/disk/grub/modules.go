package grub

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Info is what GRUB's folder for one platform holds.
type Info struct {
	Platform    string // as GRUB names it: "i386-pc", "x86_64-efi"
	Version     string // of the package, e.g. "2.14-4"
	EntryModule string // one of BootEntryModules; empty: this GRUB cannot read boot entries
}

// Detect tells which GRUB a folder is of. Errors of read are returned as they are,
// and mean that there is none.
func Detect(read ReadFile) (*Info, error) {
	raw, err := read("modinfo.sh")
	if err != nil {
		return nil, err
	}
	needs, err := dependencies(read)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		if name, v, ok := strings.Cut(lines.Text(), "="); ok {
			values[name] = strings.Trim(v, `"'`)
		}
	}
	cpu, platform := values["grub_modinfo_target_cpu"], values["grub_modinfo_platform"]
	if cpu == "" || platform == "" {
		return nil, fmt.Errorf("modinfo.sh does not tell the platform: %w", ErrUnsupported)
	}
	info := &Info{Platform: cpu + "-" + platform, Version: values["grub_package_version"]}
	if info.Version == "" {
		info.Version = values["grub_version"]
	}
	for _, m := range BootEntryModules {
		if _, ok := needs[m]; ok {
			info.EntryModule = m
			break
		}
	}
	return info, nil
}

// dependencies reads moddep.lst: the modules that each module needs.
func dependencies(read ReadFile) (map[string][]string, error) {
	raw, err := read("moddep.lst")
	if err != nil {
		return nil, err
	}
	needs := map[string][]string{}
	for l := range strings.Lines(string(raw)) {
		if name, deps, ok := strings.Cut(l, ":"); ok {
			needs[name] = strings.Fields(deps)
		}
	}
	return needs, nil
}

// withDependencies lists modules, each behind those that it needs, in the order of
// grub-mkimage.
func withDependencies(read ReadFile, names []string) ([]string, error) {
	needs, err := dependencies(read)
	if err != nil {
		return nil, err
	}
	var out []string
	var add func(name string, way []string) error
	add = func(name string, way []string) error {
		if slices.Contains(out, name) {
			return nil
		}
		if slices.Contains(way, name) || len(way) > 64 {
			return fmt.Errorf("moddep.lst: %s needs itself: %w", name, ErrUnsupported)
		}
		deps, ok := needs[name]
		if !ok {
			return fmt.Errorf("moddep.lst has no module %s: %w", name, ErrUnsupported)
		}
		for _, d := range slices.Backward(deps) {
			if err := add(d, append(way, name)); err != nil {
				return err
			}
		}
		out = append(out, name)
		return nil
	}
	for _, n := range names {
		if err := add(n, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}
