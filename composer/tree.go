package composer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
)

// maxRead bounds what is read of a tree into memory, in bytes.
const maxRead = 64 << 20

// readNode returns the content of a file of a tree, following links; nil when there
// is none.
func readNode(root *filetree.Node, p string) ([]byte, error) {
	at, err := root.Resolve(p)
	if err != nil {
		return nil, nil
	}
	n := root.Lookup(at)
	if n == nil || n.Kind != filetree.File {
		return nil, nil
	}
	if n.Size == 0 {
		return []byte{}, nil
	}
	if n.Size > maxRead {
		return nil, fmt.Errorf("/%s: %d bytes, at most %d are read", p, n.Size, maxRead)
	}
	rc, err := n.From.Open()
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(rc, maxRead))
	return b, errors.Join(err, rc.Close())
}

// osID is the ID of a tree's os-release, or "linux".
func osID(root *filetree.Node) string {
	b, err := readNode(root, "usr/lib/os-release")
	if err != nil {
		return "linux"
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "ID="); ok {
			if v = strings.Trim(v, `"'`); v != "" {
				return v
			}
		}
	}
	return "linux"
}
