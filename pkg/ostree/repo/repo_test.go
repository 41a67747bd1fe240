package repo_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// tree is one of each thing that a commit can hold.
func tree(t testing.TB) *filetree.Node {
	t.Helper()
	root := filetree.NewDir(0o755)
	script := filetree.Bytes([]byte("#!/bin/sh\necho hi\n"), 0o755)
	script.SetXattr("user.foo", []byte("bar"))
	owned := filetree.Bytes([]byte("owned"), 0o640)
	owned.UID, owned.GID = 7, 42
	for p, n := range map[string]*filetree.Node{
		"usr/bin/script":         script,
		"usr/bin/su":             filetree.Bytes([]byte("su"), 0o4755),
		"usr/lib/empty":          filetree.Bytes(nil, 0o600),
		"usr/lib/hello":          filetree.Bytes([]byte("hello\n"), 0o644),
		"usr/lib/again":          filetree.Bytes([]byte("hello\n"), 0o644),
		"usr/lib/žluťoučký":      filetree.Bytes([]byte("kůň"), 0o644),
		"usr/lib/link":           filetree.NewSymlink("hello"),
		"usr/etc/owned":          owned,
		"usr/share/big":          filetree.Bytes([]byte(strings.Repeat("0123456789abcdef", 1<<16)), 0o644),
		"usr/empty-folder/.keep": filetree.Bytes(nil, 0o644),
	} {
		if err := root.Put(p, n); err != nil {
			t.Fatal(err)
		}
	}
	root.Lookup("usr/empty-folder").Delete(".keep")
	root.Lookup("usr/share").Mode = 0o2775
	return root
}

