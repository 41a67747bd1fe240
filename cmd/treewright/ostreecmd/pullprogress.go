package ostreecmd

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/treewright/treewright/pkg/ostree/pull"
)

// pullProgress keeps a line of a terminal up to date while a pull runs.
type pullProgress struct {
	w     io.Writer
	width int
	every time.Duration
	begin time.Time

	mu    sync.Mutex
	last  time.Time
	shown bool
}

// newPullProgress is nil when standard error is no terminal.
func (e *env) newPullProgress(every time.Duration) *pullProgress {
	f, ok := e.Err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	if every <= 0 {
		every = time.Second
	}
	return &pullProgress{w: f, width: width, every: every, begin: time.Now()}
}

// show draws the line, but not too often.
func (p *pullProgress) show(s pull.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.last) < p.every {
		return
	}
	p.last, p.shown = now, true
	line := []rune(progressLine(s, now.Sub(p.begin)))
	fmt.Fprintf(p.w, "\r\x1b[K%s", string(line[:min(len(line), p.width-1)]))
}

// end takes the line away.
func (p *pullProgress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// progressLine says how far a pull is.
func progressLine(s pull.Status, took time.Duration) string {
	rate := uint64(float64(s.Transferred) / max(took.Seconds(), 0.001))
	if s.Files == 0 {
		return fmt.Sprintf("Receiving metadata objects: %d/(estimating) %s/s %s", s.Scanned, formatSize(rate), formatSize(uint64(s.Transferred)))
	}
	return fmt.Sprintf("Receiving objects: %d%% (%d/%d) %s/s %s", 100*s.Done/s.Files, s.Done, s.Files, formatSize(rate), formatSize(uint64(s.Transferred)))
}
