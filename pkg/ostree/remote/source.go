package remote

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// How many requests run at once.
const (
	parallelHTTP1 = 8
	parallelHTTP2 = 32
)

// Limits of what is read into memory, in bytes.
const (
	smallLimit    = 10 << 20 // of files and objects that are small by nature
	metadataLimit = ostree.MaxMetadata
)

// Source is a repository that is reached over HTTP. Its methods may be called by
// several goroutines.
type Source struct {
	o       Options
	client  *http.Client
	index   []*url.URL // bases of what tells what there is
	content []*url.URL // bases of objects and deltas
	linked  []byte     // the summary, when a metalink led here

	http2 atomic.Bool
}

// Open finds the bases of a repository. Close the source behind its use.
func Open(ctx context.Context, o Options) (*Source, error) {
	o.fill()
	s := &Source{o: o}
	var err error
	if s.client, err = s.o.client(); err != nil {
		return nil, err
	}
	if o.Metalink != "" {
		err = s.followMetalink(ctx)
	} else {
		s.index, err = s.bases(ctx, o.URL)
	}
	if err == nil {
		s.content = s.index
		if o.ContentURL != "" {
			s.content, err = s.bases(ctx, o.ContentURL)
		}
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends idle connections.
func (s *Source) Close() { s.client.CloseIdleConnections() }

// Parallel is how many requests may well run at once.
func (s *Source) Parallel() int {
	if s.http2.Load() {
		return parallelHTTP2
	}
	return parallelHTTP1
}

// File returns a file that is no object. One of more than limit bytes is a
// [*LimitError].
func (s *Source) File(ctx context.Context, name string, limit int64) ([]byte, error) {
	return s.get(ctx, s.index, name, limit)
}

// ContentFile is [Source.File] of what comes from where objects do: deltas.
func (s *Source) ContentFile(ctx context.Context, name string, limit int64) ([]byte, error) {
	return s.get(ctx, s.content, name, limit)
}

// Metadata returns the bytes of an object that is no file object.
func (s *Source) Metadata(ctx context.Context, o repo.Object) ([]byte, error) {
	bases, limit := s.content, int64(smallLimit)
	switch o.Type {
	case ostree.TypeCommitMeta:
		bases = s.index // it has signatures, and changes
	case ostree.TypeDirTree:
		limit = metadataLimit
	}
	return s.get(ctx, bases, objectName(o), limit)
}

func objectName(o repo.Object) string {
	c := o.Checksum.String()
	ext := o.Type.String()
	if o.Type == ostree.TypeFile {
		ext = "filez"
	}
	return "objects/" + c[:2] + "/" + c[2:] + "." + ext
}

// Content puts a file object into a transaction, and returns the bytes that came over
// the wire and that were written. What a mirror sends that is not the object is asked
// of the next one.
func (s *Source) Content(ctx context.Context, txn *repo.Txn, c ostree.Checksum, o repo.ImportOptions) (read, written int64, err error) {
	name := objectName(repo.Object{Type: ostree.TypeFile, Checksum: c})
	err = s.each(ctx, s.content, name, func(u *url.URL) error {
		body, err := s.open(ctx, u)
		if err != nil {
			return err
		}
		defer body.Close()
		written, err = txn.ImportArchived(c, body, o)
		read += body.read
		if body.err != nil {
			return body.err
		}
		return err
	})
	return read, written, err
}

// missing tells whether an error says that there is no such file.
func missing(err error) bool { return errors.Is(err, ostree.ErrNotFound) }
