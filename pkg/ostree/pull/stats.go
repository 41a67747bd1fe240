package pull

import (
	"sync"

	"github.com/treewright/treewright/pkg/ostree"
)

// stats counts what a pull does, in several goroutines.
type stats struct {
	mu     sync.Mutex
	status Status
	r      Report
}

// metadata counts an object of n bytes.
func (s *stats) metadata(local bool, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if local {
		s.r.LocalMetadata++
		return
	}
	s.r.FetchedMetadata++
	s.r.Transferred += int64(n)
}

func (s *stats) content(local bool, read, written int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r.Written += written
	if local {
		s.r.LocalContent++
		return
	}
	s.r.FetchedContent++
	s.r.Transferred += read
}

// part counts a part of a delta of n bytes.
func (s *stats) part(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r.Delta.Fetched++
	s.r.Delta.FetchedSize += uint64(n)
	s.r.Transferred += int64(n)
}

func (s *stats) report(targets []target) *Report {
	s.r.Commits = map[Ref]ostree.Checksum{}
	for _, t := range targets {
		s.r.Commits[Ref{Collection: t.Collection, Name: t.Name}] = t.commit
	}
	return &s.r
}

// tell changes the status and tells it to whoever wants to know.
func (p *puller) tell(change func(*Status)) {
	p.stats.mu.Lock()
	change(&p.stats.status)
	p.stats.status.Transferred = p.stats.r.Transferred
	now := p.stats.status
	p.stats.mu.Unlock()
	if p.o.Progress != nil {
		p.o.Progress(now)
	}
}
