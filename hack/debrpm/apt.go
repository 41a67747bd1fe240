package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// site is where Debian's packages come from.
type site struct {
	mirror, security string // base URLs
	suite            string // the system's own
	keyring          string
}

// systemSite reads the system's apt configuration; mirror, when not empty, takes
// the place of its mirror.
func systemSite(ctx context.Context, mirror string) (*site, error) {
	out, err := command(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI)|$(CODENAME)|$(ORIGIN)|$(LABEL)", "Created-By: Packages")
	if err != nil {
		return nil, err
	}
	s := &site{mirror: mirror, keyring: "/usr/share/keyrings/debian-archive-keyring.gpg"}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 4 || f[2] != "Debian" {
			continue
		}
		switch {
		case f[3] == "Debian-Security":
			s.security = f[0]
		case !strings.Contains(f[1], "-"):
			s.suite = f[1]
			if s.mirror == "" {
				s.mirror = f[0]
			}
		}
	}
	if s.mirror == "" {
		return nil, errors.New("the system's apt configuration names no Debian mirror: run apt-get update once, or give -mirror URL")
	}
	if s.security == "" {
		u, err := url.Parse(s.mirror)
		if err != nil {
			return nil, err
		}
		u.Path = path.Join(path.Dir(path.Clean(u.Path)), "debian-security") + "/"
		s.security = u.String()
	}
	return s, nil
}

func (s *site) source(suite string) string {
	return fmt.Sprintf("deb [signed-by=%s] %s %s main", s.keyring, s.mirror, suite)
}

func (s *site) securitySource(suite string) string {
	return fmt.Sprintf("deb [signed-by=%s] %s %s main", s.keyring, s.security, suite)
}

// archive is a downloaded package.
type archive struct {
	path  string
	alone bool // taken without what it depends on
}

// apt is a private apt state in a folder.
type apt struct{ dir string }

func newApt(dir string, sources []string) (*apt, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"lists/partial", "cache/archives/partial", "etc"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	// A mirror may be a snapshot, whose Release files are past their time; the
	// signatures are checked all the same.
	conf := fmt.Sprintf(`Dir::State "%[1]s";
Dir::State::lists "%[1]s/lists";
Dir::State::status "%[1]s/status";
Dir::Cache "%[1]s/cache";
Dir::Etc "%[1]s/etc";
Dir::Etc::sourcelist "%[1]s/etc/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferencesparts "-";
Dir::Etc::parts "-";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
APT::Get::AllowUnauthenticated "false";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::Check-Valid-Until "false";
`, dir)
	a := &apt{dir}
	return a, errors.Join(
		os.WriteFile(filepath.Join(dir, "apt.conf"), []byte(conf), 0o644),
		os.WriteFile(filepath.Join(dir, "status"), nil, 0o644),
		os.WriteFile(filepath.Join(dir, "etc/sources.list"), []byte(strings.Join(sources, "\n")+"\n"), 0o644),
	)
}

func (a *apt) get(ctx context.Context, args ...string) ([]byte, error) {
	// The configuration is read before the system's, whose folders it replaces.
	return command(ctx, "env", append([]string{"APT_CONFIG=" + filepath.Join(a.dir, "apt.conf"), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get", "-q"}, args...)...)
}

// closure downloads packages with all that they depend on and returns their paths.
func (a *apt) closure(ctx context.Context, names []string) ([]archive, error) {
	if _, err := a.get(ctx, "update"); err != nil {
		return nil, err
	}
	install := append([]string{"install", "--yes", "--no-install-recommends", "--reinstall"}, names...)
	if _, err := a.get(ctx, append([]string{"--download-only"}, install...)...); err != nil {
		return nil, err
	}
	return a.files(ctx, install)
}

// files lists the archives of an install. apt does not name those that it has, and
// the folder may hold more than the closure, so an empty one is shown to it.
func (a *apt) files(ctx context.Context, install []string) ([]archive, error) {
	empty := filepath.Join(a.dir, "empty")
	if err := os.MkdirAll(filepath.Join(empty, "partial"), 0o755); err != nil {
		return nil, err
	}
	out, err := a.get(ctx, append([]string{"-o", "Dir::Cache::archives=" + empty, "--print-uris"}, install...)...)
	if err != nil {
		return nil, err
	}
	var debs []archive
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		f := strings.Fields(s.Text()) // 'URI' FILE SIZE HASH
		if len(f) >= 3 && strings.HasPrefix(f[0], "'") && strings.HasSuffix(f[1], ".deb") {
			debs = append(debs, archive{path: filepath.Join(a.dir, "cache/archives", f[1])})
		}
	}
	slices.SortFunc(debs, func(a, b archive) int { return strings.Compare(a.path, b.path) })
	return debs, nil
}

// alone downloads packages without what they depend on.
func (a *apt) alone(ctx context.Context, names []string) ([]archive, error) {
	if _, err := a.get(ctx, "update"); err != nil {
		return nil, err
	}
	dir := filepath.Join(a.dir, "alone")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	out, err := a.get(ctx, append([]string{"--print-uris", "download"}, names...)...)
	if err != nil {
		return nil, err
	}
	var debs []archive
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		if f := strings.Fields(s.Text()); len(f) >= 3 && strings.HasSuffix(f[1], ".deb") {
			debs = append(debs, archive{filepath.Join(dir, f[1]), true})
		}
	}
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "download"}, names...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(a.dir, "apt.conf"), "LC_ALL=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("apt-get download: %w: %s", err, lastLines(out))
	}
	return debs, nil
}

// command runs a program and returns its output; an error quotes what it said.
func command(ctx context.Context, name string, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, lastLines(stderr.Bytes()))
	}
	return out, nil
}

func lastLines(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "; ")
}
