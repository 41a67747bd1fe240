package index_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/fixture/tinyrpm"
	"github.com/treewright/treewright/pkg/repodata/index"
)

// TestAsCreaterepo has dnf read our metadata and createrepo_c's of the same packages.
func TestAsCreaterepo(t *testing.T) {
	dnf, createrepo := fixture.Tool(t, "dnf"), fixture.Tool(t, "createrepo_c")
	ours, theirs := t.TempDir(), t.TempDir()
	for _, p := range []tinyrpm.Package{
		{Name: "one", Version: "1.0", Summary: "a < b", Requires: []string{"two >= 1", "(three or two)"}, Recommends: []string{"three"},
			Files: []tinyrpm.File{{Path: "/usr/bin/one", Body: "1", Mode: 0o755}, {Path: "/usr/share/one", Dir: true}, {Path: "/etc/one.conf", Body: "x"}}},
		{Name: "two", Version: "1.0~rc1", Epoch: "1", Arch: "x86_64", Provides: []string{"capability = 3"}, Conflicts: []string{"old < 2"}, Obsoletes: []string{"older"},
			Files: []tinyrpm.File{{Path: "/usr/lib/two", Body: "2"}}},
	} {
		b, err := tinyrpm.Build(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{ours, theirs} {
			if err := os.WriteFile(filepath.Join(dir, p.FileName()), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n, err := index.Write(ours, 1700000000); n != 2 || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if out, err := exec.Command(createrepo, "--general-compress-type=gz", theirs).CombinedOutput(); err != nil {
		t.Fatalf("createrepo_c: %v\n%s", err, out)
	}
	for _, args := range [][]string{
		{"-qa", "--qf", "%{name} %{evr} %{arch} %{summary} %{license} %{sourcerpm} %{size} %{downloadsize} %{buildtime}"}, {"-q", "--requires", "*"}, {"-q", "--provides", "*"},
		{"-q", "--conflicts", "*"}, {"-q", "--obsoletes", "*"}, {"-q", "--recommends", "*"}, {"-q", "-l", "*"}, {"-q", "--whatprovides", "/usr/share/one"},
	} {
		a, b := query(t, dnf, ours, args), query(t, dnf, theirs, args)
		if a != b || a == "" {
			t.Errorf("repoquery %s:\n%s\nof createrepo_c's:\n%s", strings.Join(args, " "), a, b)
		}
	}
}

func query(t *testing.T, dnf, repo string, args []string) string {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "dnf.conf")
	if err := os.WriteFile(conf, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "-q" || a == "-qa" })
	all := append([]string{"-q", "--noplugins", "--config", conf, "--installroot=" + dir, "--releasever=1", "--forcearch=x86_64", "--setopt=reposdir=/nonexistent",
		"--setopt=cachedir=" + dir + "/c", "--setopt=logdir=" + dir, "--repofrompath=r,file://" + repo, "--setopt=r.gpgcheck=0", "--repo=r", "repoquery"}, args...)
	out, err := exec.Command(dnf, all...).CombinedOutput()
	if err != nil {
		t.Fatalf("dnf: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "Added r repo") || strings.HasPrefix(l, "Failed to open log")
	}), "\n")
}
