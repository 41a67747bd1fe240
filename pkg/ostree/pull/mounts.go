package pull

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree/repo"
)

// mountFolders are where a system mounts what people put in.
var mountFolders = []string{"/media/", "/run/media/", "/mnt/"}

// mountTable lists what is mounted.
const mountTable = "/proc/self/mountinfo"

// Repositories of a mounted file system: one of its own, and those that links lead to.
const (
	mountRepo  = ".ostree/repo"
	mountRepos = ".ostree/repos.d"
)

// findInMounts finds repositories on file systems that people have mounted.
func findInMounts(_ context.Context, r *repo.Repo, refs []repo.RefName) ([]place, error) {
	f, err := os.Open(mountTable)
	if err != nil {
		return nil, nil // not on every system
	}
	defer f.Close()
	var points []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		points = append(points, mountPoint(lines.Text()))
	}
	var out []place
	for _, point := range points {
		if !slices.ContainsFunc(mountFolders, func(dir string) bool { return strings.HasPrefix(point, dir) }) {
			continue
		}
		places, err := placesIn(r, point, refs)
		if err != nil {
			return nil, err
		}
		out = append(out, places...)
	}
	return out, lines.Err()
}

// mountPoint is the fifth field of a line, in which \OOO is a character.
func mountPoint(line string) string {
	fields := strings.Fields(line)
	if len(fields) < 5 {
		return ""
	}
	var b strings.Builder
	for s := fields[4]; s != ""; {
		if len(s) >= 4 && s[0] == '\\' {
			if n, err := strconv.ParseUint(s[1:4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				s = s[4:]
				continue
			}
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

// placesIn are the repositories below a mount point, once for each remote whose keys
// count for one of the refs.
func placesIn(r *repo.Repo, point string, refs []repo.RefName) ([]place, error) {
	var remotes []string
	for _, ref := range refs {
		name, ok, err := keysFor(r, ref.Collection)
		if err != nil {
			return nil, err
		}
		if ok && !slices.Contains(remotes, name) {
			remotes = append(remotes, name)
		}
	}
	candidates := []string{filepath.Join(point, mountRepo)}
	links, _ := os.ReadDir(filepath.Join(point, mountRepos)) // most have none
	for _, l := range links {
		candidates = append(candidates, filepath.Join(point, mountRepos, l.Name()))
	}
	var out []place
	seen := map[string]bool{}
	for _, c := range candidates {
		real, err := filepath.EvalSymlinks(c)
		if err != nil || seen[real] || !sameDevice(real, point) {
			continue // a link must not lead off the file system
		}
		seen[real] = true
		if _, err := repo.Open(real); err != nil {
			continue
		}
		for _, name := range remotes {
			out = append(out, place{fileURL(real), name})
		}
	}
	return out, nil
}

func sameDevice(a, b string) bool {
	var x, y unix.Stat_t
	return unix.Stat(a, &x) == nil && unix.Stat(b, &y) == nil && x.Dev == y.Dev
}
