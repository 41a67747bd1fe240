package composer

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/delta"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// DeltaReport is a static delta.
type DeltaReport struct {
	From      string `json:"from,omitempty"` // "" from nothing
	To        string `json:"to"`
	Path      string `json:"path"`
	Parts     int    `json:"parts"`
	Fallbacks int    `json:"fallbacks"`
	Size      int64  `json:"size"`          // bytes of superblock and parts
	Fetched   int64  `json:"fallback-size"` // bytes of objects that are fetched whole
}

// makeDeltas writes the deltas to a commit from its n nearest ancestors, and from
// nothing when empty is set. One that is there already is kept.
func (c *Config) makeDeltas(ctx context.Context, r *repo.Repo, to ostree.Checksum, n int, empty bool) ([]DeltaReport, error) {
	var out []DeltaReport
	var from []*ostree.Checksum
	at := to
	for range n {
		commit, err := r.ReadCommit(at)
		if err != nil {
			return nil, err
		}
		if commit.Parent == nil {
			break
		}
		if ok, err := r.Has(ostree.TypeCommit, *commit.Parent); err != nil || !ok {
			if err != nil {
				return nil, err
			}
			break
		}
		from = append(from, commit.Parent)
		at = *commit.Parent
	}
	if empty {
		from = append(from, nil)
	}
	for _, f := range from {
		d, err := c.makeDelta(ctx, r, f, to)
		if err != nil {
			return nil, err
		}
		out = append(out, *d)
	}
	return out, nil
}

func (c *Config) makeDelta(ctx context.Context, r *repo.Repo, from *ostree.Checksum, to ostree.Checksum) (*DeltaReport, error) {
	report := &DeltaReport{To: to.String(), Path: filepath.Join(r.Path(), delta.Dir(from, to))}
	if from != nil {
		report.From = from.String()
	}
	b, err := os.ReadFile(filepath.Join(report.Path, "superblock"))
	if err == nil {
		sb, err := delta.ParseSuperblock(b)
		if err != nil {
			return nil, err
		}
		report.Parts, report.Fallbacks, report.Size = len(sb.Parts), len(sb.Fallbacks), int64(len(b))
		for _, p := range sb.Parts {
			report.Size += int64(p.Size)
		}
		for _, f := range sb.Fallbacks {
			report.Fetched += int64(f.Size)
		}
		return report, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	commit, err := r.ReadCommit(to)
	if err != nil {
		return nil, err
	}
	d, err := delta.Generate(ctx, r, r.Path(), delta.Options{
		From: from, To: to, Time: int64(commit.Timestamp),
		Progress: func(done, total int64) { c.Progress.Step("making the delta", done, total) },
	})
	if err != nil {
		return nil, err
	}
	report.Parts, report.Fallbacks, report.Size, report.Fetched = d.Parts, d.Fallbacks, d.Size, d.Fetched
	return report, nil
}
