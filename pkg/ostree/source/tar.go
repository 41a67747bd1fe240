package source

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

// openArchive finds out what an archive is. The result gives its entries, and io.EOF
// behind the last.
func openArchive(r io.Reader) (func() (*entry, error), error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(512)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("0707")):
		return (&cpioReader{r: br}).next, nil
	case len(head) == 0 || len(head) == 512 && isTar(head):
		return tarEntries(tar.NewReader(br)), nil
	}
	return nil, ErrFormat
}

// isTar tells whether a block begins a tar archive: it is empty, or its checksum fits.
func isTar(b []byte) bool {
	if bytes.Equal(b, make([]byte, 512)) {
		return true
	}
	_, err := tar.NewReader(bytes.NewReader(b)).Next()
	return err == nil || !errors.Is(err, tar.ErrHeader)
}

func tarEntries(r *tar.Reader) func() (*entry, error) {
	return func() (*entry, error) {
		for {
			h, err := r.Next()
			if err == io.EOF {
				return nil, io.EOF
			}
			if err != nil {
				return nil, truncated(err)
			}
			if h.Typeflag != tar.TypeXGlobalHeader {
				return tarEntry(h, r)
			}
		}
	}
}

func tarEntry(h *tar.Header, body io.Reader) (*entry, error) {
	e := &entry{path: h.Name, body: tarBody{body}}
	if h.Uid < 0 || h.Uid > math.MaxUint32 || h.Gid < 0 || h.Gid > math.MaxUint32 {
		return nil, fmt.Errorf("archive entry %q: owner %d:%d: %w", h.Name, h.Uid, h.Gid, ostree.ErrUnsupported)
	}
	n := &filetree.Node{Mode: uint32(h.Mode) & 0o7777, UID: uint32(h.Uid), GID: uint32(h.Gid)}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont:
		n.Kind, n.Size = filetree.File, h.Size
	case tar.TypeLink:
		n.Kind, e.link = filetree.File, h.Linkname
	case tar.TypeSymlink:
		n.Kind, n.Target, n.Mode = filetree.Symlink, h.Linkname, 0o777
	case tar.TypeDir:
		n.Kind = filetree.Dir
	default:
		return e, nil
	}
	var err error
	n.Xattrs, err = paxXattrs(h.PAXRecords)
	e.node = n
	return e, err
}

// tarBody gives the package's errors.
type tarBody struct{ r io.Reader }

func (b tarBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = ErrTruncated
	}
	return n, err
}

// paxXattrs are the extended attributes in a header, sorted by name.
func paxXattrs(records map[string]string) ([]filetree.Xattr, error) {
	found := map[string][]byte{}
	for key, value := range records {
		if name, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
			found[name] = []byte(value)
			continue
		}
		if name, ok := strings.CutPrefix(key, "LIBARCHIVE.xattr."); ok {
			plain, err := url.PathUnescape(name)
			b, err64 := base64.StdEncoding.WithPadding(base64.NoPadding).DecodeString(strings.TrimRight(value, "="))
			if err := errors.Join(err, err64); err != nil {
				return nil, fmt.Errorf("archive: extended attribute %s: %w", name, err)
			}
			found[plain] = b
		}
	}
	var out []filetree.Xattr
	for _, name := range slices.Sorted(maps.Keys(found)) {
		out = append(out, filetree.Xattr{Name: name, Value: found[name]})
	}
	return out, nil
}
