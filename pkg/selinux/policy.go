package selinux

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Policy is what a root's policy says about files.
type Policy struct {
	*Contexts
	Name     string // SELINUXTYPE
	Checksum string // SHA-256 in hex of the newest policy/policy.NN
}

// maxFile is the largest file of a policy that is read.
const maxFile = 64 << 20

// Load reads the policy of a root: that of etc/selinux, or of usr/etc/selinux when
// there is no etc/selinux.
//
// The error wraps [ErrNoPolicy] when the root has none or it is disabled, and what
// [ParseContexts] returns when it is broken.
func Load(root fs.FS) (*Policy, error) {
	dir := "etc/selinux"
	if _, err := fs.Stat(root, dir); err != nil {
		dir = "usr/etc/selinux"
	}
	config, err := readFile(root, path.Join(dir, "config"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no etc/selinux/config: %w", ErrNoPolicy)
	}
	if err != nil {
		return nil, err
	}
	name, enabled := parseConfig(string(config))
	if !enabled {
		return nil, fmt.Errorf("%s/config has SELINUX neither enforcing nor permissive: %w", dir, ErrNoPolicy)
	}
	if name == "" || name == ".." || strings.Contains(name, "/") {
		return nil, fmt.Errorf("%s/config: SELINUXTYPE=%q: want the name of a policy: %w", dir, name, ErrMalformed)
	}
	dir = path.Join(dir, name)
	p := &Policy{Name: name}
	if p.Contexts, err = loadContexts(root, path.Join(dir, "contexts/files")); err == nil {
		p.Checksum, err = policyChecksum(root, path.Join(dir, "policy"))
	}
	if err != nil {
		return nil, fmt.Errorf("SELinux policy %s: %w", name, err)
	}
	if _, ok := p.Label("/", typeNames["-d"]); !ok {
		return nil, fmt.Errorf("SELinux policy %s: no context for /: %w", name, ErrMalformed)
	}
	return p, nil
}

// parseConfig reads the file config. The last line of a kind counts, but what a line
// has turned on stays on, as libostree reads it.
func parseConfig(text string) (name string, enabled bool) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "SELINUXTYPE="); ok {
			name = strings.TrimFunc(value, isSpace)
		} else if value, ok := strings.CutPrefix(line, "SELINUX="); ok {
			value = strings.ToLower(value)
			enabled = enabled || strings.HasPrefix(value, "enforcing") || strings.HasPrefix(value, "permissive")
		}
	}
	return name, enabled
}

func loadContexts(root fs.FS, dir string) (*Contexts, error) {
	var t Texts
	for suffix, to := range map[string]*[]byte{
		"": &t.Contexts, ".homedirs": &t.Homedirs, ".local": &t.Local, ".subs_dist": &t.SubsDist, ".subs": &t.Subs,
	} {
		b, err := readFile(root, path.Join(dir, "file_contexts"+suffix))
		if err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
		*to = b
	}
	return ParseContexts(t)
}

// policyChecksum is the checksum of the file policy.NN with the highest number, the
// one that a kernel is given.
func policyChecksum(root fs.FS, dir string) (string, error) {
	entries, err := fs.ReadDir(root, dir)
	if err != nil {
		return "", err
	}
	best, name := -1, ""
	for _, e := range entries {
		suffix, ok := strings.CutPrefix(e.Name(), "policy.")
		if n, err := strconv.Atoi(suffix); ok && err == nil && n > best {
			best, name = n, e.Name()
		}
	}
	if name == "" {
		return "", fmt.Errorf("there is no %s/policy.NN: %w", dir, ErrMalformed)
	}
	b, err := readFile(root, path.Join(dir, name))
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), err
}

func readFile(root fs.FS, name string) ([]byte, error) {
	if st, err := fs.Stat(root, name); err != nil || !st.Mode().IsRegular() {
		return nil, cmp.Or(err, fmt.Errorf("%s is no regular file: %w", name, ErrMalformed))
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes: %w", name, maxFile, ErrUnsupported)
	}
	return b, err
}
