package solver_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/solver"
)

func gunzip(t testing.TB, name string) io.Reader {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// baseOS is the metadata of a real distribution; see testdata/README.md.
func baseOS(t testing.TB) *repodata.Repo {
	t.Helper()
	pkgs, err := repodata.ParsePrimary(gunzip(t, "testdata/primary.xml.gz"))
	if err != nil || len(pkgs) != 1125 {
		t.Fatalf("%d packages, %v", len(pkgs), err)
	}
	repo := &repodata.Repo{ID: "baseos", Priority: 99, Packages: pkgs}
	for _, p := range pkgs {
		p.Repo = repo
	}
	return repo
}

// packed is the same repository in packed form.
func packed(t testing.TB, repo *repodata.Repo) *repodata.Repo {
	t.Helper()
	pack := repodata.NewPacker()
	for _, p := range repo.Packages {
		pack.Add(p)
	}
	p, err := pack.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return &repodata.Repo{ID: repo.ID, Priority: repo.Priority, Packed: p}
}

// findFiles finds the files that filelists has and primary has not.
func findFiles(t testing.TB, repo *repodata.Repo, all []*repodata.Package) func(context.Context, []string, func(*repodata.Repo, int, string)) error {
	return func(_ context.Context, paths []string, found func(*repodata.Repo, int, string)) error {
		var extra map[string][]string // path -> NEVRAs
		if err := json.NewDecoder(gunzip(t, "testdata/files.json.gz")).Decode(&extra); err != nil {
			return err
		}
		for _, path := range paths {
			for i, p := range all {
				if slices.Contains(extra[path], p.NEVRA.String()) {
					found(repo, i, path)
				}
			}
		}
		return nil
	}
}

// TestLibsolv compares with what libsolv chose for a thousand requests.
func TestLibsolv(t *testing.T) {
	repo := baseOS(t)
	t.Run("packed", func(t *testing.T) { testLibsolv(t, packed(t, repo), repo.Packages, 1) })
	t.Run("list", func(t *testing.T) { testLibsolv(t, repo, repo.Packages, 20) })
}

func testLibsolv(t *testing.T, repo *repodata.Repo, all []*repodata.Package, each int) {
	s := bufio.NewScanner(gunzip(t, "testdata/libsolv-baseos.jsonl.gz"))
	s.Buffer(nil, 16<<20)
	cases, wrong := 0, 0
	for s.Scan() {
		var c struct {
			Weak    int
			Job     []string
			Install []string
		}
		if err := json.Unmarshal(s.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if cases++; cases%each != 0 {
			continue
		}
		tx, err := solver.Solve(t.Context(), []*repodata.Repo{repo}, solver.Request{
			Install: c.Job, Weak: c.Weak == 1, Arch: "x86_64", Files: findFiles(t, repo, all),
		})
		var unsolvable *solver.Unsolvable
		if err != nil && !errors.As(err, &unsolvable) {
			t.Fatalf("%v: %v", c.Job, err)
		}
		if (c.Install == nil) != (err != nil) {
			t.Errorf("%v (weak %d): %v, libsolv installs %d", c.Job, c.Weak, err, len(c.Install))
			wrong++
			continue
		}
		if err != nil {
			continue
		}
		var got []string
		for _, p := range tx.Install {
			got = append(got, nevraWithEpoch(p))
		}
		slices.Sort(got)
		slices.Sort(c.Install)
		if !slices.Equal(got, c.Install) {
			wrong++
			if wrong <= 10 {
				t.Errorf("%v (weak %d): too many %q, missing %q", c.Job, c.Weak, minus(got, c.Install), minus(c.Install, got))
			}
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	if cases != 1018 {
		t.Errorf("%d cases, want 1018", cases)
	}
	t.Logf("%d of %d the same", cases-wrong, cases)
}

func nevraWithEpoch(p *repodata.Package) string {
	e := p.NEVRA.Epoch
	if e == "" {
		e = "0"
	}
	return p.NEVRA.Name + "-" + e + ":" + p.NEVRA.Version + "-" + p.NEVRA.Release + "." + p.NEVRA.Arch
}

func minus(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

func BenchmarkSolve(b *testing.B) {
	repo := packed(b, baseOS(b))
	for b.Loop() {
		if _, err := solver.Solve(b.Context(), []*repodata.Repo{repo}, solver.Request{Install: []string{"bash", "systemd", "kernel"}, Arch: "x86_64"}); err != nil {
			b.Fatal(err)
		}
	}
}