func write(t testing.TB, r *repo.Repo, root *filetree.Node) ostree.Checksum {
	t.Helper()
	txn, err := r.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer txn.Abort()
	dt, dm, err := txn.WriteTree(t.Context(), root, repo.TreeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := txn.WriteCommit(&ostree.Commit{
		Metadata: []ostree.MetaEntry{{Key: "version", Value: gvariant.Variant{Type: "s", Value: "1.0"}}},
		Subject:  "a tree", Timestamp: 1700000000, Root: dt, RootMeta: dm,
	})
	if err != nil {
		t.Fatal(err)
	}
	txn.SetRef("test/tree", c)
	if err := txn.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func create(t testing.TB, mode ostree.Mode) *repo.Repo {
	t.Helper()
	r, err := repo.Create(filepath.Join(t.TempDir(), "repo"), mode)
	if err != nil {
		t.Fatal(err)
	}
	r.DisableSync()
	return r
}

func command(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(fixture.Tool(t, name), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %.1000s: %v\n%.4000s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func modes(t *testing.T) []ostree.Mode {
	m := []ostree.Mode{ostree.ModeArchive, ostree.ModeBareUser}
	if os.Geteuid() == 0 {
		m = append(m, ostree.ModeBare)
	}
	return m
}

// TestStockReads has the ostree command check and list what we wrote.
func TestStockReads(t *testing.T) {
	var first ostree.Checksum
	for _, mode := range modes(t) {
		t.Run(string(mode), func(t *testing.T) {
			r := create(t, mode)
			c := write(t, r, tree(t))
			if first == (ostree.Checksum{}) {
				first = c
			}
			if c != first {
				t.Errorf("checksum is %s, in another mode it was %s", c, first)
			}
			command(t, "ostree", "--repo="+r.Path(), "fsck")
			list := command(t, "ostree", "--repo="+r.Path(), "ls", "-R", "-X", "test/tree")
			for _, want := range []string{
				"-04755 0 0      2 { @a(ayay) [] } /usr/bin/su", "-00640 7 42      5 { @a(ayay) [] } /usr/etc/owned",
				"l00777 0 0      0 { @a(ayay) [] } /usr/lib/link -> hello", "d02775 0 0      0 { @a(ayay) [] } /usr/share", "/usr/lib/žluťoučký",
			} {
				if !strings.Contains(list, want) {
					t.Errorf("ostree ls lacks %q:\n%s", want, list)
				}
			}
			report, err := r.Fsck(t.Context())
			if err != nil || len(report.Problems) > 0 || report.Commits != 1 {
				t.Errorf("Fsck = %+v, %v", report, err)
			}
			if left, _ := filepath.Glob(r.Path() + "/tmp/*wright*"); len(left) > 0 {
				t.Errorf("left in tmp: %q", left)
			}
		})
	}
}

// TestStockChecksum commits one folder with both tools.
func TestStockChecksum(t *testing.T) {
	src := create(t, ostree.ModeArchive)
	c := write(t, src, tree(t))
	dir := filepath.Join(t.TempDir(), "tree")
	if os.Geteuid() != 0 {
		t.Log("owners cannot be set: the tree is checked out in user mode")
	}
	if err := src.Checkout(t.Context(), c, dir, repo.CheckoutOptions{UserMode: os.Geteuid() != 0}); err != nil {
		t.Fatal(err)
	}
	stock := filepath.Join(t.TempDir(), "stock")
	command(t, "ostree", "--repo="+stock, "init", "--mode=bare-user")
	args := []string{"--repo=" + stock, "commit", "-b", "x", "--no-bindings", "-s", "a tree", "--timestamp=@1700000000", "--add-metadata-string=version=1.0", dir}
	if os.Geteuid() == 0 {
		if got := strings.TrimSpace(command(t, "ostree", args...)); got != c.String() {
			t.Errorf("ostree commit = %s, ours is %s", got, c)
		}
	} else {
		command(t, "ostree", args...)
	}
	// What stock wrote, we read.
	r, err := repo.Open(stock)
	if err != nil {
		t.Fatal(err)
	}
	if report, err := r.Fsck(t.Context()); err != nil || len(report.Problems) > 0 || report.Commits != 1 {
		t.Errorf("Fsck of a stock repository = %+v, %v", report, err)
	}
}

// TestCheckout compares our checkouts with stock's, in each mode.
func TestCheckout(t *testing.T) {
	for _, mode := range modes(t) {
		r := create(t, mode)
		c := write(t, r, tree(t))
		ours, stock := filepath.Join(t.TempDir(), "ours"), filepath.Join(t.TempDir(), "stock")
		if err := r.Checkout(t.Context(), c, ours, repo.CheckoutOptions{UserMode: true}); err != nil {
			t.Fatal(err)
		}
		command(t, "ostree", "--repo="+r.Path(), "checkout", "-U", c.String(), stock)
		list := func(dir string) string {
			return command(t, "find", dir, "-printf", "%P %y %m %l\n")
		}
		a, b := list(ours), list(stock)
		if sortLines(a) != sortLines(b) {
			t.Errorf("%s: our checkout:\n%s\nstock's:\n%s", mode, sortLines(a), sortLines(b))
		}
		command(t, "diff", "-r", "--no-dereference", ours, stock)
		if err := r.Checkout(t.Context(), c, ours, repo.CheckoutOptions{UserMode: true}); !errors.Is(err, os.ErrExist) {
			t.Errorf("checkout over an existing folder: %v", err)
		}
		sub := filepath.Join(t.TempDir(), "sub")
		if err := r.Checkout(t.Context(), c, sub, repo.CheckoutOptions{UserMode: true, Subpath: "/usr/bin"}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(sub, "su")); err != nil {
			t.Error(err)
		}
	}
}

func sortLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i := range lines { // an insertion sort keeps the test without imports
		for j := i; j > 0 && lines[j] < lines[j-1]; j-- {
			lines[j], lines[j-1] = lines[j-1], lines[j]
		}
	}
	return strings.Join(lines, "\n")
}

// TestFsckFindsDamage flips a byte in, or removes, each object.
func TestFsckFindsDamage(t *testing.T) {
	for _, mode := range []ostree.Mode{ostree.ModeArchive, ostree.ModeBareUser} {
		r := create(t, mode)
		write(t, r, tree(t))
		objects, err := filepath.Glob(r.Path() + "/objects/*/*")
		if err != nil || len(objects) < 15 {
			t.Fatalf("objects: %q, %v", objects, err)
		}
		for _, o := range objects {
			good, err := os.ReadFile(o)
			if err != nil {
				t.Fatal(err)
			}
			if len(good) == 0 {
				continue
			}
			if err := os.Chmod(o, 0o644); err != nil {
				t.Fatal(err)
			}
			bad := append([]byte{}, good...)
			bad[len(bad)/2] ^= 1
			if err := os.WriteFile(o, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			report, err := r.Fsck(t.Context())
			if err != nil || len(report.Problems) == 0 {
				t.Errorf("%s: damage in %s was not found", mode, filepath.Base(o))
			}
			if err := os.WriteFile(o, good, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Remove(objects[0]); err != nil {
			t.Fatal(err)
		}
		report, err := r.Fsck(t.Context())
		if err != nil || len(report.Problems) == 0 || !errors.Is(report.Err(), ostree.ErrNotFound) {
			t.Errorf("%s: a missing object: %+v, %v", mode, report, err)
		}
	}
}

func TestResolve(t *testing.T) {
	r := create(t, ostree.ModeArchive)
	c := write(t, r, tree(t))
	if err := r.SetRef("origin:test/other", c); err != nil {
		t.Fatal(err)
	}
	for _, rev := range []string{c.String(), c.String()[:7], "test/tree", "origin:test/other", "test/other"} {
		if got, err := r.Resolve(rev); got != c || err != nil {
			t.Errorf("Resolve(%s) = %s, %v", rev, got, err)
		}
	}
	for _, rev := range []string{"nosuch", "test", "test/tree^", "origin:nosuch", strings.Repeat("0", 63)} {
		if got, err := r.Resolve(rev); !errors.Is(err, ostree.ErrNotFound) {
			t.Errorf("Resolve(%s) = %s, %v, want ErrNotFound", rev, got, err)
		}
	}
	refs := command(t, "ostree", "--repo="+r.Path(), "refs")
	if want := "origin:test/other\ntest/tree\n"; sortLines(refs) != strings.TrimSpace(want) {
		t.Errorf("ostree refs = %q, want %q", refs, want)
	}
	if err := r.SetRef("test/tree/below", c); err == nil {
		t.Error("a ref below another one was written")
	}
}

// TestAbort leaves nothing behind, and so does a run that died.
func TestAbort(t *testing.T) {
	r := create(t, ostree.ModeBareUser)
	txn, err := r.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := txn.WriteTree(t.Context(), tree(t), repo.TreeOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := txn.Abort(); err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(r.Path(), "tmp", "treewright-dead")
	if err := errors.Join(os.MkdirAll(dead, 0o755), os.WriteFile(dead+"-lock", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	write(t, r, filetree.NewDir(0o755))
	left, err := filepath.Glob(r.Path() + "/tmp/treewright-*")
	if err != nil || len(left) > 0 {
		t.Errorf("left in tmp: %q, %v", left, err)
	}
	objects, err := filepath.Glob(r.Path() + "/objects/*/*")
	if err != nil || len(objects) != 3 {
		t.Errorf("objects: %q, %v, want a commit, a dirtree and a dirmeta", objects, err)
	}
}

// TestContentChecked has a file whose content is not what the tree promises.
func TestContentChecked(t *testing.T) {
	r := create(t, ostree.ModeArchive)
	root := filetree.NewDir(0o755)
	n := filetree.Bytes([]byte("promised"), 0o644)
	n.From = filetree.Bytes([]byte("replaced"), 0o644).From
	if err := root.Put("etc/file", n); err != nil {
		t.Fatal(err)
	}
	txn, err := r.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer txn.Abort()
	_, _, err = txn.WriteTree(t.Context(), root, repo.TreeOptions{})
	if !errors.Is(err, ostree.ErrCorrupt) || !strings.Contains(err.Error(), "/etc/file") {
		t.Errorf("WriteTree = %v, want ErrCorrupt and the path", err)
	}
}

// TestSummary has stock read our summary.
func TestSummary(t *testing.T) {
	r := create(t, ostree.ModeArchive)
	c := write(t, r, tree(t))
	if err := r.UpdateSummary(t.Context(), repo.SummaryOptions{Time: 1700000001}); err != nil {
		t.Fatal(err)
	}
	view := command(t, "ostree", "--repo="+r.Path(), "summary", "-v")
	for _, want := range []string{"* test/tree", c.String(), "2023-11-14T22:13:20+00", "Repository Mode (ostree.summary.mode): archive-z2", "2023-11-14T22:13:21+00"} {
		if !strings.Contains(view, want) {
			t.Errorf("ostree summary -v lacks %q:\n%s", want, view)
		}
	}
	raw, err := os.ReadFile(filepath.Join(r.Path(), "summary"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := ostree.ParseSummary(raw)
	if err != nil || len(s.Refs) != 1 || s.Refs[0].Commit != c || s.Refs[0].Version != "1.0" {
		t.Errorf("ParseSummary = %+v, %v", s, err)
	}
}

// benchTree is 200 files of text.
func benchTree(b *testing.B) (root *filetree.Node, size int64) {
	root = filetree.NewDir(0o755)
	for i := range 200 {
		body := []byte(strings.Repeat("line of text that compresses\n", 500+i))
		size += int64(len(body))
		if err := root.Put(filepath.Join("usr/lib", string(rune('a'+i%26)), strings.Repeat("x", 1+i/26)), filetree.Bytes(body, 0o644)); err != nil {
			b.Fatal(err)
		}
	}
	return root, size
}

func BenchmarkWriteTree(b *testing.B) {
	for _, mode := range []ostree.Mode{ostree.ModeArchive, ostree.ModeBareUser} {
		b.Run(string(mode), func(b *testing.B) {
			root, size := benchTree(b)
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				write(b, create(b, mode), root)
			}
		})
	}
}

// BenchmarkPeer is `ostree commit` of the same tree, without waiting for the disk, too.
func BenchmarkPeer(b *testing.B) {
	for _, mode := range []ostree.Mode{ostree.ModeArchive, ostree.ModeBareUser} {
		b.Run(string(mode), func(b *testing.B) {
			root, size := benchTree(b)
			src := create(b, ostree.ModeArchive)
			dir := filepath.Join(b.TempDir(), "tree")
			if err := src.Checkout(b.Context(), write(b, src, root), dir, repo.CheckoutOptions{UserMode: true}); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(size)
			for b.Loop() {
				r := create(b, mode)
				command(b, "ostree", "--repo="+r.Path(), "commit", "--fsync=no", "-b", "x", dir)
			}
		})
	}
}
