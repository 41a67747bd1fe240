package cross

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/cmd/treewright/ostreecmd"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

var manyFiles = flag.Int("many-files", 50_000, "files of the large tree that both commit")

// program is one of the two: it runs a command and returns standard output, and the
// error line when the command fails.
type program struct {
	name string
	run  func(t *testing.T, args ...string) (out, failed string)
}

var programs = []program{{"stock", runAsStock}, {"ours", runAsOurs}}

// crossEnv is what both are told, so that they make the same commit.
func crossEnv() []string { return append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000") }

func runAsStock(t *testing.T, args ...string) (out, failed string) {
	t.Helper()
	var o, e bytes.Buffer
	cmd := exec.Command(fixture.Tool(t, "ostree"), args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = &o, &e, crossEnv()
	if err := cmd.Run(); err != nil {
		failed = errorLine(e.String())
	}
	return o.String(), failed
}

func runAsOurs(t *testing.T, args ...string) (out, failed string) {
	t.Helper()
	var o, e bytes.Buffer
	prog := ostreecmd.Program{Name: "ostree", Environ: crossEnv()}
	if prog.Run(t.Context(), args, ostreecmd.Streams{In: strings.NewReader(""), Out: &o, Err: &e}) != 0 {
		failed = errorLine(e.String())
	}
	return o.String(), failed
}

func (p program) must(t *testing.T, args ...string) string {
	t.Helper()
	out, failed := p.run(t, args...)
	if failed != "" {
		t.Fatalf("%s: ostree %s: %s", p.name, strings.Join(args, " "), failed)
	}
	return out
}

// oddTree makes a tree of all that a commit can have. What needs root is there only
// for root.
func oddTree(t *testing.T, dir string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	files := map[string]string{
		at("empty"): "", at("one"): "1", at("also-one"): "1", at("large"): strings.Repeat("treewright ", 300_000), at("zeros"): strings.Repeat("\x00", 1<<20),
		at(strings.Repeat("n", 255)): "a long name", at("ünï/文/😀"): "unicode", at("a b\tc\nd"): "white space", at("-"): "dash", at(".hidden/..."): "dots",
		at("same/1"): "same", at("same/2"): "same", at(strings.Repeat("deep/", 150) + "bottom"): "deep", at("quote'\"\\$"): "quotes",
	}
	for i := range 300 {
		files[at(fmt.Sprintf("many/%03d", i))] = strings.Repeat(fmt.Sprint(i), i)
	}
	writeFiles(t, files)
	for i, mode := range []uint32{0o4755, 0o2755, 0o1777, 0o6711, 0o000, 0o400, 0o444, 0o777, 0o600} {
		name := at(fmt.Sprintf("mode-%d", i))
		if os.Geteuid() != 0 && mode&0o400 == 0 {
			mode |= 0o400 // else nobody could read it
		}
		writeFiles(t, map[string]string{name: "mode", name + ".d/in": "in"})
		if err := errors.Join(unix.Chmod(name, mode), unix.Chmod(name+".d", mode|0o700)); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(os.Symlink("one", at("link")), os.Symlink("/nowhere/\xe2\x82\xac", at("same/dangling")), os.Symlink(strings.Repeat("t", 4000), at("long-target")),
		os.Symlink(".", at("same/dot")), os.Mkdir(at("empty-dir"), 0o755), os.Link(at("large"), at("hard-link")))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"user.z": "z", "user.a": "\x00\xff\x00", "user.void": "", "user.long": strings.Repeat("v", 1000)} {
		for _, f := range []string{"one", "many", "many/001"} {
			if err := unix.Setxattr(at(f), name, []byte(value), 0); err != nil {
				t.Skip("no user attributes here: ", err)
			}
		}
	}
	if os.Geteuid() == 0 {
		err := errors.Join(os.Lchown(at("same"), 1000, 2000), os.Lchown(at("same/1"), 4294967294, 0), os.Lchown(at("link"), 7, 8),
			unix.Setxattr(at("mode-1"), "security.capability", []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0),
			unix.Lsetxattr(at("link"), "trusted.link", []byte("on a link"), 0))
		if err != nil {
			t.Fatal(err)
		}
	}
}

// allModes are the modes that this user can have a repository in.
func allModes() []string {
	if os.Geteuid() != 0 {
		return []string{"archive", "bare-user", "bare-user-only"}
	}
	return []string{"archive", "bare", "bare-user", "bare-user-only"}
}

// TestCross lets both commit the same tree, and each read, check, check out and pull
// what the other has written, in every mode and from every mode to every other.
func TestCross(t *testing.T) {
	t.Parallel()
	cross(t)
}

// TestCrossAsPlainUser is the same without any privilege.
func TestCrossAsPlainUser(t *testing.T) {
	t.Parallel()
	if !fixture.AsPlainUser(t) {
		cross(t)
	}
}

func cross(t *testing.T) {
	c := crossing{dir: t.TempDir()}
	t.Cleanup(func() { makeWritable(c.dir) })
	tree := filepath.Join(c.dir, "tree")
	oddTree(t, tree)
	for _, mode := range allModes() {
		t.Run(mode, func(t *testing.T) {
			var sums []string
			for _, p := range programs {
				r := c.repo(p.name, mode)
				p.must(t, "--repo="+r, "init", "--mode="+mode)
				sums = append(sums, p.must(t, "--repo="+r, "commit", "-b", "x", "--disable-fsync", "--add-metadata-string=version=1", "--tree=dir="+tree))
			}
			if sums[0] != sums[1] {
				t.Fatalf("commits: stock %s, ours %s%s", sums[0], sums[1], c.firstDifference(t, mode))
			}
		})
	}
	if t.Failed() {
		return
	}
	for _, mode := range allModes() {
		t.Run("from "+mode, func(t *testing.T) {
			for i, writer := range programs {
				r, reader := c.repo(writer.name, mode), programs[1-i]
				reader.must(t, "--repo="+r, "fsck")
				if a, b := writer.must(t, "--repo="+r, "ls", "-R", "x"), reader.must(t, "--repo="+r, "ls", "-R", "x"); a != b {
					t.Errorf("ls of what %s wrote differs", writer.name)
				}
				c.checkouts(t, writer.name, mode)
				c.pulls(t, writer, reader, mode)
			}
		})
	}
}

// crossing is the folder of one such test.
type crossing struct{ dir string }

func (c crossing) repo(writer, mode string) string { return filepath.Join(c.dir, writer+"-"+mode) }

// firstDifference tells which path of two commits is not the same.
func (c crossing) firstDifference(t *testing.T, mode string) string {
	var lists [][]string
	for _, p := range programs {
		out, _ := runAsStock(t, "--repo="+c.repo(p.name, mode), "ls", "-R", "-C", "-X", "x")
		lists = append(lists, strings.Split(out, "\n"))
	}
	for i, line := range lists[0] {
		if strings.HasPrefix(line, "d") && i+1 < len(lists[0]) {
			continue // because of what is in it
		}
		if i >= len(lists[1]) || lists[1][i] != line {
			return fmt.Sprintf("\nstock: %.400q\nours:  %.400q", line, slices.Concat(lists[1], []string{""})[min(i, len(lists[1]))])
		}
	}
	return ""
}

// checkouts compares the checkouts that both make of a repository.
func (c crossing) checkouts(t *testing.T, writer, mode string) {
	t.Helper()
	r := c.repo(writer, mode)
	for _, flags := range [][]string{{"-U"}, {"-U", "-C"}, {}, {"-U", "--subpath=/same"}} {
		var lists [2][]string
		var errs [2]string
		for i, p := range programs {
			dest := filepath.Join(c.dir, "checkout-"+p.name)
			args := slices.Concat([]string{"--repo=" + r, "checkout", "--fsync=false"}, flags, []string{"x", dest})
			if _, errs[i] = p.run(t, args...); errs[i] == "" {
				lists[i] = listDisk(t, dest)
			}
			makeWritable(dest)
			os.RemoveAll(dest)
		}
		if (errs[0] == "") != (errs[1] == "") {
			t.Errorf("checkout %v of %s's: stock %q, ours %q", flags, writer, errs[0], errs[1])
			continue
		}
		if at, a, b := differ(lists[0], lists[1]); at >= 0 {
			t.Errorf("checkout %v of %s's:\nstock: %s\nours:  %s", flags, writer, a, b)
		}
	}
}

// pulls lets the reader pull into every mode, and the writer check what came.
func (c crossing) pulls(t *testing.T, writer, reader program, mode string) {
	t.Helper()
	want := writer.must(t, "--repo="+c.repo(writer.name, mode), "rev-parse", "x")
	for _, to := range allModes() {
		if to == "bare-user-only" && mode != to {
			continue // stock takes owners that this mode cannot keep, and its fsck finds them wrong
		}
		r := filepath.Join(c.dir, "pulled-"+writer.name+"-"+mode+"-"+to)
		reader.must(t, "--repo="+r, "init", "--mode="+to)
		reader.must(t, "--repo="+r, "config", "set", "core.fsync", "false")
		reader.must(t, "--repo="+r, "pull-local", c.repo(writer.name, mode), "x")
		writer.must(t, "--repo="+r, "fsck")
		if got := writer.must(t, "--repo="+r, "rev-parse", "x"); got != want {
			t.Errorf("pull of %s's %s to %s: x is %s, want %s", writer.name, mode, to, got, want)
		}
	}
}

// differ returns where two lists are not the same; -1 when they are.
func differ(a, b []string) (at int, x, y string) {
	for i := range max(len(a), len(b)) {
		x, y = "nothing", "nothing"
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return i, x, y
		}
	}
	return -1, "", ""
}

// makeWritable lets a folder be removed.
func makeWritable(dir string) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
}

