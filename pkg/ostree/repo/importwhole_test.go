package repo_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// BenchmarkImportArchived takes objects over as a pull does: from the bytes that an
// archive has for them.
func BenchmarkImportArchived(b *testing.B) {
	const count = 64
	src, err := repo.Create(b.TempDir(), ostree.ModeArchive)
	if err != nil {
		b.Fatal(err)
	}
	src.DisableSync()
	txn, err := src.Begin(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var sums []ostree.Checksum
	var files [][]byte
	for i := range count {
		text := strings.Repeat(fmt.Sprintf("line %d of a text that is like others\n", i), 500)
		c, err := txn.WriteFile(&ostree.File{Mode: 0o100644, Size: int64(len(text))}, strings.NewReader(text))
		if err != nil {
			b.Fatal(err)
		}
		sums = append(sums, c)
		b.SetBytes(int64(count * len(text)))
	}
	if err := txn.Commit(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, c := range sums {
		name := c.String()
		raw, err := os.ReadFile(filepath.Join(src.Path(), "objects", name[:2], name[2:]+".filez"))
		if err != nil {
			b.Fatal(err)
		}
		files = append(files, raw)
	}
	for _, mode := range []ostree.Mode{ostree.ModeArchive, ostree.ModeBareUserOnly} {
		b.Run(string(mode), func(b *testing.B) {
			dst, err := repo.Create(b.TempDir(), mode)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				txn, err := dst.Begin(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				for i, c := range sums {
					if _, err := txn.ImportArchived(c, bytes.NewReader(files[i]), repo.ImportOptions{}); err != nil {
						b.Fatal(err)
					}
				}
				if err := txn.Abort(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
