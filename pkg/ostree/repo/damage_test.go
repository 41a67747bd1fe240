package repo_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// object splits the path of an object's file.
func object(p string) (sum, ext string) {
	base, ext, _ := strings.Cut(filepath.Base(p), ".")
	return filepath.Base(filepath.Dir(p)) + base, ext
}

// harmless tells whether a damaged object still has its content: padding bits of
// DEFLATE do not count, nor what stands behind a link's target.
func harmless(t testing.TB, r *repo.Repo, sum string) bool {
	c, err := ostree.ParseChecksum(sum)
	if err != nil {
		t.Fatal(err)
	}
	h, rc, err := r.OpenFile(c)
	if err != nil {
		return false
	}
	defer rc.Close()
	hash, err := h.NewHash()
	if err != nil {
		return false
	}
	_, err = io.Copy(hash, rc)
	return err == nil && bytes.Equal(hash.Sum(nil), c[:])
}

// positions are places in a file of n bytes: each of the first and last 64, and some
// between.
func positions(n int) (out []int) {
	for i := range n {
		if i < 64 || i >= n-64 || i%(1+n/32) == 0 {
			out = append(out, i)
		}
	}
	return out
}

// TestFlippedBits flips a bit in each class of bytes of each object, in each mode: a
// fsck names the object, and reading the tree fails or gives what is right.
func TestFlippedBits(t *testing.T) {
	for _, mode := range allModes {
		t.Run(string(mode), func(t *testing.T) {
			r := create(t, mode)
			c := write(t, r, smallTree(t))
			for _, p := range objects(t, r.Path()) {
				sum, ext := object(p)
				p = filepath.Join(r.Path(), p)
				if st, err := os.Lstat(p); err != nil || !st.Mode().IsRegular() {
					continue // a link: its target is its content
				}
				good, err := os.ReadFile(p)
				if err != nil {
					t.Fatal(err)
				}
				for _, i := range positions(len(good)) {
					bad := bytes.Clone(good)
					bad[i] ^= 1 << (i % 8)
					overwrite(t, p, bad)
					report, err := r.Fsck(t.Context())
					if err != nil {
						t.Fatalf("%s: byte %d: %v", filepath.Base(p), i, err)
					}
					found := false
					for _, problem := range report.Problems {
						found = found || problem.Object.Checksum.String() == sum && strings.Contains(problem.Error(), sum) && len(problem.Commits) == 1 && problem.Commits[0] == c
					}
					if !found && !(strings.HasPrefix(ext, "file") && harmless(t, r, sum)) {
						t.Errorf("%s.%s: a bit of byte %d is wrong: %v", sum, ext, i, report.Err())
					}
				}
				overwrite(t, p, good)
			}
			if report, err := r.Fsck(t.Context()); err != nil || len(report.Problems) > 0 {
				t.Errorf("the objects are whole again: %v, %v", report.Err(), err)
			}
		})
	}
}

