package pull

import (
	"context"
	"errors"
	"fmt"
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
	f, err := fetchSummary(ctx, p.o.From)
	if err != nil {
		return err
	}
	if p.o.VerifySummary != nil {
		var raw, sig []byte
		if f != nil {
			raw, sig = f.raw, f.sig
		}
		if err := p.o.VerifySummary(raw, sig); err != nil {
			return fmt.Errorf("summary: %w", err)
		}
	}
	if f == nil {
		return nil
	}
	if f.s, err = ostree.ParseSummary(f.raw); err != nil {
		return err
	}
	p.summary = f
	return nil
}

// fetchSummary reads the summary of a source and its signatures, and does not judge
// them. It is nil when there is none.
func fetchSummary(ctx context.Context, from Source) (*summaryFile, error) {
	if s, ok := from.(interface {
		Summary(context.Context) (raw, sig []byte, err error)
	}); ok {
		raw, sig, err := s.Summary(ctx)
		if err != nil || raw == nil {
			return nil, err
		}
		return &summaryFile{raw: raw, sig: sig}, nil
	}
	sig, err := optional(from.File(ctx, "summary.sig", sigLimit))
	if err != nil {
		return nil, err
	}
	raw, err := optional(from.File(ctx, "summary", summaryLimit))
	if err != nil || raw == nil {
		return nil, err
	}
	return &summaryFile{raw: raw, sig: sig}, nil
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
