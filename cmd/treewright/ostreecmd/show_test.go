package ostreecmd_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/cmd/treewright/ostreecmd"
	"github.com/treewright/treewright/pkg/fixture"
)

// stock runs the ostree of the system; the test fails when that does.
func stock(t *testing.T, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(fixture.Tool(t, "ostree"), args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ostree %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out)
}

// sameAsStock runs a command line with both programs and compares standard output,
// the error line, and whether it succeeded.
func sameAsStock(t *testing.T, args ...string) {
	t.Helper()
	var want, wantErr, got, gotErr bytes.Buffer
	cmd := exec.Command(fixture.Tool(t, "ostree"), args...)
	cmd.Stdout, cmd.Stderr = &want, &wantErr
	failed := cmd.Run() != nil
	p := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
	status := p.Run(t.Context(), args, ostreecmd.Streams{In: strings.NewReader(""), Out: &got, Err: &gotErr})
	if got.String() != want.String() || (status != 0) != failed || errorLine(gotErr.String()) != errorLine(wantErr.String()) {
		t.Errorf("ostree %s: status %d\n%s%s\nstock:\n%s%s", strings.Join(args, " "), status, got.Bytes(), gotErr.Bytes(), want.Bytes(), wantErr.Bytes())
	}
}

func errorLine(s string) string {
	for line := range strings.Lines(s) {
		if strings.HasPrefix(line, "error: ") {
			return line
		}
	}
	return ""
}

// showRepo is a repository with two commits on the ref x, made by stock, and the names
// of its objects by their extension.
func showRepo(t *testing.T) (dir string, objects map[string][]string) {
	tree := t.TempDir()
	for name, content := range map[string]string{"a": "hi\n", "empty": "", "big": strings.Repeat("0123456789", 1000)} {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a", filepath.Join(tree, "link")); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "repo")
	stock(t, "--repo="+dir, "init", "--mode=archive")
	commit := []string{"--repo=" + dir, "commit", "-b", "x", "--tree=dir=" + tree}
	stock(t, append(commit, "--generate-sizes", "--timestamp=@1700000000")...)
	stock(t, append(commit, "-s", "subject", "-m", "one\n two\n\nthree\n\n", "--add-metadata-string=version=1.2", "--add-metadata=n=uint32 5",
		"--add-metadata=d={'a': <1>}", "--add-detached-metadata-string=dk=it's", "--timestamp=@1600000000")...)
	found, err := filepath.Glob(filepath.Join(dir, "objects/*/*"))
	if err != nil {
		t.Fatal(err)
	}
	objects = map[string][]string{}
	for _, f := range found {
		ext := filepath.Ext(f)
		objects[ext] = append(objects[ext], filepath.Base(filepath.Dir(f))+strings.TrimSuffix(filepath.Base(f), ext))
	}
	return dir, objects
}

func TestShow(t *testing.T) {
	dir, objects := showRepo(t)
	for _, args := range [][]string{
		{"x"}, {"x^"}, {"--raw", "x"}, {"-B", "x"}, {"-B", "--raw", "x"}, {"--raw", "x^"}, {"x", "more"},
		{"--print-metadata-key=n", "x"}, {"-B", "--print-metadata-key=n", "x"}, {"--print-metadata-key=d", "x"}, {"--print-metadata-key=no", "x"},
		{"--print-detached-metadata-key=dk", "x"}, {"--print-detached-metadata-key=no", "x"}, {"--print-detached-metadata-key=dk", "x^"},
		{"--print-related", "x"}, {"--print-sizes", "x"}, {"--print-sizes", "x^"}, {strings.Repeat("01", 32)}, {}, {"--print-metadata-key=n", strings.Repeat("01", 32)},
	} {
		sameAsStock(t, append([]string{"--repo=" + dir, "show"}, args...)...)
	}
	for _, ext := range []string{".commit", ".dirtree", ".dirmeta", ".filez"} {
		for _, sum := range objects[ext] {
			sameAsStock(t, "--repo="+dir, "show", sum)
			sameAsStock(t, "--repo="+dir, "show", "--raw", sum)
		}
	}
	sum := objects[".commit"][0]
	file := filepath.Join(dir, "objects", sum[:2], sum[2:]+".commit")
	sameAsStock(t, "--repo="+dir, "show", "--print-variant-type=(a{sv}aya(say)sstayay)", file)
}

// Objects that are not here count as needed.
func TestShowSizesNeeded(t *testing.T) {
	dir, objects := showRepo(t)
	for _, sum := range objects[".filez"] {
		if err := os.Remove(filepath.Join(dir, "objects", sum[:2], sum[2:]+".filez")); err != nil {
			t.Fatal(err)
		}
	}
	sameAsStock(t, "--repo="+dir, "show", "--print-sizes", "x^")
}

func TestLog(t *testing.T) {
	dir, objects := showRepo(t)
	for _, args := range [][]string{{"x"}, {"--raw", "x"}, {"x^"}, {strings.Repeat("01", 32)}, {}, {objects[".dirmeta"][0]}} {
		sameAsStock(t, append([]string{"--repo=" + dir, "log"}, args...)...)
	}
	first := strings.TrimSpace(stock(t, "--repo="+dir, "rev-parse", "x^"))
	if err := os.Remove(filepath.Join(dir, "objects", first[:2], first[2:]+".commit")); err != nil {
		t.Fatal(err)
	}
	sameAsStock(t, "--repo="+dir, "log", "x")
	sameAsStock(t, "--repo="+dir, "log", "--raw", "x")
}
