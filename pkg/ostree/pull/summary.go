package pull

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// summaryFile is a summary and the file of its signatures, nil when there is none.
type summaryFile struct {
	raw, sig []byte
	s        *ostree.Summary
}

// Limits of what is read of a source, in bytes.
const (
	summaryLimit = 128 << 20
	sigLimit     = 10 << 20
)

// loadSummary reads the summary of the source, if it has one, and has its signatures
// judged.
func (p *puller) loadSummary(ctx context.Context) error {
	f, err := fetchSummary(ctx, p.o.From, p.o.VerifySummary)
	if err != nil || f == nil {
		return err
	}
	if f.s, err = ostree.ParseSummary(f.raw); err != nil {
		return err
	}
	if m := f.s.Mode; !isLocal(p.o.From) && m != "" && m != ostree.ModeArchive {
		return &ModeError{string(m)}
	}
	p.summary = f
	return nil
}

// fetchSummary reads the summary of a source and its signatures, and has them judged.
// It is nil when there is none.
func fetchSummary(ctx context.Context, from Source, judge func(raw, sig []byte) error) (*summaryFile, error) {
	f := &summaryFile{}
	var err error
	if s, ok := from.(interface {
		Summary(context.Context, func(raw, sig []byte) error) (raw, sig []byte, err error)
	}); ok {
		f.raw, f.sig, err = s.Summary(ctx, judge)
	} else {
		err = f.read(ctx, from, judge)
	}
	if err != nil || f.raw == nil {
		return nil, err
	}
	return f, nil
}

func (f *summaryFile) read(ctx context.Context, from Source, judge func(raw, sig []byte) error) (err error) {
	if f.sig, err = optional(from.File(ctx, "summary.sig", sigLimit)); err != nil {
		return err
	}
	if f.raw, err = optional(from.File(ctx, "summary", summaryLimit)); err != nil || judge == nil {
		return err
	}
	return judge(f.raw, f.sig)
}

// optional is nil for what is not there.
func optional(b []byte, err error) ([]byte, error) {
	if errors.Is(err, ostree.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

// copyTo puts the summary and its signatures into a repository. Those of another
// summary that may be there go first.
func (f *summaryFile) copyTo(r *repo.Repo) error {
	sig := filepath.Join(r.Path(), "summary.sig")
	if err := os.Remove(sig); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := fsutil.WriteBytes(filepath.Join(r.Path(), "summary"), 0o644, f.raw); err != nil || f.sig == nil {
		return err
	}
	return fsutil.WriteBytes(sig, 0o644, f.sig)
}
