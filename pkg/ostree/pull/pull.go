package pull

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// Options tell what to pull.
type Options struct {
	From Source
	To   *repo.Repo

	// Refs are those asked for. None: all of the summary when Mirror is set, else an
	// error.
	Refs []Ref

	// Remote is the name that refs are filed under; "": they become refs of To itself.
	Remote string
	// Mirror makes them refs of To itself whatever Remote is: those with a collection
	// in refs/mirrors, unless it is To's own. Without Refs, the summary comes along.
	Mirror bool

	Depth      int      // parents to fetch as well; -1: all
	CommitOnly bool     // no trees
	Subpaths   []string // only these folders and files of trees; empty: everything

	Deltas DeltaUse // whether static deltas are used
	// DryRun only finds out what there is to fetch. It needs DeltasRequired.
	DryRun bool

	Import repo.ImportOptions
	Caches []*repo.Repo // asked for objects before From

	// NoBindings accepts commits that are bound to other refs. Collection is the
	// collection ID that the refs belong to and commits must be bound to, or "".
	NoBindings bool
	Collection string

	// NotOlder refuses a commit that is older than the one the ref is at. NotOlderThan
	// names another commit to compare with.
	NotOlder     bool
	NotOlderThan *ostree.Checksum

	// VerifyCommit and VerifySummary judge signatures; nil: nobody does. sig is nil
	// when there is none.
	VerifyCommit  func(c ostree.Checksum, raw []byte, detached ostree.Metadata) error
	VerifySummary func(raw, sig []byte) error

	Workers int // objects fetched at once; 0: what suits the source

	// Progress hears of each stage and of what it has done; nil: nobody does.
	Progress func(Status)
}

// Status is how far a pull is.
type Status struct {
	Scanned     int   // metadata objects
	Files, Done int   // file objects to fetch, and of these done
	Transferred int64 // bytes
}

// Ref is something to pull: a ref, a commit as a ref, or a commit alone.
type Ref struct {
	Collection string           // "": that of the remote
	Name       string           // "": the commit is asked for, but no ref
	Commit     *ostree.Checksum // nil: where the ref is
}

// Report is what a pull did.
type Report struct {
	Commits map[Ref]ostree.Checksum // by ref as it was asked for, without Commit

	FetchedMetadata, FetchedContent int // objects, from afar
	LocalMetadata, LocalContent     int // objects, from repositories on this machine
	Transferred                     int64
	Written                         int64 // bytes of content
	Delta                           DeltaReport
}

// flushEvery is how much time of work a kill may cost.
var flushEvery = 10 * time.Second

// Run pulls. The error wraps [ostree.ErrNotFound], [ostree.ErrCorrupt] where these
// apply, or is one of this package's types.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	if o.DryRun && o.Deltas != DeltasRequired {
		return nil, errNoDryRun
	}
	p := &puller{o: o, seen: map[repo.Object]bool{}, offers: map[ostree.Checksum]*offer{}}
	if p.paths, err = splitPaths(o.Subpaths); err != nil {
		return nil, err
	}
	targets, err := p.resolve(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.findDeltas(ctx, targets); err != nil {
		return nil, err
	}
	if o.DryRun {
		return p.stats.report(targets), nil
	}
	p.fillWorkers()
	if p.txn, err = o.To.Begin(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.txn.Abort()) }()
	if err := p.fetch(ctx, targets); err != nil {
		return nil, errors.Join(err, p.txn.Flush())
	}
	if err := p.finish(ctx, targets); err != nil {
		return nil, err
	}
	return p.stats.report(targets), nil
}

// fillWorkers asks the source how much it can do at once. It may know more than before
// its first answer.
func (p *puller) fillWorkers() {
	if p.o.Workers > 0 {
		return
	}
	p.o.Workers = runtime.GOMAXPROCS(0)
	if n, ok := p.o.From.(interface{ Parallel() int }); ok {
		p.o.Workers = n.Parallel()
	}
}

// puller is one pull.
type puller struct {
	o     Options
	txn   *repo.Txn
	paths [][]string
	stats stats

	summary *summaryFile // nil: there is none, or nobody wanted it
	indexed bool         // the source's configuration says that it has delta indexes
	offers  map[ostree.Checksum]*offer

	whole   []ostree.Checksum // commits that this pull makes whole
	partial []ostree.Checksum // and those of which it fetches a part

	seen  map[repo.Object]bool // what was walked
	files []ostree.Checksum    // to fetch
}

// fetch gets all objects into the transaction.
func (p *puller) fetch(ctx context.Context, targets []target) error {
	roots, err := p.commits(ctx, targets)
	if err != nil {
		return err
	}
	if err := p.applyDeltas(ctx); err != nil {
		return err
	}
	stop := p.flushNowAndThen()
	defer stop()
	if err := p.walk(ctx, roots); err != nil {
		return err
	}
	return p.content(ctx)
}

// flushNowAndThen lets what was fetched outlive a kill.
func (p *puller) flushNowAndThen() (stop func()) {
	tick, done, ended := time.NewTicker(flushEvery), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				_ = p.txn.Flush() // an error comes again at the end
			}
		}
	}()
	return func() {
		tick.Stop()
		close(done)
		<-ended
	}
}

// finish makes everything visible.
func (p *puller) finish(ctx context.Context, targets []target) error {
	for _, c := range p.partial {
		if err := p.o.To.MarkPartial(c); err != nil {
			return fmt.Errorf("commit %s: %w", c, err)
		}
	}
	for _, t := range targets {
		if t.Name != "" {
			p.setRef(t)
		}
	}
	if err := p.txn.Commit(ctx); err != nil {
		return err
	}
	for _, c := range p.whole {
		if err := p.o.To.ClearPartial(c); err != nil {
			return fmt.Errorf("commit %s: %w", c, err)
		}
	}
	if p.o.Mirror && len(p.o.Refs) == 0 {
		return p.summary.copyTo(p.o.To)
	}
	return nil
}

// setRef points the ref that a target is filed under to its commit.
func (p *puller) setRef(t target) {
	if !p.o.Mirror {
		p.txn.SetRef(p.filed(t.Ref), t.commit)
	} else {
		p.txn.SetCollectionRef(repo.RefName{Collection: t.Collection, Name: t.Name}, t.commit)
	}
}

// filed is the name that a ref has in this repository, when it is no mirror.
func (p *puller) filed(r Ref) string {
	if p.o.Remote == "" || p.o.Mirror {
		return r.Name
	}
	return p.o.Remote + ":" + r.Name
}
