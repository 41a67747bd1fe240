package ostreecmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLsCat lists and prints what is at good and bad paths.
func TestLsCat(t *testing.T) {
	for _, mode := range checkoutModes() {
		t.Run(mode, func(t *testing.T) {
			w := newTwins(t, mode, plainTree+"ln -s /a t/abs; ln -s l t/l2; ln -s d t/dl; ln -s d/x t/rel; c m t")
			for _, line := range []string{
				"", "m", "m /", "m d", "m /d/", "m a l", "-d m", "-d m /d", "-d m /a", "-R m /d", "-C m /a /d", "-X m /a /d /l", "-C -X -R m", "-R -d m",
				"--nul-filenames-only m", "--nul-filenames-only -R m /d", "--nul-filenames-only m /a",
				"m /nosuch", "m /a/b", "m /l/x", "m a nosuch d", "m .", "m d/../a", "nosuch", "m big /zero",
			} {
				w.pair.same(t, append([]string{"ls"}, strings.Fields(line)...)...)
			}
			w.pair.same(t, "ls", "m", "")
			for _, line := range []string{"", "m", "m /a", "m l", "m l2", "m abs a", "m rel", "m d", "m /", "m nosuch", "m a/b", "m a nosuch", "m dl", "m dl/x", "m d/dangling", "m zero", "nosuch a"} {
				w.pair.same(t, append([]string{"cat"}, strings.Fields(line)...)...)
			}
		})
	}
}

// diffTrees are two trees with all kinds of differences, in the folders one and two.
const diffTrees = `
mkdir -p one/a/b one/gone/x one/chg one/m one/typd; echo 1 >one/a/b/f; echo k >one/a/keep; echo c >one/chg/c; ln -s x one/ln
echo 2 >one/z; echo g >one/gone/x/g; echo t >one/typ; echo h >one/typd/i; echo same >one/a/equal; seq 30000 >one/big
for i in $(seq 100); do echo $i >one/m/file$i; done
cp -a one two; echo 11 >two/a/b/f; rm -rf two/gone; chmod 700 two/chg; mkdir -p two/new/sub; echo n >two/new/sub/n; ln -sfn y two/ln
echo new >two/anew; echo q >two/zz; rm two/typ; mkdir two/typ; echo u >two/typ/u; rm -rf two/typd; echo w >two/typd; setfattr -n user.q -v 1 two/z
echo kk >two/a/equal; for i in 5 50 99; do echo x$i >two/m/file$i; done; sed -i 's/20000/20001/' two/big
[ $(id -u) != 0 ] || chown 9 two/a/keep
`

// TestDiffStock compares commits and folders.
func TestDiffStock(t *testing.T) {
	t.Chdir(t.TempDir())
	shellIn(t, ".", diffTrees)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"archive", "bare-user"} {
		w := newTwins(t, mode, "cd "+here+"; c m one; c m two; c o one")
		for _, line := range []string{
			"", "m", "m^ m", "one two", "./one ./two", "m ./one", "./two m", "--no-xattrs ./one ./two", "--stats m", "--stats m^ m", "--stats ./one m",
			"--fs-diff m^ m", "--fs-diff --stats m^ m", "o", "nosuch m", "m nosuch", "./nosuch m", "m /nosuch", "--owner-uid=9 m ./two", "--owner-uid=9 --owner-gid=3 ./one ./two",
			"--owner-uid=9 ./two m", "--owner-uid=x m ./two", "--owner-uid=-5 m ./two", "m ../x", "m .", "m ./two/", "--no-xattrs m ./two", "o ./one", "m ./two/a", "./two ./two",
		} {
			w.pair.same(t, append([]string{"diff"}, strings.Fields(line)...)...)
		}
		co := filepath.Join(t.TempDir(), "co")
		stock(t, "--repo="+w.ours, "checkout", "-U", "m", co)
		w.pair.same(t, "diff", "m", co)
		w.pair.same(t, "diff", co, "./two")
	}
}
