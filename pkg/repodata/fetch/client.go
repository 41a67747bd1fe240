// Package fetch loads RPM repositories and packages: from URLs, file:// URLs and
// plain folders, verified by size and checksum, through a cache. The HTTP client
// is here.
//
// The cache holds metadata and packages by checksum, so that several composes share
// it, also at the same time, and one that has been loaded is never loaded again:
//
//	metadata/HEX              a metadata file
//	parsed/HEX                packages of primary metadata, in packed form
//	parsed/HEX.files          which packages have files, of filelists metadata
//	repomd/ID-HASH.json       the newest index of a repository, for runs offline
//	keys/HEX                  keys of gpgkey=
//	rpms/XX/HEX.rpm           a package
//	….part                    what is being downloaded, or was when a run ended
package fetch

import (
	"errors"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/treewright/treewright/pkg/repodata"
)

// What a caller can tell apart with errors.Is.
var (
	ErrNotFound  = errors.New("not found")
	ErrOffline   = errors.New("not in the cache, and the run is offline")
	ErrSignature = errors.New("signature is not good")
)

// Progress is told how far a step is.
type Progress interface {
	Step(name string, done, total int64)
}

// Client loads repositories and packages.
type Client struct {
	Cache    string             // folder; required
	HTTP     *http.Client       // nil: one for each repository, as its options say
	Offline  bool               // use only what the cache holds, and local folders
	Workers  int                // downloads at once; 0: 4, or the number of cores
	Time     time.Time          // at which signatures and keys must be good
	Log      logrus.FieldLogger // nil discards
	Progress Progress           // nil reports nothing

	// MaxOpenSize bounds decompressed metadata, in bytes; 0: 4 GiB.
	MaxOpenSize int64
	// Pause is how long to wait before the second try; the next ones wait twice as long
	// as the one before. 0: half a second.
	Pause time.Duration

	mu      sync.Mutex
	remotes map[string]*remote
	parsing sync.Mutex // one repository at a time, for the memory that it takes
}

// remote is a repository that is being read: where it is, and how to get there.
type remote struct {
	cfg   repodata.RepoConfig
	http  *http.Client
	bases []string         // the one that answered first, then the others
	index *repodata.Repomd // nil: none was read
}

const (
	defaultRetries = 4
	defaultPause   = 500 * time.Millisecond
	defaultTimeout = 30 * time.Second
	defaultOpen    = 4 << 30
)

func (c *Client) workers() int {
	if c.Workers > 0 {
		return c.Workers
	}
	return max(4, runtime.GOMAXPROCS(0))
}

func (c *Client) step(name string, done, total int64) {
	if c.Progress != nil {
		c.Progress.Step(name, done, total)
	}
}

func (c *Client) log() logrus.FieldLogger {
	if c.Log != nil {
		return c.Log
	}
	l := logrus.New()
	l.SetLevel(logrus.PanicLevel)
	return l
}

// remote is the state of a repository, which lasts as long as the Client.
func (c *Client) remote(cfg repodata.RepoConfig) (*remote, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.remotes[cfg.ID]; r != nil && reflect.DeepEqual(r.cfg, cfg) {
		return r, nil
	}
	r := &remote{cfg: cfg, http: c.HTTP}
	if r.http == nil {
		var err error
		if r.http, err = newHTTP(cfg); err != nil {
			return nil, err
		}
	}
	if c.remotes == nil {
		c.remotes = map[string]*remote{}
	}
	c.remotes[cfg.ID] = r
	return r, nil
}

// of is the state of the repository of a package.
func (c *Client) of(p *repodata.Package) *remote {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remotes[p.Repo.ID]
}

// places lists where a file of the repository may be had.
func (r *remote) places(location string) []string {
	out := make([]string, len(r.bases))
	for i, b := range r.bases {
		out[i] = join(b, location)
	}
	return out
}

// prefer puts a base in front.
func (r *remote) prefer(base string) {
	r.bases = slices.DeleteFunc(r.bases, func(b string) bool { return b == base })
	r.bases = append([]string{base}, r.bases...)
}

// isLocal tells whether base is a folder, and its path.
func isLocal(base string) (string, bool) {
	if p, ok := strings.CutPrefix(base, "file://"); ok {
		return p, true
	}
	return base, !strings.Contains(base, "://")
}

// join puts a place below a base URL or folder.
func join(base, place string) string {
	return strings.TrimRight(base, "/") + "/" + strings.TrimLeft(place, "/")
}
