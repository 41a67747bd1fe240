package delta_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/delta"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// tree is a tree of a version: most files stay, some change, one is large, one is
// compressed already.
func tree(t testing.TB, version int) *filetree.Node {
	root := filetree.NewDir(0o755)
	put := func(p string, n *filetree.Node) {
		if err := root.Put(p, n); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 40 {
		put(fmt.Sprintf("usr/share/same/%d", i), filetree.Bytes([]byte(strings.Repeat("same ", 100+i)), 0o644))
	}
	for i := range 20 {
		body := fmt.Sprintf("version %d %s", version, strings.Repeat("text ", 2000+i))
		put(fmt.Sprintf("usr/lib/changed-%d", i), filetree.Bytes([]byte(body), 0o755))
	}
	suid := filetree.Bytes(fmt.Appendf(nil, "su %d", version), 0o4755)
	suid.SetXattr("user.test", fmt.Appendf(nil, "%d", version))
	put("usr/bin/su", suid)
	put("usr/bin/link", filetree.NewSymlink(fmt.Sprintf("su-%d", version)))
	put("usr/lib/empty", filetree.Bytes(nil, 0o600))
	rnd := rand.New(rand.NewPCG(uint64(version), 1))
	noise := make([]byte, 5<<20)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	put("usr/lib/modules/big", filetree.Bytes(noise, 0o644))
	put("usr/lib/modules/m.ko.xz", filetree.Bytes(append([]byte("\xfd7zXZ\x00"), noise[:300000]...), 0o644))
	return root
}

func commit(t testing.TB, r *repo.Repo, version int, parent *ostree.Checksum) ostree.Checksum {
	t.Helper()
	txn, err := r.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer txn.Abort()
	root, meta, err := txn.WriteTree(t.Context(), tree(t, version), repo.TreeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := txn.WriteCommit(&ostree.Commit{Parent: parent, Subject: fmt.Sprint(version), Timestamp: 1700000000 + uint64(version), Root: root, RootMeta: meta})
	if err != nil {
		t.Fatal(err)
	}
	txn.SetRef("test", c)
	if err := txn.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func twoVersions(t testing.TB) (r *repo.Repo, v1, v2 ostree.Checksum) {
	r, err := repo.Create(filepath.Join(t.TempDir(), "repo"), ostree.ModeArchive)
	if err != nil {
		t.Fatal(err)
	}
	r.DisableSync()
	v1 = commit(t, r, 1, nil)
	v2 = commit(t, r, 2, &v1)
	return r, v1, v2
}

func run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(fixture.Tool(t, "ostree"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ostree %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestStockApplies has the ostree command apply our deltas, offline and in a pull.
func TestStockApplies(t *testing.T) {
	r, v1, v2 := twoVersions(t)
	for _, tc := range []struct {
		name string
		from *ostree.Checksum
		o    delta.Options
	}{
		{"from nothing", nil, delta.Options{}},
		{"from the one before", &v1, delta.Options{}},
		{"many parts", &v1, delta.Options{MaxPartSize: 10000}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.o.From, tc.o.To, tc.o.Time, tc.o.MinFallbackSize = tc.from, v2, 1700000002, -1
			report, err := delta.Generate(t.Context(), r, r.Path(), tc.o)
			if err != nil {
				t.Fatal(err)
			}
			if tc.o.MaxPartSize > 0 && report.Parts < 5 || report.Fallbacks != 0 {
				t.Errorf("report = %+v", report)
			}
			client := filepath.Join(t.TempDir(), "client")
			run(t, "--repo="+client, "init", "--mode=bare-user")
			if tc.from != nil {
				run(t, "--repo="+client, "pull-local", r.Path(), tc.from.String())
			}
			run(t, "--repo="+client, "static-delta", "apply-offline", report.Dir)
			run(t, "--repo="+client, "fsck")
			if out := run(t, "--repo="+client, "ls", "-R", "-C", "-X", v2.String()); out != run(t, "--repo="+r.Path(), "ls", "-R", "-C", "-X", v2.String()) {
				t.Errorf("the tree differs:\n%s", out)
			}
		})
	}
}

// TestFallback leaves large objects to be fetched whole, as stock does in a pull.
func TestFallback(t *testing.T) {
	r, v1, v2 := twoVersions(t)
	report, err := delta.Generate(t.Context(), r, r.Path(), delta.Options{From: &v1, To: v2, Time: 1700000002})
	if err != nil {
		t.Fatal(err)
	}
	if report.Fallbacks != 1 || report.Fetched < 5<<20 || report.Size > 1<<20 {
		t.Errorf("report = %+v, want one fallback of 5 MiB and the rest small", report)
	}
	if err := r.UpdateSummary(t.Context(), repo.SummaryOptions{Time: 1700000003}); err != nil {
		t.Fatal(err)
	}
	client := filepath.Join(t.TempDir(), "client")
	run(t, "--repo="+client, "init", "--mode=bare-user")
	run(t, "--repo="+client, "pull-local", r.Path(), v1.String())
	run(t, "--repo="+client, "remote", "add", "--no-gpg-verify", "origin", "file://"+r.Path())
	run(t, "--repo="+client, "pull", "--require-static-deltas", "origin", v2.String())
	run(t, "--repo="+client, "fsck")
	if list := run(t, "--repo="+r.Path(), "static-delta", "list"); strings.TrimSpace(list) != v1.String()+"-"+v2.String() {
		t.Errorf("static-delta list = %q", list)
	}
}

func TestDeterministic(t *testing.T) {
	r, v1, v2 := twoVersions(t)
	var first map[string]string
	for _, workers := range []int{1, 4} {
		report, err := delta.Generate(t.Context(), r, r.Path(), delta.Options{From: &v1, To: v2, Time: 1, Workers: workers, MaxPartSize: 50000})
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		entries, err := os.ReadDir(report.Dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			b, err := os.ReadFile(filepath.Join(report.Dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			files[e.Name()] = string(b)
		}
		if first == nil {
			first = files
		}
		for name, b := range first {
			if files[name] != b {
				t.Errorf("%s differs with %d workers", name, workers)
			}
		}
	}
}

func TestMissing(t *testing.T) {
	r, v1, _ := twoVersions(t)
	_, err := delta.Generate(t.Context(), r, r.Path(), delta.Options{From: &v1, To: ostree.Checksum{1}})
	if !errors.Is(err, ostree.ErrNotFound) || !strings.Contains(err.Error(), "delta from "+v1.String()) {
		t.Errorf("a commit that is not there: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(r.Path(), "tmp", "delta-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// The name is from ostree's own: static-delta generate of these two commits.
func TestDir(t *testing.T) {
	c, err := ostree.ParseChecksum("a17c8815eef9c8769a88787fe44afa2c2d5e66aeaf269ae9933fdc534b3f8140")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := delta.Dir(nil, c), "deltas/oX/yIFe75yHaaiHh_5Er6LC1eZq6vJprpkz_cU0s_gUA"; got != want {
		t.Errorf("Dir = %s, want %s", got, want)
	}
}

func FuzzParseSuperblock(f *testing.F) {
	r, v1, v2 := twoVersions(f)
	for _, from := range []*ostree.Checksum{nil, &v1} {
		report, err := delta.Generate(f.Context(), r, r.Path(), delta.Options{From: from, To: v2})
		if err != nil {
			f.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(report.Dir, "superblock"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		sb, err := delta.ParseSuperblock(in)
		if err != nil {
			if sb != nil || !errors.Is(err, delta.ErrMalformed) {
				t.Fatalf("ParseSuperblock = %v, %v", sb, err)
			}
			return
		}
		out, err := sb.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := delta.ParseSuperblock(out)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := again.Encode(); err != nil || !bytes.Equal(twice, out) {
			t.Fatalf("decode and encode changed the bytes: %v", err)
		}
	})
}

func BenchmarkGenerate(b *testing.B) {
	r, v1, v2 := twoVersions(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := delta.Generate(b.Context(), r, r.Path(), delta.Options{From: &v1, To: v2, MinFallbackSize: -1}); err != nil {
			b.Fatal(err)
		}
	}
}
