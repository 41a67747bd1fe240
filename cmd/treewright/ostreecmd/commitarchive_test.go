package ostreecmd_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/cmd/treewright/ostreecmd"
	"github.com/treewright/treewright/pkg/fixture"
)

// shell runs a script of commands that make archives.
func shell(t *testing.T, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

const makeArchives = `
mkdir -p in/d/sub out
echo a >in/d/a; ln in/d/a in/d/h; ln -s a in/d/l; ln in/d/l in/d/lh; chmod 4755 in/d/a; head -c 3000000 /dev/zero >in/d/sub/large
cd in
tar cf ../out/dot.tar .
tar cf ../out/nodot.tar d
tar cf ../out/files.tar d/a d/h d/l
tar cf ../out/onefile.tar d/a
tar -P -cf ../out/abs.tar --transform 's,^d,/d,' d
tar -P -cf ../out/up.tar --transform 's,^,../,' d
tar -P -cf ../out/inner.tar --transform 's,^,x/../,' d
tar -P -cf ../out/self.tar --transform 's,^d,d/./e,' d
find . | cpio -o -H newc --quiet >../out/dot.cpio
find d | cpio -o -H odc --quiet >../out/d.odc.cpio
mkfifo pipe; tar cf ../out/pipe.tar pipe; rm pipe
setfattr -n user.x -v y d/a; setfattr -n user.b -v z d
tar --xattrs -cf ../out/xattr.tar .
cd ..
for c in gzip bzip2 xz zstd; do $c -c <out/dot.tar >out/dot.tar.$c; done
echo foo >out/garbage.tar; : >out/nothing.tar; tar cf out/none.tar -T /dev/null
tar cf out/late.tar -C in d/a d d/l
mkdir -p clash/d1; echo 1 >clash/d; tar cf out/clash.tar -C clash d
`

func TestCommitArchives(t *testing.T) {
	for _, tool := range []string{"tar", "cpio", "setfattr", "xz", "zstd", "bzip2"} {
		fixture.Tool(t, tool)
	}
	inFolder(t)
	if os.Geteuid() != 0 {
		t.Skip("archives of setuid files are made by root")
	}
	shell(t, makeArchives)
	p := newPair(t, "archive")
	archives, err := os.ReadDir("out")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range archives {
		p.same(t, "commit", "--orphan", "--tree=tar=out/"+a.Name())
		p.same(t, "commit", "-b", "x", "--parent=none", "--tar-autocreate-parents", "--tree=tar=out/"+a.Name())
	}
	writeFiles(t, map[string]string{
		"lists/tar": "+1024 /\n+2048 /d/a\n+1024 /d\n", "lists/set": "=256 /d/a\n=292 /d/h\n", "lists/skipa": "/d/a\n", "lists/skiph": "/d/h\n", "lists/skipd": "/d\n",
	})
	for line := range strings.SplitSeq(strings.TrimSpace(`
--tree=tar=nope
--tar-pathname-filter=foo --tree=tar=out/dot.tar
--tar-pathname-filter=x,y --tree=tar=nope
--tar-pathname-filter=^d/,e/ --tar-autocreate-parents --tree=tar=out/dot.tar
--tar-pathname-filter=^,foo/ --tar-autocreate-parents --tree=tar=out/dot.tar
--tar-pathname-filter=(d)/(a),\2/$1\\\1/\0\g<2> --tar-autocreate-parents --tree=tar=out/dot.tar
--tar-pathname-filter=d, --tar-autocreate-parents --tree=tar=out/nodot.tar
--tree=dir=over --tree=tar=out/nodot.tar
--tree=tar=out/dot.tar --tree=dir=over
--tree=tar=out/dot.tar --tree=tar=out/late.tar
--base=x --tree=tar=out/nodot.tar
--owner-uid=5 --tree=dir=over --tar-autocreate-parents --tree=tar=out/files.tar
--owner-uid=5 --owner-gid=6 --no-xattrs --tar-autocreate-parents --tree=tar=out/xattr.tar
--canonical-permissions --mode-ro-executables --tree=tar=out/xattr.tar
--statoverride=lists/tar --tree=tar=out/dot.tar
--statoverride=lists/set --tree=tar=out/dot.tar
--statoverride=lists/set --tree=tar=out/late.tar --tar-autocreate-parents
--skip-list=lists/skipd --tree=tar=out/dot.tar
--skip-list=lists/skipd --tar-autocreate-parents --tree=tar=out/dot.tar
--skip-list=lists/skiph --tar-autocreate-parents --tree=tar=out/late.tar
--skip-list=lists/skipa --tar-autocreate-parents --tree=tar=out/late.tar`), "\n") {
		p.same(t, append([]string{"commit", "-b", "x", "--parent=none"}, strings.Fields(line)...)...)
	}
	p.check(t)
}

// Stock does not come to an end with archives that are cut within content.
func TestCommitArchiveCut(t *testing.T) {
	fixture.Tool(t, "cpio")
	t.Chdir(t.TempDir())
	shell(t, `mkdir d; head -c 3000000 /dev/zero >d/large; head -c 3000 /dev/zero >d/small; tar cf d.tar d; find d | cpio -o -H newc --quiet >d.cpio`)
	p := newPair(t, "archive")
	for _, name := range []string{"d.tar", "d.cpio"} {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{10, 100, 511, 513, 700, 4000, 5000, 1 << 20, 3<<20 - 150000} {
			writeFiles(t, map[string]string{"cut": string(whole[:size])})
			var out, errs bytes.Buffer
			prog := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
			args := []string{"--repo=" + p.ours, "commit", "-b", "x", "--tar-autocreate-parents", "--tree=tar=cut"}
			if prog.Run(t.Context(), args, ostreecmd.Streams{Out: &out, Err: &errs}) == 0 {
				t.Errorf("%d bytes of %s: committed", size, name)
			}
			if line := errorLine(errs.String()); !strings.Contains(line, "Truncated") && size > 512 {
				t.Errorf("%d bytes of %s: %s", size, name, line)
			}
		}
	}
}

// Sparse files and extended attributes of the other kind come from bsdtar.
func TestCommitArchiveOfBsdtar(t *testing.T) {
	fixture.Tool(t, "bsdtar")
	t.Chdir(t.TempDir())
	shell(t, `mkdir d; truncate -s 200000 d/sparse; printf x | dd of=d/sparse bs=1 seek=100000 conv=notrunc status=none; : >d/f; tar -cSf sparse.tar d`)
	if err := unix.Setxattr("d/f", "user.binary", []byte{0, 255, '\n'}, 0); err != nil {
		t.Skip(err)
	}
	// It writes both kinds by default, and stock then has the attribute twice.
	shell(t, `for kind in LIBARCHIVE SCHILY; do bsdtar --xattrs --format=pax --options pax:xattrheader=$kind -cf $kind.tar d; done; bsdtar --format=newc -cf newc.cpio d`)
	p := newPair(t, "bare-user")
	for _, a := range []string{"sparse.tar", "LIBARCHIVE.tar", "SCHILY.tar", "newc.cpio"} {
		p.same(t, "commit", "-b", "x", "--parent=none", "--tar-autocreate-parents", "--tree=tar="+a)
	}
	p.check(t)
}
