package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/treewright/treewright/composer"
)

// newProgress returns the renderer that kind asks for: "auto" rewrites one line
// in place on a terminal and is "plain" elsewhere, a line a stage.
func newProgress(kind string, w io.Writer) (composer.Progress, error) {
	switch kind {
	case "none":
		return nil, nil
	case "plain":
		return &plainProgress{w: w}, nil
	case "auto":
		if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			return &lineProgress{w: w, fd: int(f.Fd())}, nil
		}
		return &plainProgress{w: w}, nil
	}
	return nil, usagef("--progress %q: want auto, plain or none", kind)
}

// plainProgress prints a line when a stage begins.
type plainProgress struct {
	mu   sync.Mutex
	w    io.Writer
	name string
}

func (p *plainProgress) Step(name string, done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if name != p.name && name != "" {
		fmt.Fprintf(p.w, "treewright: %s\n", name)
	}
	p.name = name
}

// lineProgress keeps one line of a terminal up to date.
type lineProgress struct {
	mu    sync.Mutex
	w     io.Writer
	fd    int
	name  string
	last  time.Time
	shown bool
}

func (p *lineProgress) Step(name string, done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if name == p.name && done < total && now.Sub(p.last) < 100*time.Millisecond {
		return
	}
	if name == "" {
		if p.shown {
			fmt.Fprint(p.w, "\r\x1b[K")
		}
		p.shown, p.name = false, ""
		return
	}
	line := name
	if total > 0 {
		line = fmt.Sprintf("%s  %d%% (%d of %d)", name, 100*min(done, total)/total, done, total)
	}
	if width, _, err := term.GetSize(p.fd); err == nil && len(line) >= width {
		line = line[:max(0, width-1)]
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", line)
	p.name, p.last, p.shown = name, now, true
}
