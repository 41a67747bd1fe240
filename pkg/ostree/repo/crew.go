package repo

import (
	"context"
	"sync"
)

// crew runs jobs that make more jobs, on several goroutines. The newest job goes
// first: a tree is then walked in depth, and few of its folders are open at a time.
type crew struct {
	mu   sync.Mutex
	more *sync.Cond
	jobs []func() error
	busy int   // jobs that run
	err  error // of the first job that failed; no job starts behind it
}

func newCrew() *crew {
	w := &crew{}
	w.more = sync.NewCond(&w.mu)
	return w
}

// add adds jobs; the last one is done first.
func (w *crew) add(jobs ...func() error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs = append(w.jobs, jobs...)
	if len(jobs) == 1 {
		w.more.Signal()
	} else if len(jobs) > 1 {
		w.more.Broadcast()
	}
}

// run does the jobs, n at once, until there are none left, and returns the error of
// the first one that failed.
func (w *crew) run(ctx context.Context, n int) error {
	var wait sync.WaitGroup
	for range n {
		wait.Go(func() { w.work(ctx) })
	}
	wait.Wait()
	return w.err
}

func (w *crew) work(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.jobs) == 0 && w.busy > 0 && w.err == nil {
			w.more.Wait()
		}
		if len(w.jobs) == 0 || w.err != nil {
			w.more.Broadcast()
			return
		}
		job := w.jobs[len(w.jobs)-1]
		w.jobs = w.jobs[:len(w.jobs)-1]
		w.busy++
		w.mu.Unlock()
		err := context.Cause(ctx)
		if err == nil {
			err = job()
		}
		w.mu.Lock()
		w.busy--
		if err != nil && w.err == nil {
			w.err = err
		}
		if w.busy == 0 || w.err != nil {
			w.more.Broadcast()
		}
	}
}
