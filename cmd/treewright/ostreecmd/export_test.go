package ostreecmd_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/fixture"
)

// exportTree has names and targets of all lengths that matter.
const exportTree = `
n() { printf "$1%.0s" $(seq $2); }
mkdir -p t/d/e t/$(n d 99)/x t/$(n e 98) t/$(n f 100); echo A >t/a; : >t/zero; ln -s a t/l; echo same >t/d/s1; echo same >t/z; chmod 4755 t/d/s1
touch t/$(n a 99) t/$(n a 100) t/$(n a 101); ln -s $(n b 99) t/l99; ln -s $(n b 100) t/l100; ln -s $(n b 101) t/l101; ln -s $(n b 101) t/$(n z 110); ln -s q t/$(n y 110)
echo u >t/ünï; echo s >"t/sp ace"; seq 40000 >t/d/big; chmod 1777 t/d/e
[ $(id -u) != 0 ] || { chown 70000:123456789 t/a; chown -h 2097151:2097152 t/l99; chown 4294967294 t/z; }
`

// TestExportStock compares archives, byte for byte.
func TestExportStock(t *testing.T) {
	for _, mode := range []string{"archive", "bare-user"} {
		w := newTwins(t, mode, exportTree+"c m t; ostree --repo=$R commit -b old --timestamp=@8589934592 --tree=dir=t")
		for _, line := range []string{
			"", "m", "m --subpath=d", "m --subpath=/d --prefix=p/q", "m --subpath=d/e --prefix=/abs/", "m --prefix=./x/", "m --prefix=x/ --subpath=/", "m --no-xattrs", "old",
		} {
			w.pair.same(t, append([]string{"export"}, strings.Fields(line)...)...)
		}
		for _, line := range []string{"m --subpath=/nosuch", "m --subpath=/d/", "m --subpath=/a/b", "nosuch", "m -o /nosuch/x"} {
			w.same(t, "", append([]string{"export"}, strings.Fields(line)...)...) // stock writes an empty archive
		}
		w.same(t, "", "export", "m", "-o", "x.tar")
		w.same(t, "echo old >x.tar", "export", "m", "--output=x.tar", "--subpath=d")
		w.same(t, "ln -s there x.tar; echo old >there; chmod 600 there", "export", "m", "--output=x.tar", "--subpath=d")
	}
}

// TestExportBack has stock, us and GNU tar read archives with attributes, which those of
// stock do not have.
func TestExportBack(t *testing.T) {
	script := exportTree + "setfattr -n user.b -v one t/a; setfattr -n user.a -v 0x00ff0a00 t/a; setfattr -n user.c -v $(n v 3000) t/d; cp -a t/a t/$(n a 150); c m t"
	w := newTwins(t, "archive", script)
	dir := t.TempDir()
	archive := filepath.Join(dir, "x.tar")
	ours(t, "--repo="+w.ours, "export", "m", "-o", archive)
	stock(t, "--repo="+w.ours, "commit", "-b", "stock", "--tree=tar="+archive)
	ours(t, "--repo="+w.ours, "commit", "-b", "back", "--tree=tar="+archive)
	want := contentChecksum(t, w.ours, "m")
	for _, ref := range []string{"stock", "back"} {
		if got := contentChecksum(t, w.ours, ref); got != want {
			t.Errorf("read back by %s: %s, want %s\n%s", ref, got, want, stock(t, "--repo="+w.ours, "diff", "m", ref))
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	tree := filepath.Join(dir, "t")
	shellIn(t, dir, "mkdir t; tar -C t --xattrs --xattrs-include='*' -xpf x.tar")
	if out := stock(t, "--repo="+w.ours, "diff", "m", tree); out != "" {
		t.Errorf("as GNU tar unpacks it:\n%s", out)
	}
}

func contentChecksum(t *testing.T, repo, ref string) string {
	t.Helper()
	for line := range strings.Lines(stock(t, "--repo="+repo, "show", ref)) {
		if sum, ok := strings.CutPrefix(line, "ContentChecksum:"); ok {
			return strings.TrimSpace(sum)
		}
	}
	t.Fatal("no content checksum")
	return ""
}

// TestExportWhole leaves no archive behind when an object is missing, and what was there
// as it was.
func TestExportWhole(t *testing.T) {
	w := newTwins(t, "bare-user", exportTree+"c m t")
	sum := strings.Fields(stock(t, "--repo="+w.ours, "ls", "-C", "m", "/d/big"))[4]
	if err := os.Remove(filepath.Join(w.ours, "objects", sum[:2], sum[2:]+".file")); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	archive := filepath.Join(dir, "x.tar")
	if err := os.WriteFile(archive, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(fixture.Tool(t, "ls"), "-A", dir)
	if status := runOurs(t, &stderr, "--repo="+w.ours, "export", "m", "-o", archive); status != 1 || !strings.Contains(stderr.String(), "Couldn't find file object '"+sum) {
		t.Errorf("status %d, %s", status, stderr.String())
	}
	left, _ := cmd.Output()
	if b, _ := os.ReadFile(archive); string(b) != "old" || string(left) != "x.tar\n" {
		t.Errorf("left %q, %q", b, left)
	}
}
