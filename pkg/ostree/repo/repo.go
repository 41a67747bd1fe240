// Package repo is an OSTree repository on disk, in the layout of libostree: stock
// `ostree` reads and writes the same folder.
//
// # Layout
//
//	config                          [core] repo_version=1, mode=…
//	objects/XX/REST.TYPE            XX are the first two digits of the checksum
//	refs/heads/…, refs/remotes/REMOTE/…, refs/mirrors/…
//	tmp/, state/, extensions/
//	.lock                           shared while a transaction runs
//	summary, deltas/, delta-indexes/
//
// How a file object is stored depends on the mode. archive: REST.filez, see package
// ostree. bare: the file itself, with owner, mode and attributes. bare-user: a file
// that this user owns, of mode 0644 or so, with owner, mode and attributes in the
// extended attribute user.ostreemeta; a link is a file that holds its target.
//
// # Safety
//
// A transaction writes objects into a folder of its own under tmp/, syncs the file
// system once, renames them into place, and moves refs last. A run that dies
// leaves the repository as it was, but for its folder, which the next
// transaction removes.
//
// Source: ostree 2022.7 and 2026.4 as observed; see docs/FORMATS.md.
package repo

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
)

// Repo is an open repository. Its methods may be called by several goroutines.
type Repo struct {
	path   string
	mode   ostree.Mode
	level  int // of DEFLATE in archive mode
	fsync  bool
	config map[string]string // "section.key" -> value
}

// Create makes an empty repository. One that is there already is opened, whatever
// its mode.
func Create(path string, mode ostree.Mode) (*Repo, error) {
	if _, err := os.Stat(filepath.Join(path, "objects")); err == nil {
		return Open(path)
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	conf := filepath.Join(path, "config")
	if _, err := os.Stat(conf); errors.Is(err, fs.ErrNotExist) {
		text := "[core]\nrepo_version=1\nmode=" + string(mode) + "\n"
		if err := fsutil.WriteBytes(conf, 0o644, []byte(text)); err != nil {
			return nil, err
		}
	}
	// A repository is there when objects/ is, so that comes last.
	for _, d := range []string{"tmp/cache", "extensions", "state", "refs/heads", "refs/mirrors", "refs/remotes", "objects"} {
		if err := os.MkdirAll(filepath.Join(path, d), 0o755); err != nil {
			return nil, err
		}
	}
	return Open(path)
}

// Open opens a repository. The error is [ostree.ErrNotFound] when there is none.
func Open(path string) (*Repo, error) {
	f, err := os.Open(filepath.Join(path, "config"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("repository %s: %w", path, ostree.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := &Repo{path: path, level: 6, fsync: true, config: map[string]string{}}
	section := ""
	for s := bufio.NewScanner(f); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			section = line[1 : len(line)-1]
		} else if k, v, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			r.config[section+"."+strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	if v := r.config["core.repo_version"]; v != "1" {
		return nil, fmt.Errorf("repository %s: config: repo_version is %q, only 1 is known: %w", path, v, ostree.ErrUnsupported)
	}
	if r.mode, err = ostree.ParseMode(r.config["core.mode"]); err != nil {
		return nil, fmt.Errorf("repository %s: config: %w", path, err)
	}
	if n, err := strconv.Atoi(r.config["archive.zlib-level"]); err == nil && n >= 1 && n <= 9 {
		r.level = n
	}
	r.fsync = r.config["core.fsync"] != "false"
	return r, nil
}

// Path is the repository's folder.
func (r *Repo) Path() string { return r.path }

// Mode is how objects are stored.
func (r *Repo) Mode() ostree.Mode { return r.mode }

// DisableSync makes transactions not wait for the disk: for repositories that can be
// made again.
func (r *Repo) DisableSync() { r.fsync = false }

func (r *Repo) file(elem ...string) string {
	return filepath.Join(append([]string{r.path}, elem...)...)
}

// objectName is an object's path below objects/.
func (r *Repo) objectName(t ostree.ObjectType, c ostree.Checksum) string {
	s, ext := c.String(), t.String()
	if t == ostree.TypeFile && r.mode == ostree.ModeArchive {
		ext = "filez"
	}
	return s[:2] + "/" + s[2:] + "." + ext
}

func (r *Repo) objectPath(t ostree.ObjectType, c ostree.Checksum) string {
	return r.file("objects", r.objectName(t, c))
}

// notFound gives a missing file the sentinel of package ostree, and its object's name.
func objectError(t ostree.ObjectType, c ostree.Checksum, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = ostree.ErrNotFound
	}
	return fmt.Errorf("object %s.%s: %w", c, t, err)
}
