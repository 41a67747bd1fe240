package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// Source is a repository that can be pulled from. Its methods may be called by several
// goroutines. An object or file that is not there is [ostree.ErrNotFound].
type Source interface {
	// File returns a file that is no object, such as "summary" or "refs/heads/NAME".
	// One of more than limit bytes is an error.
	File(ctx context.Context, name string, limit int64) ([]byte, error)

	// Metadata returns the bytes of an object that is no file object. The caller
	// compares them with the checksum.
	Metadata(ctx context.Context, o repo.Object) ([]byte, error)

	// Content puts a file object into a transaction, and returns the bytes that came
	// over the wire and that were written.
	Content(ctx context.Context, txn *repo.Txn, c ostree.Checksum, o repo.ImportOptions) (read, written int64, err error)
}

// Local is a repository on this machine as a source.
type Local struct{ *repo.Repo }

// File implements [Source].
func (l Local) File(_ context.Context, name string, limit int64) ([]byte, error) {
	path, err := fsutil.Join(l.Path(), name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s in %s: %w", name, filepath.Base(l.Path()), ostree.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readLimited(f, name, limit)
}

// A SizeError is a file that is larger than it may be.
type SizeError struct {
	Name  string
	Limit int64 // bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%s: more than the %d bytes that are allowed", e.Name, e.Limit)
}

func readLimited(r io.Reader, name string, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, &SizeError{name, limit}
	}
	return b, err
}

// Metadata implements [Source].
func (l Local) Metadata(_ context.Context, o repo.Object) ([]byte, error) {
	return l.ReadRaw(o.Type, o.Checksum)
}

// Content implements [Source].
func (l Local) Content(_ context.Context, txn *repo.Txn, c ostree.Checksum, o repo.ImportOptions) (read, written int64, err error) {
	written, err = txn.ImportFile(l.Repo, c, o)
	return 0, written, err
}

// isLocal tells whether what comes from a source counts as imported.
func isLocal(s Source) bool {
	_, ok := s.(Local)
	return ok
}
