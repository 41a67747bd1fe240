package pull

import (
	"context"
	"fmt"

	"github.com/treewright/treewright/pkg/keyfile"
	"github.com/treewright/treewright/pkg/ostree"
)

// configLimit is the largest configuration of a source, in bytes.
const configLimit = 10 << 20

// A ModeError is a source whose mode keeps it from being pulled from afar.
type ModeError struct{ Mode string }

func (e *ModeError) Error() string {
	return fmt.Sprintf("the repository is of mode %q, only %q can be pulled from afar: %v", e.Mode, ostree.ModeArchive, ostree.ErrUnsupported)
}

func (e *ModeError) Unwrap() error { return ostree.ErrUnsupported }

// checkConfig looks at the configuration of a source that no summary tells of.
func (p *puller) checkConfig(ctx context.Context) error {
	if l, ok := p.o.From.(Local); ok {
		p.setIndexed(l.Config())
		return nil
	}
	b, err := p.o.From.File(ctx, "config", configLimit)
	if err != nil {
		return err
	}
	f, err := keyfile.Parse(b)
	if err != nil {
		return fmt.Errorf("config of the source: %w", err)
	}
	mode, _ := f.Get("core", "mode")
	if m, err := ostree.ParseMode(mode); err != nil || m != ostree.ModeArchive {
		return &ModeError{mode}
	}
	p.setIndexed(f)
	return nil
}

func (p *puller) setIndexed(f *keyfile.File) {
	indexed, _ := f.Get("core", "indexed-deltas")
	p.indexed = indexed == "true"
}
