package ostreecmd_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/cmd/treewright/ostreecmd"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// twins is a pair of repositories, and a folder for each program to work in.
type twins struct {
	pair
	stockDir, oursDir string
	trim              func(string) string // takes out of a list what need not be the same
}

// newTwins makes repositories of a mode that both have what script commits: it runs in
// a folder of its own, with $R naming the repository.
func newTwins(t *testing.T, mode, script string) twins {
	t.Helper()
	w := twins{pair: newPair(t, mode), stockDir: filepath.Join(t.TempDir(), "w"), oursDir: filepath.Join(t.TempDir(), "w"), trim: strings.Clone}
	for _, at := range []string{w.stock, w.ours} {
		shellIn(t, t.TempDir(), "R="+at+"; c() { ostree --repo=$R commit -b $1 --tree=dir=$2 >/dev/null; }\n"+script)
	}
	return w
}

// shellIn runs a script in a folder.
func shellIn(t *testing.T, dir, script string) {
	t.Helper()
	cmd := exec.Command("bash", "-euc", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// random is what in a message is another one each time.
var random = regexp.MustCompile(`checkout-union-\w+|tmp\.\w+|\.checkout-\w+|(src|destination)=\d+`)

// same runs prepare and then a command in both folders, which are empty before, and
// compares the messages and what is then in the folders.
func (w twins) same(t *testing.T, prepare string, args ...string) {
	t.Helper()
	for _, dir := range []string{w.stockDir, w.oursDir} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if prepare != "" {
			shellIn(t, dir, prepare)
		}
	}
	var want, got, gotOut bytes.Buffer
	cmd := exec.Command(fixture.Tool(t, "ostree"), append([]string{"--repo=" + w.stock}, args...)...)
	cmd.Dir, cmd.Stderr = w.stockDir, &want
	failed := cmd.Run() != nil
	t.Chdir(w.oursDir)
	prog := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
	status := prog.Run(t.Context(), append([]string{"--repo=" + w.ours}, args...), ostreecmd.Streams{In: strings.NewReader(""), Out: &gotOut, Err: &got})
	left, _ := filepath.Glob(filepath.Join(w.stock, "tmp/checkout-union-*")) // by stock, when it fails
	for _, name := range left {
		os.Remove(name)
	}
	message := func(s, dir string) string {
		return random.ReplaceAllString(strings.ReplaceAll(errorLine(s), dir, "DIR"), "RANDOM")
	}
	what := fmt.Sprintf("mode %s, after %q: ostree %s", w.mode, prepare, strings.Join(args, " "))
	if g, s := message(got.String(), w.oursDir), message(want.String(), w.stockDir); g != s || (status != 0) != failed {
		t.Errorf("%s: status %d\n%sstock:\n%s", what, status, g, s)
	}
	if failed {
		return // stock leaves a half tree
	}
	sameLists(t, what, w.trim(listDisk(t, w.oursDir)), w.trim(listDisk(t, w.stockDir)))
}

// sameLists shows the first line that differs.
func sameLists(t *testing.T, what, got, want string) {
	t.Helper()
	g, s := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(s)) {
		if g[i] != s[i] {
			t.Errorf("%s:\n got %s\nwant %s", what, g[i], s[i])
			return
		}
	}
	if len(g) != len(s) {
		t.Errorf("%s: %d lines, stock %d", what, len(g), len(s))
	}
}

