package sysroot_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/sysroot"
)

func tree(t testing.TB) *filetree.Node {
	root := filetree.NewDir(0o755)
	for p, n := range map[string]*filetree.Node{
		"usr/lib/modules/6.1/vmlinuz": filetree.Bytes([]byte("the kernel"), 0o755), "usr/lib/modules/6.1/initramfs.img": filetree.Bytes([]byte("the initramfs"), 0o600),
		"usr/lib/os-release": filetree.Bytes([]byte("ID=test\nPRETTY_NAME=\"Test OS\"\n"), 0o644), "usr/etc/hostname": filetree.Bytes([]byte("h\n"), 0o644),
		"usr/lib/tmpfiles.d/x.conf": filetree.Bytes([]byte("d /var/x\n"), 0o644), "usr/bin/su": filetree.Bytes([]byte("su"), 0o4755),
		"usr/bin/link": filetree.NewSymlink("su"), "usr/lib/empty": filetree.Bytes(nil, 0o644), "usr/etc/os-release": filetree.NewSymlink("../usr/lib/os-release"),
		"home": filetree.NewSymlink("var/home"), "ostree": filetree.NewSymlink("sysroot/ostree"),
	} {
		if err := root.Put(p, n); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"boot", "sysroot", "var", "dev", "proc", "run", "sys"} {
		if _, err := root.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func commit(t testing.TB, root *filetree.Node) (*repo.Repo, ostree.Checksum) {
	t.Helper()
	r, err := repo.Create(filepath.Join(t.TempDir(), "repo"), ostree.ModeArchive)
	if err != nil {
		t.Fatal(err)
	}
	r.DisableSync()
	txn, err := r.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer txn.Abort()
	dt, dm, err := txn.WriteTree(t.Context(), root, repo.TreeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := txn.WriteCommit(&ostree.Commit{Timestamp: 1700000000, Root: dt, RootMeta: dm, Metadata: []ostree.MetaEntry{
		{Key: "version", Value: gvariant.Variant{Type: "s", Value: "42.1"}}}})
	if err != nil {
		t.Fatal(err)
	}
	txn.SetRef("test/ref", c)
	if err := txn.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r, c
}

// list is a tree as lines, of which stock's and ours must be equal.
func list(t testing.TB, root *filetree.Node) []string {
	var out []string
	err := root.Walk(func(p string, n *filetree.Node) error {
		if n.Link != nil {
			n = n.Link
		}
		line := p + " " + map[filetree.Kind]string{filetree.Dir: "d", filetree.File: "f", filetree.Symlink: "l"}[n.Kind] + " " + n.Target
		if n.Kind == filetree.File && n.Size > 0 {
			rc, err := n.From.Open()
			if err != nil {
				return err
			}
			b, err := io.ReadAll(rc)
			rc.Close()
			if err != nil {
				return err
			}
			line += string(b)
		}
		out = append(out, strings.TrimSpace(line))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func readDisk(t testing.TB, dir string) *filetree.Node {
	t.Helper()
	root := filetree.NewDir(0o755)
	err := filepath.Walk(dir, func(p string, st os.FileInfo, err error) error {
		rel, _ := filepath.Rel(dir, p)
		if err != nil || rel == "." {
			return err
		}
		switch {
		case st.IsDir():
			_, err = root.MkdirAll(rel, 0o755)
		case st.Mode()&os.ModeSymlink != 0:
			target, e := os.Readlink(p)
			err = errors.Join(e, root.Put(rel, filetree.NewSymlink(target)))
		default:
			b, e := os.ReadFile(p)
			err = errors.Join(e, root.Put(rel, filetree.Bytes(b, 0o644)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// TestAsStock deploys the same commit with `ostree admin` and compares what lies on
// disk. It needs root, as ostree does.
func TestAsStock(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("ostree admin deploy needs root")
	}
	tool := fixture.Tool(t, "ostree")
	r, c := commit(t, tree(t))
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Fatalf("ostree %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run("admin", "init-fs", "--modern", dir)
	t.Cleanup(func() { exec.Command("chattr", "-R", "-i", dir).Run() })
	run("config", "--repo="+dir+"/ostree/repo", "set", "sysroot.bootloader", "none")
	run("config", "--repo="+dir+"/ostree/repo", "set", "sysroot.readonly", "true")
	run("admin", "os-init", "--sysroot="+dir, "testos")
	run("remote", "add", "--repo="+dir+"/ostree/repo", "--no-gpg-verify", "up", "file:///srv/repo")
	run("pull-local", "--repo="+dir+"/ostree/repo", r.Path(), c.String())
	run("refs", "--repo="+dir+"/ostree/repo", "--create=up:test/ref", c.String())
	run("admin", "deploy", "--sysroot="+dir, "--os=testos", "--karg=root=LABEL=root", "--karg=rw", "up:test/ref")
	l, err := sysroot.Deploy(t.Context(), r, sysroot.Options{Commit: c, Ref: "test/ref", Stateroot: "testos",
		Remote: &sysroot.Remote{Name: "up", URL: "file:///srv/repo"}, KernelArgs: []string{"root=LABEL=root", "rw"}, Time: 1700000000})
	if err != nil {
		t.Fatal(err)
	}
	ours := append(list(t, l.Root), prefix("boot/", list(t, l.Boot))...)
	stock := list(t, readDisk(t, dir))
	// What stock leaves besides: locks, caches, and folders of a stateroot of old.
	besides := regexp.MustCompile(`^(ostree/repo/(\.lock|tmp|extensions|state|config|refs/heads/ostree/[01]/[01]/0|refs/(heads|mirrors|remotes)?( d)?$).*|ostree/lock.*|ostree/deploy/testos/var/.*|ostree/repo/refs/heads/ostree.*|boot/?( ?d)?|d|)$`)
	filter := func(in []string) []string {
		out := slices.DeleteFunc(slices.Clone(in), func(s string) bool { return besides.MatchString(strings.SplitN(s, "\n", 2)[0]) })
		sort.Strings(out)
		return out
	}
	a, b := filter(ours), filter(stock)
	if len(a) < 60 {
		t.Errorf("only %d entries", len(a))
	}
	for _, s := range a {
		if !slices.Contains(b, s) {
			t.Errorf("only ours:   %.200q", s)
		}
	}
	for _, s := range b {
		if !slices.Contains(a, s) {
			t.Errorf("only stock's: %.200q", s)
		}
	}
}

func prefix(p string, in []string) (out []string) {
	for _, s := range in {
		out = append(out, p+s)
	}
	return out
}

func TestHardLinks(t *testing.T) {
	r, c := commit(t, tree(t))
	l, err := sysroot.Deploy(t.Context(), r, sysroot.Options{Commit: c, Ref: "test/ref", Stateroot: "os"})
	if err != nil {
		t.Fatal(err)
	}
	su := l.DeploymentRoot.Lookup("usr/bin/su")
	if su.Link == nil || su.Link.Mode != 0o4755 {
		t.Errorf("su is %+v, want a link to its object", su)
	}
	if l.DeploymentRoot.Lookup("usr/lib/empty").Link != nil {
		t.Error("an empty file is shared")
	}
	if l.DeploymentRoot.Lookup("etc/hostname").Link != nil {
		t.Error("a file of /etc is shared with the repository: a write to it would change the object")
	}
	if want := "ostree=/ostree/boot.1/os/" + l.BootChecksum + "/0"; l.KernelArgs[len(l.KernelArgs)-1] != want {
		t.Errorf("kernel arguments %q, want %s last", l.KernelArgs, want)
	}
}

// TestOwnFiles names what is not the commit's by the path that a host has it at.
func TestOwnFiles(t *testing.T) {
	r, c := commit(t, tree(t))
	l, err := sysroot.Deploy(t.Context(), r, sysroot.Options{Commit: c, Ref: "test/ref", Stateroot: "os"})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]*filetree.Node{}
	err = l.OwnFiles(func(p string, n *filetree.Node) error {
		if seen[p] != nil && p != "/boot" { // the mount point, and what is mounted
			t.Errorf("%s comes twice", p)
		}
		seen[p] = n
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/", "/ostree/repo/config", "/ostree/deploy/os", "/ostree/deploy/os/deploy", "/" + l.Deployment + ".origin", "/var", "/etc", "/etc/hostname", "/boot", "/boot/loader", "/boot/loader.1/entries/ostree-1-os.conf"} {
		if seen[p] == nil {
			t.Errorf("%s is missing", p)
		}
	}
	for p, n := range seen {
		if strings.HasPrefix(p, "/"+l.Deployment+"/") || strings.HasSuffix(p, ".file") || n.Link != nil || strings.HasPrefix(p, "/ostree/deploy/os/var") {
			t.Errorf("%s is not its own", p)
		}
	}
}

func TestRefused(t *testing.T) {
	r, c := commit(t, tree(t))
	bare, d := commit(t, filetree.NewDir(0o755))
	for name, tc := range map[string]struct {
		r    *repo.Repo
		o    sysroot.Options
		want error
	}{
		"no kernel":      {bare, sysroot.Options{Commit: d, Stateroot: "os"}, sysroot.ErrNotBootable},
		"no commit":      {r, sysroot.Options{Commit: ostree.Checksum{1}, Stateroot: "os"}, ostree.ErrNotFound},
		"bad stateroot":  {r, sysroot.Options{Commit: c, Stateroot: "../x"}, nil},
		"bad argument":   {r, sysroot.Options{Commit: c, Stateroot: "os", KernelArgs: []string{"a\nb"}}, nil},
		"remote, no ref": {r, sysroot.Options{Commit: c, Stateroot: "os", Remote: &sysroot.Remote{Name: "a", URL: "b"}}, nil},
	} {
		if _, err := sysroot.Deploy(t.Context(), tc.r, tc.o); err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}
