package repo_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// put writes one file object into a new repository and returns the object's file.
func put(t *testing.T, mode ostree.Mode, h *ostree.File, content string) (*repo.Repo, ostree.Checksum, string) {
	t.Helper()
	r, err := repo.Create(t.TempDir(), mode)
	if err != nil {
		t.Fatal(err)
	}
	txn, err := r.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.Size = int64(len(content))
	c, err := txn.WriteFile(h, bytes.NewReader([]byte(content)))
	if err != nil {
		t.Fatal(err)
	}
	if err := txn.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(r.Path(), "objects/*/*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("objects: %q, %v", names, err)
	}
	return r, c, names[0]
}

// take imports a file object into a new repository.
func take(t *testing.T, mode ostree.Mode, src *repo.Repo, c ostree.Checksum, o repo.ImportOptions) (*repo.Repo, error) {
	t.Helper()
	r, err := repo.Create(t.TempDir(), mode)
	if err != nil {
		t.Fatal(err)
	}
	txn, err := r.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := txn.ImportFile(src, c, o); err != nil {
		return r, errors.Join(err, txn.Abort())
	}
	return r, txn.Commit(t.Context())
}

// Each mode takes each other's objects over, and what comes out has the checksum. Where
// the file is the same it is shared.
func TestImportModes(t *testing.T) {
	modes := []ostree.Mode{ostree.ModeArchive, ostree.ModeBareUser, ostree.ModeBareUserOnly}
	for _, from := range modes {
		for _, to := range modes {
			for _, trust := range []bool{false, true} {
				src, c, name := put(t, from, &ostree.File{Mode: 0o100644}, "content of a file")
				dst, err := take(t, to, src, c, repo.ImportOptions{Trust: trust})
				if err != nil {
					t.Fatalf("%s to %s: %v", from, to, err)
				}
				if err := dst.VerifyFile(c); err != nil {
					t.Errorf("%s to %s: %v", from, to, err)
				}
				got, _ := filepath.Glob(filepath.Join(dst.Path(), "objects/*/*"))
				a, errA := os.Stat(name)
				b, errB := os.Stat(got[0])
				if errA != nil || errB != nil || os.SameFile(a, b) != (from == to || from == ostree.ModeBareUser && to == ostree.ModeBareUserOnly) {
					t.Errorf("%s to %s: hard link is %v; %v, %v", from, to, os.SameFile(a, b), errA, errB)
				}
			}
		}
	}
}

// A damaged object is refused, and nothing of it stays; one that is trusted comes as
// it is.
func TestImportCorrupt(t *testing.T) {
	for _, from := range []ostree.Mode{ostree.ModeArchive, ostree.ModeBareUserOnly} {
		src, c, name := put(t, from, &ostree.File{Mode: 0o100644}, "content")
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)-2] ^= 1
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, to := range []ostree.Mode{ostree.ModeArchive, ostree.ModeBareUser, ostree.ModeBareUserOnly} {
			dst, err := take(t, to, src, c, repo.ImportOptions{})
			if !errors.Is(err, ostree.ErrCorrupt) {
				t.Errorf("%s to %s: %v, want corrupt", from, to, err)
			}
			if left, _ := filepath.Glob(filepath.Join(dst.Path(), "objects/*/*")); left != nil {
				t.Errorf("%s to %s: left %q", from, to, left)
			}
		}
	}
}

func TestImportUserOnly(t *testing.T) {
	src, c, _ := put(t, ostree.ModeArchive, &ostree.File{Mode: 0o104755}, "x")
	_, err := take(t, ostree.ModeArchive, src, c, repo.ImportOptions{UserOnly: true})
	var mode *repo.ModeError
	if !errors.As(err, &mode) || mode.Bits() != 0o4000 {
		t.Errorf("set-user-ID: %v, want bits 04000", err)
	}
}

// What was flushed outlives the transaction, and is not written again.
func TestFlush(t *testing.T) {
	src, c, _ := put(t, ostree.ModeArchive, &ostree.File{Mode: 0o100644}, "x")
	dst, err := repo.Create(t.TempDir(), ostree.ModeArchive)
	if err != nil {
		t.Fatal(err)
	}
	txn, err := dst.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := txn.ImportFile(src, c, repo.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(txn.Flush(), txn.Abort()); err != nil {
		t.Fatal(err)
	}
	if err := dst.VerifyFile(c); err != nil {
		t.Error(err)
	}
}

func TestPartial(t *testing.T) {
	r, c, _ := put(t, ostree.ModeArchive, &ostree.File{Mode: 0o100644}, "x")
	for range 2 {
		if err := r.MarkPartial(c); err != nil {
			t.Fatal(err)
		}
	}
	if marked, err := r.Partial(c); err != nil || !marked {
		t.Errorf("Partial = %v, %v", marked, err)
	}
	for range 2 {
		if err := r.ClearPartial(c); err != nil {
			t.Fatal(err)
		}
	}
	if marked, err := r.Partial(c); err != nil || marked {
		t.Errorf("Partial = %v, %v behind ClearPartial", marked, err)
	}
}

// A metadata object is the same in all modes, so that two repositories share the file.
func TestLinkMetadata(t *testing.T) {
	src := create(t, ostree.ModeBareUser)
	c := write(t, src, richTree(t))
	dst := create(t, ostree.ModeArchive)
	raw, err := src.ReadObject(ostree.TypeCommit, c)
	if err != nil {
		t.Fatal(err)
	}
	txn, err := dst.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer txn.Abort()
	o := repo.Object{Type: ostree.TypeCommit, Checksum: c}
	var bad *repo.MismatchError
	if err := txn.LinkMetadata(src, o, append(raw, 0), repo.ImportOptions{}); !errors.As(err, &bad) {
		t.Errorf("bytes with another checksum: %v", err)
	}
	for range 2 {
		if err := txn.LinkMetadata(src, o, raw, repo.ImportOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := txn.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	var files [2]os.FileInfo
	for i, r := range []*repo.Repo{src, dst} {
		if files[i], err = os.Stat(filepath.Join(r.Path(), "objects", c.String()[:2], c.String()[2:]+".commit")); err != nil {
			t.Fatal(err)
		}
	}
	if !os.SameFile(files[0], files[1]) {
		t.Error("the commit was copied")
	}
}
