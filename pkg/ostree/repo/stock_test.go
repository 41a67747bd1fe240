package repo_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// richTree has, besides what tree has, a file that is streamed, one that does not
// compress, attributes of folders, two names of one inode, and many folders. All of
// it belongs to the user who runs the test, so that stock can commit it from disk.
func richTree(t testing.TB) *filetree.Node {
	t.Helper()
	root := tree(t)
	noise := make([]byte, 3<<20)
	rand.New(rand.NewSource(1)).Read(noise)
	shared := filetree.Bytes([]byte("shared"), 0o600)
	for p, n := range map[string]*filetree.Node{
		"usr/lib/modules/noise": filetree.Bytes(noise, 0o644),
		"usr/lib/modules/zeros": filetree.Bytes(make([]byte, 5<<20), 0o444),
		"usr/lib/one":           shared,
		"usr/lib/two":           {Link: shared},
		"usr/link to dir":       filetree.NewSymlink("/usr/lib"),
		"usr/dangling":          filetree.NewSymlink(strings.Repeat("../long", 100)),
	} {
		if err := root.Put(p, n); err != nil {
			t.Fatal(err)
		}
	}
	root.Lookup("usr/lib").SetXattr("user.dir", []byte{0, 255})
	root.Lookup("usr/lib/hello").SetXattr("user.b", []byte("2"))
	root.Lookup("usr/lib/hello").SetXattr("user.a", append(bytes.Repeat([]byte("1"), 700), 0))
	for i := range 300 {
		p := fmt.Sprintf("usr/share/doc/%d/file-%d", i%17, i)
		if err := root.Put(p, filetree.Bytes(fmt.Appendf(nil, "content %d", i/2), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	uid, gid := uint32(os.Geteuid()), uint32(os.Getegid())
	root.Walk(func(_ string, n *filetree.Node) error {
		if n.UID, n.GID = uid, gid; n.Link != nil {
			n.Link.UID, n.Link.GID = uid, gid
		}
		return nil
	})
	return root
}

// userOnly makes a tree one that a bare-user-only repository can hold.
func userOnly(root *filetree.Node) *filetree.Node {
	root.Walk(func(_ string, n *filetree.Node) error {
		if n.Link != nil {
			n = n.Link
		}
		n.UID, n.GID, n.Xattrs, n.Mode = 0, 0, nil, n.Mode&0o755
		return nil
	})
	return root
}

// describe lists a tree: everything that a commit keeps of it, content as a checksum.
func describe(t testing.TB, root *filetree.Node) string {
	t.Helper()
	var b strings.Builder
	err := root.Walk(func(p string, n *filetree.Node) error {
		if n.Link != nil {
			n = n.Link
		}
		if n.Kind == filetree.Symlink {
			n.Mode = 0o777
		}
		fmt.Fprintf(&b, "/%s %d %o %d:%d %q %d", p, n.Kind, n.Mode, n.UID, n.GID, n.Target, n.Size)
		for _, x := range n.Xattrs {
			fmt.Fprintf(&b, " %s=%x", x.Name, x.Value)
		}
		if n.Kind == filetree.File && n.Size > 0 {
			rc, err := n.From.Open()
			if err != nil {
				return err
			}
			defer rc.Close()
			h := sha256.New()
			if _, err := io.Copy(h, rc); err != nil {
				return err
			}
			fmt.Fprintf(&b, " %x", h.Sum(nil))
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sameText shows the first line that differs.
func sameText(t testing.TB, what, got, want string) {
	t.Helper()
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(a), len(b)) {
		var x, y string
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			t.Errorf("%s, line %d:\n got %.300s\nwant %.300s", what, i+1, x, y)
			return
		}
	}
}

// allModes are those that this user can write. bare keeps owners, which a plain user
// can for files of its own.
var allModes = []ostree.Mode{ostree.ModeArchive, ostree.ModeBareUser, ostree.ModeBare, ostree.ModeBareUserOnly}

func treeFor(t testing.TB, mode ostree.Mode) *filetree.Node {
	t.Helper()
	root := richTree(t)
	if mode == ostree.ModeBareUserOnly {
		return userOnly(root)
	}
	return root
}

// TestStockReadsAll has ostree fsck, list, show and check out what we wrote, in every
// mode, and compares the listing with ours.
func TestStockReadsAll(t *testing.T) {
	for _, mode := range allModes {
		t.Run(string(mode), func(t *testing.T) {
			r := create(t, mode)
			root := treeFor(t, mode)
			c := write(t, r, root)
			o := func(args ...string) string {
				return command(t, "ostree", append([]string{"--repo=" + r.Path()}, args...)...)
			}
			o("fsck")
			sameText(t, "ls -R -C -X", listing(t, r, c), o("ls", "-R", "-C", "-X", "test/tree"))
			if show := o("show", "test/tree"); !strings.Contains(show, "commit "+c.String()) || !strings.Contains(show, "Version: 1.0") || !strings.Contains(show, "    a tree") {
				t.Errorf("ostree show prints %s", show)
			}
			dest := filepath.Join(t.TempDir(), "co")
			o("checkout", "-U", "test/tree", dest)
			for _, p := range []string{"usr/lib/modules/noise", "usr/lib/hello", "usr/lib/two"} {
				n := root.Lookup(p)
				if n.Link != nil {
					n = n.Link
				}
				rc, err := n.From.Open()
				if err != nil {
					t.Fatal(err)
				}
				want, _ := io.ReadAll(rc)
				if got, err := os.ReadFile(filepath.Join(dest, p)); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes, %v, want %d", p, len(got), err, len(want))
				}
			}
			back, err := r.ReadTree(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			sameText(t, "tree read back", describe(t, back), describe(t, root))
			report, err := r.Fsck(t.Context(), repo.FsckOptions{Unreachable: true})
			if err != nil || len(report.Problems) > 0 {
				t.Errorf("Fsck = %+v, %v", report, err)
			}
		})
	}
}

// listing prints a commit as `ostree ls -R -C -X` does.
func listing(t testing.TB, r *repo.Repo, c ostree.Checksum) string {
	t.Helper()
	var b strings.Builder
	err := r.Ls(t.Context(), c, repo.LsOptions{Recursive: true}, func(e repo.LsEntry) error {
		n, kind, meta, target := e.Node, "-", "", ""
		switch n.Kind {
		case filetree.Dir:
			kind, meta = "d", " "+e.Meta.String()
		case filetree.Symlink:
			kind, target = "l", " -> "+n.Target
		}
		var xattrs []string
		for i, x := range n.Xattrs {
			xattrs = append(xattrs, fmt.Sprintf("(%s, %s)", gvariantBytes(x.Name+"\x00", i == 0), gvariantBytes(string(x.Value), i == 0)))
		}
		list := "@a(ayay) []"
		if len(xattrs) > 0 {
			list = "[" + strings.Join(xattrs, ", ") + "]"
		}
		fmt.Fprintf(&b, "%s%05o %d %d %6d %s%s { %s } %s%s\n", kind, n.Mode, n.UID, n.GID, n.Size, e.Checksum, meta, list, e.Path, target)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// gvariantBytes prints a byte string as GLib does: as text when it ends in its only
// NUL, else as numbers, the type being told with the first one of a list.
func gvariantBytes(s string, first bool) string {
	if text, ok := strings.CutSuffix(s, "\x00"); ok && !strings.Contains(text, "\x00") {
		return "b'" + text + "'"
	}
	var list []string
	for i, c := range []byte(s) {
		prefix := ""
		if i == 0 && first {
			prefix = "byte "
		}
		list = append(list, fmt.Sprintf("%s0x%02x", prefix, c))
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// TestStockCommits commits a folder with ostree, in every mode, and has the same
// checksum of commit and tree; then reads what ostree wrote.
func TestStockCommits(t *testing.T) {
	src := create(t, ostree.ModeBareUser)
	plain := filepath.Join(t.TempDir(), "tree")
	if err := src.Checkout(t.Context(), write(t, src, richTree(t)), plain, repo.CheckoutOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, mode := range allModes {
		t.Run(string(mode), func(t *testing.T) {
			root := treeFor(t, mode)
			ours := create(t, mode)
			want := map[string]ostree.Checksum{"plain": write(t, ours, root), "bound": bound(t, ours, root)}
			stock := filepath.Join(t.TempDir(), "stock")
			command(t, "ostree", "--repo="+stock, "init", "--mode="+string(mode))
			commit := func(ref string, more ...string) string {
				args := append([]string{"--repo=" + stock, "commit", "-b", ref, "--parent=none", "-s", "a tree", "--timestamp=@1700000000", "--add-metadata-string=version=1.0"}, more...)
				return strings.TrimSpace(command(t, "ostree", append(args, plain)...))
			}
			if got := commit("test/plain", "--no-bindings"); got != want["plain"].String() {
				t.Errorf("ostree commit is %s, ours %s", got, want["plain"])
			}
			if got := commit("test/bound", "--bind-ref=other"); got != want["bound"].String() {
				t.Errorf("ostree commit with bindings is %s, ours %s", got, want["bound"])
			}
			r, err := repo.Open(stock)
			if err != nil {
				t.Fatal(err)
			}
			if report, err := r.Fsck(t.Context(), repo.FsckOptions{Unreachable: true}); err != nil || len(report.Problems) > 0 || report.Commits != 2 {
				t.Errorf("Fsck of what ostree wrote = %+v, %v", report, err)
			}
			got, err := r.ReadTree(t.Context(), want["plain"])
			if err != nil {
				t.Fatal(err)
			}
			sameText(t, "tree that ostree wrote", describe(t, got), describe(t, root))
			dest := filepath.Join(t.TempDir(), "co")
			if err := r.Checkout(t.Context(), want["plain"], dest, repo.CheckoutOptions{UserMode: true}); err != nil {
				t.Fatal(err)
			}
			command(t, "diff", "-r", "--no-dereference", plain, dest)
		})
	}
}

// bound commits the tree with the metadata that binds it to refs.
func bound(t testing.TB, r *repo.Repo, root *filetree.Node) ostree.Checksum {
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
		Metadata: ostree.Metadata{
			{Key: "version", Value: gvariant.Variant{Type: "s", Value: "1.0"}},
			{Key: ostree.KeyRefBinding, Value: gvariant.Variant{Type: "as", Value: []any{"other", "test/bound"}}},
		},
		Subject: "a tree", Timestamp: 1700000000, Root: dt, RootMeta: dm,
	})
	if err != nil {
		t.Fatal(err)
	}
	if txn.Written() > 1 { // all but the commit was there
		t.Errorf("wrote %d objects, want 1", txn.Written())
	}
	if err := txn.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestGLibMetadata has GLib write values of many types, from their text.
func TestGLibMetadata(t *testing.T) {
	values := []struct {
		text string
		want gvariant.Variant
	}{
		{"(@mu nothing, @m(yy) (1, 2), byte 3)", gvariant.Variant{Type: "(mum(yy)y)", Value: gvariant.Tuple{nil, gvariant.Just{Value: gvariant.Tuple{byte(1), byte(2)}}, byte(3)}}},
		{"(int16 -2, uint16 2, -3, int64 -4, uint64 5, 0.5)", gvariant.Variant{Type: "(nqixtd)", Value: gvariant.Tuple{int16(-2), uint16(2), int32(-3), int64(-4), uint64(5), 0.5}}},
		{"<<uint32 7>>", gvariant.Variant{Type: "v", Value: gvariant.Variant{Type: "v", Value: gvariant.Variant{Type: "u", Value: uint32(7)}}}},
		{"objectpath '/a/b_1'", gvariant.Variant{Type: "o", Value: "/a/b_1"}},
		{"signature 'a{sv}u'", gvariant.Variant{Type: "g", Value: "a{sv}u"}},
		{"@a{s(uv)} {'k': (1, <true>), 'ž': (2, <@as []>)}", gvariant.Variant{Type: "a{s(uv)}", Value: []any{
			gvariant.Entry{Key: "k", Value: gvariant.Tuple{uint32(1), gvariant.Variant{Type: "b", Value: true}}},
			gvariant.Entry{Key: "ž", Value: gvariant.Tuple{uint32(2), gvariant.Variant{Type: "as", Value: []any{}}}}}}},
		{"['" + strings.Repeat("x", 300) + "', 'y']", gvariant.Variant{Type: "as", Value: []any{strings.Repeat("x", 300), "y"}}},
		{"(b'" + strings.Repeat("1", 69999) + "', @ay [], @at [])", gvariant.Variant{Type: "(ayayat)", Value: gvariant.Tuple{append(bytes.Repeat([]byte("1"), 69999), 0), []byte{}, []any{}}}},
		{"@a() [(), ()]", gvariant.Variant{Type: "a()", Value: []any{gvariant.Tuple{}, gvariant.Tuple{}}}},
		{"@ams [nothing, 'a', '']", gvariant.Variant{Type: "ams", Value: []any{nil, gvariant.Just{Value: "a"}, gvariant.Just{Value: ""}}}},
	}
	stock := filepath.Join(t.TempDir(), "stock")
	command(t, "ostree", "--repo="+stock, "init", "--mode=archive")
	args := []string{"--repo=" + stock, "commit", "--orphan", "--no-bindings", "-s", "values", "--timestamp=@1700000000"}
	var want ostree.Metadata
	for i, v := range values {
		key := fmt.Sprintf("k%d", i)
		args = append(args, "--add-metadata="+key+"="+v.text)
		want = append(want, ostree.MetaEntry{Key: key, Value: v.want})
	}
	c, err := ostree.ParseChecksum(strings.TrimSpace(command(t, "ostree", append(args, t.TempDir())...)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := repo.Open(stock)
	if err != nil {
		t.Fatal(err)
	}
	commit, err := r.ReadCommit(c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !reflect.DeepEqual(commit.Metadata[i], want[i]) {
			t.Errorf("%.60s reads as %#v", values[i].text, commit.Metadata[i])
		}
	}
	raw, err := r.ReadObject(ostree.TypeCommit, c)
	if err != nil {
		t.Fatal(err)
	}
	commit.Metadata = want
	if out, err := commit.Encode(); err != nil || !bytes.Equal(out, raw) {
		t.Errorf("the commit is encoded differently: %v", err)
	}
}

// TestReachable has what `ostree prune` counts, which takes all objects of the commit.
func TestReachable(t *testing.T) {
	r := create(t, ostree.ModeArchive)
	c := write(t, r, richTree(t))
	set, err := r.Reachable(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	prune := command(t, "ostree", "--repo="+r.Path(), "prune", "--no-prune")
	if want := fmt.Sprintf("Total objects: %d\n", len(set)); !strings.Contains(prune, want) {
		t.Errorf("ostree prune prints %q, want %q", prune, want)
	}
	var walked []repo.Object
	if err := r.WalkObjects(t.Context(), c, func(o repo.Object) error { walked = append(walked, o); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(walked) != len(set) || walked[0].Checksum != c {
		t.Errorf("walked %d objects, %v first, want %d, and the commit", len(walked), walked[0], len(set))
	}
	for _, o := range walked {
		if !set[o] {
			t.Errorf("%s is not in the set", o)
		}
		if size, err := r.StoredSize(o.Type, o.Checksum); err != nil || size == 0 {
			t.Errorf("StoredSize(%s) = %d, %v", o, size, err)
		}
	}
}

// TestLog has the history that `ostree log` shows.
func TestLog(t *testing.T) {
	stock := filepath.Join(t.TempDir(), "stock")
	command(t, "ostree", "--repo="+stock, "init", "--mode=archive")
	var sums []string
	for i := range 3 {
		sums = append(sums, strings.TrimSpace(command(t, "ostree", "--repo="+stock, "commit", "-b", "x", fmt.Sprintf("--timestamp=@%d", i), t.TempDir())))
	}
	slices.Reverse(sums)
	r, err := repo.Open(stock)
	if err != nil {
		t.Fatal(err)
	}
	check := func(n int, wantWhole bool, want ...string) {
		t.Helper()
		c, err := r.Resolve("x")
		if err != nil {
			t.Fatal(err)
		}
		log, whole, err := r.Log(t.Context(), c, n)
		var got []string
		for _, e := range log {
			got = append(got, e.Checksum.String())
		}
		if err != nil || whole != wantWhole || !slices.Equal(got, want) {
			t.Errorf("Log = %q, %v, %v, want %q, %v", got, whole, err, want, wantWhole)
		}
	}
	check(0, true, sums...)
	check(2, true, sums[:2]...)
	if c, err := r.Resolve("x^^"); err != nil || c.String() != sums[2] {
		t.Errorf("x^^ is %s, %v, want %s", c, err, sums[2])
	}
	if err := os.Remove(filepath.Join(stock, "objects", sums[2][:2], sums[2][2:]+".commit")); err != nil {
		t.Fatal(err)
	}
	check(0, false, sums[:2]...)
}
