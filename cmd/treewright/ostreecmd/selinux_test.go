package ostreecmd_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/cmd/treewright/ostreecmd"
)

// labelLines are commands that label what they commit; they build on one another.
const labelLines = `
-b plain --tree=dir=t
-b policy --tree=dir=system --tree=dir=t
-b usretc --tree=dir=image --tree=dir=t
-b x --selinux-policy=system t
-b x --selinux-policy=./system/ --canonical-permissions t
-b x --selinux-policy=image --no-xattrs t
-b x --selinux-policy=system --owner-uid=0 --owner-gid=0 --tree=ref=plain
-b x --selinux-policy=system --base=plain --tree=dir=over
-b x --selinux-policy=disabled t
-b x --selinux-policy=t t
-b x --selinux-policy=nosuch t
-b x --selinux-policy= t
-b x --selinux-policy=t/a t
-b x --selinux-policy=system -P t
-b x -P system
-b x -P t
-b x -P --tree=dir=system --tree=dir=t
-b x -P --tree=dir=t --tree=dir=system
-b x -P --tree=ref=usretc
-b x -P --tree=ref=policy
-b x -P --base=usretc --tree=dir=t
-b x -P --base=plain --tree=dir=image
-b x -P --base=usretc --tree=ref=plain
-b x -P --base=nosuch --tree=dir=t`

// TestLabels compares commits that are labelled by a policy with those of stock
// ostree.
func TestLabels(t *testing.T) {
	for _, mode := range []string{"archive", "bare", "bare-user"} {
		t.Run(mode, func(t *testing.T) {
			if mode == "bare" && os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			p := newPair(t, mode)
			inLabelledFolder(t)
			for line := range strings.SplitSeq(strings.TrimSpace(labelLines), "\n") {
				p.same(t, append([]string{"commit", "--parent=none", "--disable-fsync"}, strings.Fields(line)...)...)
			}
			p.check(t)
		})
	}
}

// inLabelledFolder makes files to label and systems with a policy each. No attribute is
// sorted behind the label: stock writes such in the wrong order, so that its own fsck
// finds the object corrupt.
func inLabelledFolder(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	contexts := "/.*\tsystem_u:object_r:default_t:s0\n/usr(/.*)?\tsystem_u:object_r:usr_t:s0\n/usr/etc(/.*)?\tsystem_u:object_r:usretc_t:s0\n" +
		"/etc(/.*)?\tsystem_u:object_r:etc_t:s0\n/d(/.*)?\t-d\tsystem_u:object_r:dir_t:s0\n/d/.*\t-l\tsystem_u:object_r:link_t:s0\n/d/b\t<<none>>\n/\t-d\tsystem_u:object_r:root_t:s0\n"
	files := map[string]string{}
	for dir, mode := range map[string]string{"system/etc": "permissive", "image/usr/etc": "enforcing", "disabled/etc": "disabled"} {
		files[dir+"/selinux/config"] = "SELINUX=" + mode + "\nSELINUXTYPE=tiny\n"
		files[dir+"/selinux/tiny/contexts/files/file_contexts"] = contexts
		files[dir+"/selinux/tiny/contexts/files/file_contexts.subs_dist"] = "/bin /usr/bin\n/usr/lib64 /usr/lib\n"
		files[dir+"/selinux/tiny/policy/policy.33"] = "binary"
		files[dir+"/passwd"] = "root"
	}
	for _, name := range []string{"t/a", "t/bin/sh", "t/d/b", "t/d/e/deep", "t/usr/bin/prog", "over/d/b", "over/d/new"} {
		files[name] = name
	}
	writeFiles(t, files)
	for _, err := range []error{os.Symlink("b", "t/d/link"), os.Chmod("t/usr/bin/prog", 0o4755), os.Link("t/a", "t/d/same"), os.Chmod("t/d", 0o700)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 { // labels that are there: one goes, one stays, since the policy has none
		for _, name := range []string{"t/a", "t/d/b"} {
			unix.Lsetxattr(name, "security.selinux", []byte("old"), 0)
		}
	}
}

// TestLabelsNotKept is about a mode that keeps no attributes: stock writes objects
// there that its own fsck finds corrupt.
func TestLabelsNotKept(t *testing.T) {
	p := newPair(t, "bare-user-only")
	inLabelledFolder(t)
	var out bytes.Buffer
	prog := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
	status := prog.Run(t.Context(), []string{"--repo=" + p.ours, "commit", "-b", "x", "--selinux-policy=system", "t"}, ostreecmd.Streams{Out: &out, Err: &out})
	if status != 1 || !strings.Contains(out.String(), "security.selinux in a repository of mode bare-user-only, which keeps none") {
		t.Errorf("status %d, %s", status, out.String())
	}
}

// TestLabelingEpoch is about a flag that stock 2022.7 does not have: /usr/etc is
// labelled as /etc.
func TestLabelingEpoch(t *testing.T) {
	p := newPair(t, "archive")
	inLabelledFolder(t)
	for epoch, want := range map[string]string{"0": "usretc_t", "1": "etc_t"} {
		ours(t, "--repo="+p.ours, "commit", "-b", "x", "--selinux-policy=image", "--selinux-labeling-epoch="+epoch, "--tree=dir=image")
		out := stock(t, "--repo="+p.ours, "ls", "-d", "-X", "x", "/usr/etc/passwd")
		if !strings.Contains(out, "b'system_u:object_r:"+want+":s0'") {
			t.Errorf("epoch %s: %s", epoch, out)
		}
	}
	p.check(t)
}

// ours runs a command that must work.
func ours(t *testing.T, args ...string) {
	t.Helper()
	var out bytes.Buffer
	prog := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
	if prog.Run(t.Context(), args, ostreecmd.Streams{Out: &out, Err: &out}) != 0 {
		t.Fatalf("ostree %s: %s", strings.Join(args, " "), out.String())
	}
}
