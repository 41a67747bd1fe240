package ostreecmd

import (
	"bufio"
	"time"
)

// progress shows how far a long work is, a line a second at most, the first and the
// last step always.
type progress struct {
	e     *env
	what  string
	shown time.Time
}

func (e *env) newProgress(what string) *progress { return &progress{e: e, what: what} }

func (p *progress) step(done, total int64) {
	if done != total && time.Since(p.shown) < time.Second {
		return
	}
	p.shown = time.Now()
	p.e.printf("%s (%d/%d) %d%%\n", p.what, done, total, done*100/total)
	if w, ok := p.e.Out.(*bufio.Writer); ok && done != total {
		w.Flush()
	}
}
