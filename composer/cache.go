package composer

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/segment"
)

// folderCache keeps results of stages as files of a folder. What was not used for a
// while goes when something is stored.
type folderCache struct {
	dir string
	now time.Time
}

// keepFor is how long a result is kept that nobody uses.
const keepFor = 30 * 24 * time.Hour

// Load returns what is kept under a key.
func (c folderCache) Load(key string) (segment.Source, int64, bool) {
	name := filepath.Join(c.dir, key)
	st, err := os.Stat(name)
	if err != nil || !st.Mode().IsRegular() {
		return nil, 0, false
	}
	if c.now.Sub(st.ModTime()) > 24*time.Hour {
		os.Chtimes(name, c.now, c.now) // it is in use; whether that can be told does not matter
	}
	return cacheFile(name), st.Size(), true
}

// Store keeps something, whole or not at all.
func (c folderCache) Store(key string, from segment.Source) error {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	c.sweep()
	return fsutil.WriteFile(filepath.Join(c.dir, key), 0o644, func(w io.Writer) error {
		rc, err := from.Open()
		if err != nil {
			return err
		}
		_, err = io.Copy(w, rc)
		return errors.Join(err, rc.Close())
	})
}

// sweep removes what is old.
func (c folderCache) sweep() {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if st, err := e.Info(); err == nil && c.now.Sub(st.ModTime()) > keepFor {
			os.Remove(filepath.Join(c.dir, e.Name()))
		}
	}
}

// cacheFile is a file of the cache.
type cacheFile string

// Open opens it.
func (f cacheFile) Open() (io.ReadCloser, error) { return os.Open(string(f)) }
