// Package composer is the pipeline: a treefile goes in at the top, and an OSTree
// commit, disk images, static deltas and a build record come out. One file holds
// one stage, in this order:
//
//	resolve.go    treefile + RPM repositories -> the packages to install
//	fetch.go      packages -> content in the build repository, one record each
//	assemble.go   records -> file tree
//	commit.go     file tree -> commit in the published repository
//	image.go      commit -> disk images
//	delta.go      two commits -> static delta
//	record.go     all of it -> builds/ID/
//
// [Compose] is the part up to the commit, [Build] is all of it. This is the only
// package where the stages meet; no stage imports the next one.
package composer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/rootfs/sandbox"
)

// What a caller can tell apart with errors.Is.
var (
	ErrNotFound   = ostree.ErrNotFound
	ErrCorrupt    = ostree.ErrCorrupt
	ErrUnsolvable = errors.New("no solution")
	ErrLockStale  = errors.New("the lockfile does not fit")
)

// Progress is told how far a long step is. name is shown to people; total is 0
// when it is not known. An empty name ends the display.
type Progress interface {
	Step(name string, done, total int64)
}

// Config is what all operations share.
type Config struct {
	Workdir string // holds cache/, repo/ and builds/; empty: "."
	Repo    string // the published OSTree repository; empty: Workdir/repo
	Arch    string // basearch to build for; empty: this machine's
	Offline bool   // use only what the cache holds

	// Time is the time of the commit and of the build record. TimeFixed tells
	// that it was asked for (SOURCE_DATE_EPOCH), not read off the clock.
	Time      time.Time
	TimeFixed bool

	Log      logrus.FieldLogger // events worth keeping; nil discards them
	Progress Progress           // nil reports nothing
	Usage    func() Usage       // tells what the process has used; nil measures nothing
}

// Usage is what a process has used so far.
type Usage struct {
	Clock     time.Time
	CPU       time.Duration // also of the processes that it started
	PeakBytes int64         // memory, since the last reading
}

type noProgress struct{}

func (noProgress) Step(string, int64, int64) {}

// fill sets the defaults.
func (c *Config) fill() error {
	if c.Workdir == "" {
		c.Workdir = "."
	}
	if c.Repo == "" {
		c.Repo = filepath.Join(c.Workdir, "repo")
	}
	if c.Arch == "" {
		c.Arch = hostArch()
	}
	if c.Time.IsZero() {
		return errors.New("composer: Config.Time is not set")
	}
	c.Time = c.Time.UTC().Truncate(time.Second)
	if c.Log == nil {
		l := logrus.New()
		l.SetLevel(logrus.PanicLevel)
		c.Log = l
	}
	if c.Progress == nil {
		c.Progress = noProgress{}
	}
	if c.Usage == nil {
		c.Usage = func() Usage { return Usage{} }
	}
	return nil
}

// hostArch is this machine's basearch, as rpm-md spells it.
func hostArch() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	case "386":
		return "i386"
	}
	return runtime.GOARCH
}

func (c *Config) cacheDir(name string) string { return filepath.Join(c.Workdir, "cache", name) }

// InitSandbox must be called first in main: in the process that a sandbox starts
// it sets up the namespaces, runs the command and does not return.
func InitSandbox() { sandbox.Init() }

// lockWorkdir keeps a second run out of the workdir until the returned function is
// called.
func (c *Config) lockWorkdir(ctx context.Context) (unlock func(), err error) {
	dir := filepath.Join(c.Workdir, "cache")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		busy, err := fsutil.TryLock(f)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if !busy {
			return func() { f.Close() }, nil
		}
		if !told {
			c.Progress.Step("waiting for another run in "+c.Workdir, 0, 0)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