// smallTree is a tree that every mode can hold.
func smallTree(t testing.TB) *filetree.Node {
	root := filetree.NewDir(0o755)
	for p, n := range map[string]*filetree.Node{
		"usr/bin/tool": filetree.Bytes([]byte(strings.Repeat("tool ", 60)), 0o755),
		"usr/lib/text": filetree.Bytes([]byte("hello\n"), 0o644),
		"usr/lib/link": filetree.NewSymlink("text"),
	} {
		if err := root.Put(p, n); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// overwrite changes the bytes of a file, and nothing else of it.
func overwrite(t testing.TB, p string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(p, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFlippedAttribute damages what a bare-user repository keeps beside content.
func TestFlippedAttribute(t *testing.T) {
	r := create(t, ostree.ModeBareUser)
	write(t, r, smallTree(t))
	const name = "user.ostreemeta"
	for _, p := range objects(t, r.Path()) {
		sum, ext := object(p)
		if ext != "file" {
			continue
		}
		p = filepath.Join(r.Path(), p)
		good := make([]byte, 256)
		n, err := unix.Lgetxattr(p, name, good)
		if err != nil {
			t.Fatal(err)
		}
		good = good[:n]
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			if err := unix.Lsetxattr(p, name, bad, 0); err != nil {
				t.Fatal(err)
			}
			report, err := r.Fsck(t.Context())
			if err != nil || len(report.Problems) != 1 || !strings.Contains(report.Err().Error(), sum) {
				t.Errorf("%s: a bit of byte %d is wrong: %+v, %v", sum, i, report, err)
			}
		}
		if err := unix.Lremovexattr(p, name); err != nil {
			t.Fatal(err)
		}
		if report, err := r.Fsck(t.Context()); err != nil || len(report.Problems) != 1 {
			t.Errorf("%s without the attribute: %+v, %v", sum, report, err)
		}
		if err := unix.Lsetxattr(p, name, good, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCutAndLong cuts objects at each place, lets them go on, and puts something else
// in their places.
func TestCutAndLong(t *testing.T) {
	for _, mode := range allModes {
		t.Run(string(mode), func(t *testing.T) {
			r := create(t, mode)
			c := write(t, r, smallTree(t))
			for _, p := range objects(t, r.Path()) {
				sum, ext := object(p)
				p = filepath.Join(r.Path(), p)
				if st, err := os.Lstat(p); err != nil || !st.Mode().IsRegular() {
					continue
				}
				good, err := os.ReadFile(p)
				if err != nil {
					t.Fatal(err)
				}
				check := func(what string) {
					t.Helper()
					report, err := r.Fsck(t.Context())
					if err != nil || len(report.Problems) == 0 && !(strings.HasPrefix(ext, "file") && harmless(t, r, sum)) {
						t.Errorf("%s.%s %s: %v", sum, ext, what, err)
					}
				}
				for n := 0; n < len(good); n += 1 + len(good)/20 {
					overwrite(t, p, good[:n])
					check("is cut")
				}
				overwrite(t, p, append(bytes.Clone(good), "more"...))
				check("goes on")
				overwrite(t, p, good)
				if err := os.Truncate(p, 200<<20); err != nil { // a hole: more than any metadata may have
					t.Fatal(err)
				}
				check("is huge")
				overwrite(t, p, good)
				if err := os.Rename(p, p+".good"); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink("/dev/zero", p); err != nil {
					t.Fatal(err)
				}
				check("is a link")
				if err := os.Remove(p); err != nil {
					t.Fatal(err)
				}
				if err := unix.Mkfifo(p, 0o644); err != nil {
					t.Fatal(err)
				}
				check("is a FIFO")
				if err := errors.Join(os.Remove(p), os.Rename(p+".good", p)); err != nil {
					t.Fatal(err)
				}
			}
			if report, err := r.Fsck(t.Context()); err != nil || len(report.Problems) > 0 || report.Commits != 1 {
				t.Errorf("commit %s is whole again: %v, %v", c, report.Err(), err)
			}
		})
	}
}

// TestBadNames has dirtrees whose names lead out of the tree. Encoding one is refused,
// so the bytes are made by hand.
func TestBadNames(t *testing.T) {
	for _, name := range []string{"..", ".", "", "../up", "/etc/passwd", "a/b", "usr\x00"} {
		r := create(t, ostree.ModeArchive)
		good := write(t, r, smallTree(t))
		commit, err := r.ReadCommit(good)
		if err != nil {
			t.Fatal(err)
		}
		for _, dirs := range []bool{false, true} {
			raw := dirTree(t, name, commit.Root, commit.RootMeta, dirs)
			tree := plant(t, r, "dirtree", raw)
			bad := *commit
			bad.Root = tree
			b, err := bad.Encode()
			if err != nil {
				t.Fatal(err)
			}
			c := plant(t, r, "commit", b)
			report, err := r.Fsck(t.Context())
			if err != nil || !strings.Contains(report.Err().Error(), tree.String()) {
				t.Errorf("name %q: fsck: %v, %v", name, report.Err(), err)
			}
			top := t.TempDir()
			if err := os.Mkdir(filepath.Join(top, "out"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := r.Checkout(t.Context(), c, filepath.Join(top, "out", "tree"), repo.CheckoutOptions{UserMode: true}); err == nil || !strings.Contains(err.Error(), tree.String()) {
				t.Errorf("name %q: checkout: %v", name, err)
			}
			if left, _ := filepath.Glob(top + "/*"); len(left) > 1 || len(left) == 1 && left[0] != filepath.Join(top, "out") {
				t.Errorf("name %q: checkout wrote %q", name, left)
			}
			if _, err := r.ReadTree(t.Context(), c); err == nil {
				t.Errorf("name %q: the tree can be read", name)
			}
			txn, err := r.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := txn.WriteMetadata(ostree.TypeDirTree, raw); !errors.Is(err, ostree.ErrMalformed) {
				t.Errorf("name %q: it can be written: %v", name, err)
			}
			if err := txn.Abort(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// dirTree is a dirtree with one entry of any name.
func dirTree(t testing.TB, name string, tree, meta ostree.Checksum, dir bool) []byte {
	t.Helper()
	files, dirs := []any{}, []any{}
	stand := strings.Repeat("x", len(name)) // GVariant strings have no NUL either
	if dir {
		dirs = []any{gvariant.Tuple{stand, tree[:], meta[:]}}
	} else {
		files = []any{gvariant.Tuple{stand, tree[:]}}
	}
	raw, err := gvariant.Encode("(a(say)a(sayay))", gvariant.Tuple{files, dirs})
	if err != nil {
		t.Fatal(err)
	}
	copy(raw[bytes.Index(raw, append([]byte(stand), 0)):], name)
	return raw
}

// plant puts an object into a repository behind its back.
func plant(t testing.TB, r *repo.Repo, ext string, raw []byte) ostree.Checksum {
	t.Helper()
	c := ostree.Sum(raw)
	s := c.String()
	p := filepath.Join(r.Path(), "objects", s[:2], s[2:]+"."+ext)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestBombs has trees that are larger than they look: folders in one another without
// end, and folders that hold the one below many times.
func TestBombs(t *testing.T) {
	r := create(t, ostree.ModeArchive)
	c := write(t, r, smallTree(t))
	commit, err := r.ReadCommit(c)
	if err != nil {
		t.Fatal(err)
	}
	bomb := func(levels, width int) ostree.Checksum {
		at := commit.Root
		for range levels {
			dt := ostree.DirTree{}
			for i := range width {
				dt.Dirs = append(dt.Dirs, ostree.DirEntry{Name: string(rune('a' + i)), Tree: at, Meta: commit.RootMeta})
			}
			raw, err := dt.Encode()
			if err != nil {
				t.Fatal(err)
			}
			at = plant(t, r, "dirtree", raw)
		}
		top := *commit
		top.Root = at
		raw, err := top.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return plant(t, r, "commit", raw)
	}
	wide := bomb(40, 26) // 26^40 files
	if report, err := r.Fsck(t.Context()); err != nil || len(report.Problems) > 0 {
		t.Errorf("a wide tree is no fault: %v, %v", report.Err(), err)
	}
	deep := bomb(3000, 1)
	report, err := r.Fsck(t.Context())
	if err != nil || len(report.Problems) != 1 || len(report.Problems[0].Commits) != 1 || report.Problems[0].Commits[0] != deep {
		t.Errorf("a deep tree: %+v, %v", report, err)
	}
	for _, c := range []ostree.Checksum{wide, deep} {
		if err := r.Checkout(t.Context(), c, filepath.Join(t.TempDir(), "out"), repo.CheckoutOptions{UserMode: true, Subpath: "/nosuch"}); err == nil {
			t.Error("checkout of what is not there")
		}
	}
	if _, err := r.ReadTree(t.Context(), deep); err == nil {
		t.Error("a deep tree can be read")
	}
	if _, err := r.Prune(t.Context(), repo.PruneOptions{Refs: true}); err != nil { // no ref leads to them
		t.Errorf("prune: %v", err)
	}
	if report, err := r.Fsck(t.Context()); err != nil || len(report.Problems) > 0 || report.Commits != 1 {
		t.Errorf("behind a prune: %+v, %v", report, err)
	}
}

// TestFsckRepairs has damage deleted, and the objects taken from elsewhere.
func TestFsckRepairs(t *testing.T) {
	r := create(t, ostree.ModeBareUser)
	c := write(t, r, smallTree(t))
	for _, p := range objects(t, r.Path()) {
		sum, ext := object(p)
		if ext != "file" {
			continue
		}
		damage(t, r, sum, ext, func(b []byte) []byte { b[0] ^= 1; return b })
	}
	report, err := r.Fsck(t.Context(), repo.FsckOptions{Delete: true})
	if err != nil || len(report.Problems) != 3 {
		t.Fatalf("Fsck = %+v, %v", report, err)
	}
	for _, p := range report.Problems {
		if !p.Deleted {
			t.Errorf("%s was not deleted", p.Object)
		}
	}
	if marked, err := r.Partial(c); !marked || err != nil {
		t.Errorf("the commit is not marked: %v", err)
	}
	report, err = r.Fsck(t.Context())
	if err != nil || len(report.Problems) != 0 || report.Damaged != 1 {
		t.Errorf("behind the deletion: %+v, %v", report, err)
	}
	write(t, r, smallTree(t)) // the commit is there, its objects come again
	if err := r.ClearPartial(c); err != nil {
		t.Fatal(err)
	}
	command(t, "ostree", "--repo="+r.Path(), "fsck")
}

// TestFsckFirst stops at the same object in every run.
func TestFsckFirst(t *testing.T) {
	r := create(t, ostree.ModeArchive)
	write(t, r, smallTree(t))
	for _, p := range objects(t, r.Path()) {
		if sum, ext := object(p); ext == "filez" {
			damage(t, r, sum, ext, func(b []byte) []byte { return b[:len(b)-1] })
		}
	}
	all, err := r.Fsck(t.Context())
	if err != nil || len(all.Problems) != 3 {
		t.Fatalf("Fsck = %+v, %v", all, err)
	}
	for range 5 {
		one, err := r.Fsck(t.Context(), repo.FsckOptions{First: true, Workers: 4})
		if err != nil || len(one.Problems) != 1 || one.Problems[0].Object != all.Problems[0].Object {
			t.Errorf("Fsck = %+v, %v, want %s alone", one, err, all.Problems[0].Object)
		}
	}
}