// TestManyFiles commits a large tree with both.
func TestManyFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	dir, err := os.MkdirTemp("/dev/shm", "many-files-*") // in memory, where files are soon made
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for i := range *manyFiles {
		d := filepath.Join(dir, "tree", fmt.Sprint(i%50), fmt.Sprint(i%1000))
		if i < 1000 {
			if err := os.MkdirAll(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(d, fmt.Sprint(i)), fmt.Append(nil, i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var sums []string
	for _, p := range programs {
		r := filepath.Join(dir, p.name)
		p.must(t, "--repo="+r, "init", "--mode=archive")
		sums = append(sums, p.must(t, "--repo="+r, "commit", "-b", "x", "--disable-fsync", "--tree=dir="+filepath.Join(dir, "tree")))
	}
	if sums[0] != sums[1] {
		t.Errorf("commits: stock %s, ours %s", sums[0], sums[1])
	}
	programs[0].must(t, "--repo="+filepath.Join(dir, "ours"), "fsck", "-q")
}

// TestSparse commits a file of 4 GiB and a byte. The object's checksum is stock's, which
// takes a minute for it: truncate -s 4294967297 t/big; ostree commit -b x t; ostree ls
// -C x /big.
func TestSparse(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	dir := t.TempDir()
	tree, r := filepath.Join(dir, "t"), filepath.Join(dir, "repo")
	writeFiles(t, map[string]string{filepath.Join(tree, "big"): ""})
	if err := os.Truncate(filepath.Join(tree, "big"), 4<<30+1); err != nil {
		t.Fatal(err)
	}
	ours := programs[1]
	ours.must(t, "--repo="+r, "init", "--mode=archive")
	ours.must(t, "--repo="+r, "commit", "-b", "x", "--disable-fsync", "--owner-uid=0", "--owner-gid=0", "--no-xattrs", tree)
	const want = "-00644 0 0 4294967297 80caa72e33bc840c779174daa0ec05b9c321c4922da30ba3a488f98b22f3fbb1 /big\n"
	for _, p := range programs {
		if out := p.must(t, "--repo="+r, "ls", "-C", "x", "/big"); out != want {
			t.Errorf("%s sees %s, want %s", p.name, out, want)
		}
	}
}

// TestBadNames is about names that no commit can have: both refuse them.
func TestBadNames(t *testing.T) {
	t.Chdir(t.TempDir())
	var repos []string
	for _, p := range programs {
		r := filepath.Join(t.TempDir(), p.name)
		p.must(t, "--repo="+r, "init", "--mode=archive")
		repos = append(repos, r)
	}
	writeFiles(t, map[string]string{"t/bad\xff": "x", "d/ok/\xc3(/x": "x"})
	for _, dir := range []string{"t", "d"} {
		var failed [2]string
		for i, p := range programs {
			_, failed[i] = p.run(t, "--repo="+repos[i], "commit", "-b", "x", dir)
		}
		if failed[0] != failed[1] || failed[0] == "" {
			t.Errorf("commit of %s: stock %q, ours %q", dir, failed[0], failed[1])
		}
	}
	// Of a link whose target is not UTF-8 stock makes an object without the target.
	if err := errors.Join(os.Mkdir("l", 0o755), os.Symlink("\xff\xfe", "l/link")); err != nil {
		t.Fatal(err)
	}
	if _, failed := runAsOurs(t, "--repo="+repos[1], "commit", "-b", "x", "l"); !strings.Contains(failed, "link target \"\\xff\\xfe\"") {
		t.Errorf("a link target that is not UTF-8: %s", failed)
	}
	for _, name := range []string{"", ".", "..", "a/b", "/"} {
		badTree(t, repos, name)
	}
}

// badTree writes a commit whose tree has a file of that name. Nobody may take it.
func badTree(t *testing.T, repos []string, name string) {
	t.Helper()
	object := func(typ ostree.ObjectType, raw []byte) ostree.Checksum {
		c := ostree.Sum(raw)
		for _, r := range repos {
			at := filepath.Join(r, "objects", c.String()[:2])
			if err := errors.Join(os.MkdirAll(at, 0o755), os.WriteFile(filepath.Join(at, c.String()[2:]+"."+typ.String()), raw, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	file := ostree.Checksum{1, 2, 3}
	rawTree, err := gvariant.Encode("(a(say)a(sayay))", gvariant.Tuple{[]any{gvariant.Tuple{name, file[:]}}, []any{}})
	if err != nil {
		t.Fatal(err)
	}
	rawMeta, err := (&ostree.DirMeta{Mode: 0o755}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := (&ostree.Commit{Root: object(ostree.TypeDirTree, rawTree), RootMeta: object(ostree.TypeDirMeta, rawMeta), Timestamp: 1}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	c := object(ostree.TypeCommit, raw)
	for i, r := range repos {
		for _, args := range [][]string{{"fsck"}, {"ls", "-R", c.String()}, {"checkout", c.String(), filepath.Join(t.TempDir(), "out")}} {
			if out, failed := programs[i].run(t, append([]string{"--repo=" + r}, args...)...); failed == "" {
				t.Errorf("%s: name %q: ostree %s works:\n%s", programs[i].name, name, strings.Join(args, " "), out)
			}
		}
		if err := os.Remove(filepath.Join(r, "objects", c.String()[:2], c.String()[2:]+".commit")); err != nil { // fsck finds one bad name at a time
			t.Error(err)
		}
	}
}

func errorLine(s string) string {
	for line := range strings.Lines(s) {
		if strings.HasPrefix(line, "error: ") {
			return line
		}
	}
	return "no error line: " + s
}

func writeFiles(t *testing.T, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

// listDisk lists a folder on disk, a line for each file.
func listDisk(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		line := fmt.Sprintf("%q %o %d:%d", rel, st.Mode, st.Uid, st.Gid)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" links %d, %d bytes %x", st.Nlink, len(b), sha256.Sum256(b))
		case unix.S_IFLNK:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + target
		}
		xattrs, err := repo.ReadXattrs(path)
		out = append(out, fmt.Sprintf("%s %q", line, xattrs))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