// listDisk lists all of a folder: type, mode, owner, links, device, size, whether the
// time is 1970, target, attributes and content.
func listDisk(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		fmt.Fprintf(&b, "%s %o %d:%d %x", rel, st.Mode, st.Uid, st.Gid, st.Rdev)
		if !d.IsDir() {
			fmt.Fprintf(&b, " links=%d size=%d", st.Nlink, st.Size)
		}
		if d.Type() != fs.ModeSymlink { // the time of one is that of its making
			fmt.Fprintf(&b, " old=%v", st.Mtim.Sec == 0)
		} else {
			target, _ := os.Readlink(p)
			fmt.Fprintf(&b, " -> %s", target)
		}
		xattrs, err := repo.ReadXattrs(p)
		fmt.Fprintf(&b, " %q", xattrs)
		if d.Type().IsRegular() {
			content, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %x", sha256.Sum256(content))
		}
		b.WriteByte('\n')
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// checkoutModes are the modes whose repositories this user can fill.
func checkoutModes() []string {
	modes := []string{"archive", "bare-user", "bare-user-only"}
	if os.Geteuid() == 0 {
		modes = append(modes, "bare")
	}
	return modes
}

// plainTree has what a tree can have that its user can make.
const plainTree = `
mkdir -p t/d/e t/empty t/d/.wh-dir
echo hi >t/a; : >t/zero; ln -s a t/l; ln -s /nowhere t/d/dangling
echo x >t/d/x; chmod 4755 t/d/x; echo s >t/d/same; echo s >t/d/again
echo secret >t/d/e/secret; chmod 0200 t/d/e/secret
seq 40000 >t/big; cp t/big t/d/big2; chmod 640 t/d/big2
for i in $(seq 80); do echo $((i % 60)) >t/empty/file$i; done
setfattr -n user.k -v value t/a; setfattr -n user.d -v value t/d
chmod 1777 t/empty
[ $(id -u) != 0 ] || { chown 5:6 t/d/e/secret t/d; chown -h 7:8 t/l; }
`

// TestCheckoutStock has stock and us write the same tree with each option.
func TestCheckoutStock(t *testing.T) {
	for _, mode := range checkoutModes() {
		t.Run(mode, func(t *testing.T) {
			w := newTwins(t, mode, plainTree+"ostree --repo=$R commit -b m --tree=dir=t --owner-uid=$(id -u) --owner-gid=$(id -g) >/dev/null")
			if os.Geteuid() == 0 {
				w = newTwins(t, mode, plainTree+"c m t")
			}
			for _, line := range []string{
				"", "-U", "-C", "-U -C", "-H", "-U -H", "-U --disable-cache", "-U -M", "-U -z", "-U --union", "-U --union-add", "-U -H --union-identical",
				"-U --subpath=/d", "-U --subpath=/d/x", "-C -U --subpath=/d/x", "-U --subpath=/l", "-U --subpath=/zero", "-U --process-passthrough-whiteouts",
			} {
				w.same(t, "", append(append([]string{"checkout"}, strings.Fields(line)...), "m", "out")...)
			}
		})
	}
}

// TestCheckoutRefused has options that do not go together, and paths that are not there.
func TestCheckoutRefused(t *testing.T) {
	w := newTwins(t, "bare-user", plainTree+"c m t")
	for _, line := range []string{
		"--subpath=/nosuch", "-C --subpath=/nosuch", "--subpath=/nosuch/b", "--subpath=/a/b", "--subpath=/d/", "--subpath=/d/../a",
		"--allow-noent --subpath=/nosuch", "--allow-noent --subpath=/a/b", "-C --allow-noent --subpath=/nosuch",
		"--union --union-add", "--union --union-identical", "--union-add --union-identical", "-H -C", "--union-identical", "--selinux-prefix=/x",
		"--selinux-policy=/nosuch", "--composefs", "--fsync=bogus",
	} {
		w.same(t, "", append(append([]string{"checkout"}, strings.Fields(line)...), "m", "out")...)
	}
	for _, line := range []string{"-U m out", "-C m out", "--union m out", "--union-add m out"} {
		for _, prepare := range []string{"mkdir out", "echo f >out", "mkdir real; ln -s real out"} {
			w.same(t, prepare, append([]string{"checkout"}, strings.Fields(line)...)...)
		}
	}
	for _, line := range []string{"-U --union m .", "m .", "m no/such", "nosuch out", "m", "-U m out extra", "-U m out/"} {
		w.same(t, "", append([]string{"checkout"}, strings.Fields(line)...)...)
	}
}

// TestCheckoutLists has commits and paths to write, or to leave out, from files.
func TestCheckoutLists(t *testing.T) {
	w := newTwins(t, "bare-user", plainTree+"c m t")
	for _, list := range []string{`m\0/d\0m\0/a\0`, `m\0/d\0m`, `m\0/d\0m\0`, `m\0\0`, `m\0/d\0m\0/empty\0`, `m\0/nosuch\0m\0/d\0`, `nosuch\0/d\0`, ``, `m\n/d\n`} {
		for _, option := range []string{"-U", "--allow-noent", "--union"} {
			w.same(t, "printf '"+list+"' >list", "checkout", option, "-U", "--from-file=list", "out")
		}
	}
	w.same(t, "", "checkout", "--from-file=list", "out")
	w.same(t, "", "checkout", "--from-stdin", "--from-file=list", "out")
	for _, list := range []string{`/a\n/d/e/\n`, `/a\n/d/e\n`, `/a\r\n/d/\n`, `a\nd/e`, `/nosuch\n`, `/\n`, ` /a \n\n/d/x`} {
		for _, more := range []string{"--union", "--subpath=/d"} {
			w.same(t, "printf '"+list+"' >list", "checkout", "-U", "--skip-list=list", more, "m", "out")
		}
	}
	w.same(t, "printf '/x\n/e/secret\n' >list", "checkout", "-U", "--skip-list=list", "--subpath=/d", "m", "out")
	w.same(t, "printf '/x\n/d/x\n' >list", "checkout", "-U", "--skip-list=list", "--subpath=/d/x", "m", "out")
	w.same(t, "", "checkout", "-U", "--skip-list=list", "m", "out")
}

// kinds are what is written, olds what is there before, of the name x.
var (
	kinds = map[string]string{
		"file": "echo new >x", "link": "ln -s target x", "zero": ": >x", "dir": "mkdir -m 755 x; echo in >x/f", "edir": "mkdir -m 700 x",
	}
	olds = map[string]string{
		"none": ":", "same": "echo new >x", "other": "echo oth >x", "closed": "echo new >x; chmod 600 x", "xattr": "echo new >x; setfattr -n user.k -v v x",
		"target": "ln -s target x", "elsewhere": "ln -s other x", "zero": ": >x", "full": "mkdir -m 700 x; echo k >x/k", "folder": "mkdir -m 711 x",
		"to-folder": "mkdir -p real; ln -s real x",
	}
	rootsOlds = map[string]string{"owned": "echo new >x; chown 9 x", "owned-zero": ": >x; chown 9 x", "owned-link": "ln -s target x; chown -h 9 x"}
)

// checkoutWays are modes and options that put files in their place in different ways.
func checkoutWays() []string {
	ways := []string{"bare-user -U", "archive", "archive -U", "bare-user-only"}
	if os.Geteuid() == 0 {
		ways = append(ways, "bare", "bare -C")
		maps.Copy(olds, rootsOlds)
	}
	return ways
}

// TestCheckoutOver writes each kind of thing over each other one.
func TestCheckoutOver(t *testing.T) {
	ways := checkoutWays()
	isDir := func(name string) bool {
		return name == "dir" || name == "edir" || name == "full" || name == "folder" || name == "to-folder" || name == "none"
	}
	script := map[string]string{} // the commits
	before := map[string]string{} // the folders
	for _, union := range []string{"--union", "--union-add"} {
		tree := "rm -rf t; mkdir t; cd t\n"
		for _, kind := range slices.Sorted(maps.Keys(kinds)) {
			for _, old := range slices.Sorted(maps.Keys(olds)) {
				if (kind == "dir" || kind == "edir") && !isDir(old) || union == "--union" && (kind != "dir" && kind != "edir") && (old == "full" || old == "folder") {
					continue // fails
				}
				tree += fmt.Sprintf("mkdir %[1]s-%[2]s; (cd %[1]s-%[2]s; %[3]s)\n", kind, old, kinds[kind])
				before[union] += fmt.Sprintf("mkdir -p out/%[1]s-%[2]s; (cd out/%[1]s-%[2]s; %[3]s)\n", kind, old, olds[old])
			}
		}
		script[union] = tree + "cd ..; c all" + union[2:] + " t\n"
	}
	for _, how := range ways {
		mode, option, _ := strings.Cut(how, " ")
		t.Run(how, func(t *testing.T) {
			w := newTwins(t, mode, script["--union"]+script["--union-add"])
			for _, union := range []string{"--union", "--union-add"} {
				w.same(t, before[union], strings.Fields("checkout "+option+" "+union+" all"+union[2:]+" out")...)
			}
		})
	}
}

// TestCheckoutConflicts has what cannot be written over what is there.
func TestCheckoutConflicts(t *testing.T) {
	script := ""
	for name, make := range kinds {
		script += "rm -rf t; mkdir t; (cd t; " + make + "); c " + name + " t\n"
	}
	for _, how := range checkoutWays() {
		mode, option, _ := strings.Cut(how, " ")
		t.Run(how, func(t *testing.T) {
			w := newTwins(t, mode, script)
			for _, pair := range []string{"file full", "link full", "zero folder", "dir same", "dir elsewhere", "edir zero"} {
				kind, old, _ := strings.Cut(pair, " ")
				w.same(t, "mkdir out; cd out; "+olds[old], strings.Fields("checkout "+option+" --union "+kind+" out")...)
			}
			if mode != "bare" && mode != "bare-user" || option == "-C" {
				return
			}
			for _, kind := range []string{"file", "link", "zero"} {
				for _, old := range olds {
					w.same(t, "mkdir out; cd out; "+old, strings.Fields("checkout "+option+" -H --union-identical "+kind+" out")...)
				}
			}
		})
	}
}

// TestCheckoutWhiteouts has files that stand for deleted ones.
func TestCheckoutWhiteouts(t *testing.T) {
	script := `
mkdir -p t/d t/o; echo 1 >t/d/.wh.gone; echo n >t/d/new; : >t/o/.wh..wh..opq; echo z >t/o/z; ln -s q t/.wh.link
echo p >t/d/.ostree-wh.pass; chmod 4751 t/d/.ostree-wh.pass; ln -s q t/.ostree-wh.link
[ $(id -u) != 0 ] || chown 3:4 t/d/.ostree-wh.pass
c m t; echo e >t/.wh.; c empty t`
	prepare := "mkdir -p out/d/gone/x out/o/old; echo q >out/d/q; echo q >out/link; echo x >out/o/x"
	for _, mode := range []string{"archive", "bare-user"} {
		w := newTwins(t, mode, script)
		for _, union := range []string{"--union", "--union-add"} {
			w.same(t, prepare, "checkout", "-U", "--whiteouts", union, "m", "out")
			w.same(t, prepare, "checkout", "-U", union, "m", "out")
			w.same(t, "mkdir -p real/sub out; echo k >real/sub/k; ln -s ../real out/o", "checkout", "-U", "--whiteouts", union, "m", "out")
		}
		w.same(t, "", "checkout", "-U", "--whiteouts", "m", "out")
		w.same(t, "", "checkout", "-U", "--whiteouts", "empty", "out")
		if os.Geteuid() != 0 {
			continue
		}
		for _, option := range []string{"", "-U", "-C", "-U -M"} {
			w.same(t, "", strings.Fields("checkout --process-passthrough-whiteouts "+option+" m out")...)
			for _, old := range []string{"mkdir pass", "echo >pass", "ln -s x pass", "mknod pass c 0 0; chown 3:4 pass; chmod 4751 pass", "mknod -m 600 pass c 0 0"} {
				for _, union := range []string{"--union", "--union-add"} {
					w.same(t, "mkdir -p out/d; cd out/d; "+old, strings.Fields("checkout --process-passthrough-whiteouts "+option+" "+union+" m out")...)
				}
			}
		}
	}
}

// TestCheckoutKeepsCache has unpacked objects shared by checkouts, and stock's too.
func TestCheckoutKeepsCache(t *testing.T) {
	w := newTwins(t, "archive", plainTree+"c m t")
	prepare := "ostree --repo=$0 checkout -U m first; rm -rf second; :"
	for _, at := range []string{w.stock, w.ours} {
		shellIn(t, t.TempDir(), strings.ReplaceAll(prepare, "$0", at))
	}
	w.same(t, "", "checkout", "-U", "m", "out")
	sameLists(t, "unpacked objects", listDisk(t, filepath.Join(w.ours, "uncompressed-objects-cache")), listDisk(t, filepath.Join(w.stock, "uncompressed-objects-cache")))
	for _, at := range []string{w.stock, w.ours} {
		stock(t, "--repo="+at, "config", "set", "core.enable-uncompressed-cache", "false")
	}
	w.same(t, "", "checkout", "-U", "m", "out")
}

// TestCheckoutLabels labels files anew by a policy. Where the kernel has no SELinux, stock
// labels only files.
func TestCheckoutLabels(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("labels need root")
	}
	inLabelledFolder(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	w := newTwins(t, "bare", "cd "+here+"; rm -f t/d/b; c m t; c usr t/usr; ostree --repo=$R commit -b labelled --selinux-policy=system --tree=dir=t")
	label := regexp.MustCompile(`(?m)^(\S+ (40|120).*) \[.*\]$`)
	w.trim = func(s string) string { return label.ReplaceAllString(s, "$1") }
	for _, line := range []string{
		"m", "labelled", "-U m", "--union m", "--subpath=/usr m", "--selinux-prefix=/usr usr", "--selinux-prefix=/etc/ usr", "--selinux-prefix=/usr --subpath=/d m",
		"--subpath=/usr/bin/prog m", "-H m", "--subpath=/d/link m",
	} {
		w.same(t, "", append(append([]string{"checkout", "--selinux-policy=" + here + "/system"}, strings.Fields(line)...), "out")...)
	}
	w.same(t, "", "checkout", "--selinux-policy="+here+"/nosuch", "m", "out")
	want := "system_u:object_r:dir_t:s0"
	w.same(t, "", "checkout", "--selinux-policy="+here+"/system", "m", "out")
	buf := make([]byte, 100)
	if n, err := unix.Getxattr(filepath.Join(w.oursDir, "out/d/e"), "security.selinux", buf); err != nil || string(buf[:n]) != want {
		t.Errorf("label of a folder is %q, %v, want %q", buf[:max(n, 0)], err, want)
	}
}

// runOurs runs a command and returns its status.
func runOurs(t *testing.T, stderr io.Writer, args ...string) int {
	t.Helper()
	prog := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
	return prog.Run(t.Context(), args, ostreecmd.Streams{In: strings.NewReader(""), Out: io.Discard, Err: stderr})
}

// TestCheckoutSplitXattrs reads a repository of a mode that nobody writes any more, from
// libostree's tests.
func TestCheckoutSplitXattrs(t *testing.T) {
	const archive = "/usr/libexec/installed-tests/libostree/bare-split-xattrs-basic.tar.xz"
	if os.Geteuid() != 0 {
		t.Skip("owners need root")
	}
	if _, err := os.Stat(archive); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: it is in the package ostree-tests", err)
		}
		t.Skip(err)
	}
	w := newTwins(t, "bare", "rm -rf $R; tar --same-owner -C $(dirname $R) -xpaf "+archive+"; mv $(dirname $R)/repo $R")
	const commit = "d614c428015227259031b0f19b934dade908942fd71c49047e0daa70e7800a5d"
	w.pair.same(t, "ls", "-R", "-C", "-X", commit)
	w.pair.same(t, "cat", commit, "/bar", "/foolink")
	for _, option := range []string{"", "-U", "-C", "-H", "-U -H"} {
		w.same(t, "", append(append([]string{"checkout"}, strings.Fields(option)...), commit, "out")...)
	}
	ours(t, "--repo="+w.ours, "fsck", "--all")
	shellIn(t, w.stockDir, "mkdir new; echo new >new/file")
	var stderr bytes.Buffer
	if runOurs(t, &stderr, "--repo="+w.ours, "prune") != 1 || runOurs(t, &stderr, "--repo="+w.ours, "commit", "--orphan", w.stockDir+"/new") != 1 {
		t.Errorf("something was written: %s", stderr.String())
	}
	ours(t, "--repo="+w.ours, "fsck", "--all")
}
