package ostreecmd_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/cmd/treewright/ostreecmd"
	"github.com/treewright/treewright/pkg/fixture"
)

// pair is a repository of stock ostree and one of ours, which are given the same
// commands.
type pair struct {
	stock, ours string
	mode        string
}

func newPair(t *testing.T, mode string, more ...string) pair {
	t.Helper()
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	dir := t.TempDir()
	p := pair{filepath.Join(dir, "stock"), filepath.Join(dir, "ours"), mode}
	for _, at := range []string{p.stock, p.ours} {
		stock(t, append([]string{"--repo=" + at, "init", "--mode=" + mode}, more...)...)
	}
	return p
}

// same runs a command with both programs, each in its repository. Standard output,
// the error line and the status must be the same; the output is the result.
func (p pair) same(t *testing.T, args ...string) string {
	t.Helper()
	var want, wantErr, got, gotErr bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, fixture.Tool(t, "ostree"), append([]string{"--repo=" + p.stock}, args...)...)
	cmd.Stdout, cmd.Stderr = &want, &wantErr
	failed := cmd.Run() != nil
	prog := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
	status := prog.Run(t.Context(), append([]string{"--repo=" + p.ours}, args...), ostreecmd.Streams{In: strings.NewReader(""), Out: &got, Err: &gotErr})
	if got.String() != want.String() || (status != 0) != failed || errorLine(gotErr.String()) != errorLine(wantErr.String()) {
		t.Errorf("mode %s: ostree %s: status %d\n%s%s\nstock:\n%s%s", p.mode, strings.Join(args, " "), status, got.Bytes(), gotErr.Bytes(), want.Bytes(), wantErr.Bytes())
	}
	return got.String()
}

// check lets stock check what we wrote.
func (p pair) check(t *testing.T) {
	t.Helper()
	stock(t, "--repo="+p.ours, "fsck")
}

// inFolder makes a folder with files for commits and changes to it.
func inFolder(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	writeFiles(t, map[string]string{
		"t/a": "hello\n", "t/d/b": "b\n", "t/d/empty": "", "t/d/e/deep": strings.Repeat("deep ", 5000), "t/usr/bin/prog": "#!/bin/sh\n",
		"over/d/b": "another\n", "over/d/new": "new\n", "over/z": "z", "file/d": "a file\n",
		"lists/modes": "+2048 /a\n=448 /d\n", "lists/root": "+1024 /\n", "lists/hex": "1024 /a\n0x200 /d\n=0x1 /d/b", "lists/unmatched": "+1 /nope\n", "lists/set": "=1 /nope\n",
		"lists/bad": "bad\n", "lists/skip": "/d/e\n/a\n", "lists/skipmore": "/d\n/nope\n", "lists/skiproot": "/\n",
	})
	for _, err := range []error{
		os.Symlink("a", "t/link"), os.Symlink("/nowhere", "t/d/dangling"),
		os.Chmod("t/usr/bin/prog", 0o755), os.Chmod("t/a", 0o664), os.Chmod("t/d", 0o770|os.ModeSetgid), os.Chmod("t", 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Setxattr("t/a", "user.one", []byte("1"), 0); errors.Is(err, unix.ENOTSUP) {
		t.Skip("no user attributes here")
	}
	unix.Setxattr("t/d", "user.dir", []byte("d\x00"), 0)
	unix.Setxattr("t/a", "user.void", nil, 0)
}

func writeFiles(t *testing.T, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

// Each line is one command; they build on one another.
const commitLines = `
-b x t
-b x --tree=dir=t
-b x --table-output t
-b x --tree=dir=t --tree=dir=over
-b x --tree=dir=over --tree=ref=x
-b x --base=x --tree=dir=over/d
-b x --skip-if-unchanged --base=x --tree=dir=over/d
-b x -s subject -m body t
-b x -F lists/modes t
-b y --orphan t
--orphan t
-b x --parent=none t
-b x --parent=foo t
-b remote:x t
-b x --canonical-permissions t
-b x t
-b x --canonical-permissions --tree=ref=x
-b x --no-xattrs t
-b x --owner-uid=0 --owner-gid=0 t
-b x --owner-uid=0 --tree=ref=x --tree=dir=over
-b x --owner-uid=-1 --owner-gid=-1 t
-b x --mode-ro-executables t
-b x --statoverride=lists/root t
-b x --statoverride=lists/hex t
-b x --statoverride=lists/set t
-b x --statoverride=lists/unmatched t
-b x --statoverride=lists/bad t
-b x --statoverride=nope t
-b x --skip-list=lists/skip t
-b x --skip-list=lists/skip --tree=ref=x --tree=dir=t
-b x --skip-list=lists/skipmore t
-b x --skip-list=lists/skiproot t
-b x --add-metadata-string=v=1 --add-metadata=n=5 --add-metadata-string=v=2 t
-b x --keep-metadata=n --keep-metadata=v t
-b x --keep-metadata=nope t
--orphan --keep-metadata=n t
-b x --add-metadata-string=foo t
-b x --add-metadata-string==v t
-b x --add-metadata=foo=bar t
-b x --bind-ref=z --bind-ref=a t
-b x --no-bindings t
-b x --add-detached-metadata-string=k=v t
-b x --timestamp=@1234567890 t
-b x --timestamp=2005-10-29T12:43:29Z t
-b x --timestamp=foo t
-b x --fsync=false t
-b x --fsync=foo t
-b x --disable-fsync t
-b x --owner-uid=foo t
-b x --bootable t
-b x --tree=dir=t --tree=dir=file
-b x --tree=dir=file --tree=dir=t
-b x --tree=t
-b x --tree=foo=t
-b x --tree=ref=nope
-b x --base=nope t
-b x --tree=dir=nope
-b x nope
-b x t/a
-b x/y t
-b a/b t
-b a t
t`

func TestCommitAsStock(t *testing.T) {
	for _, mode := range []string{"archive", "bare", "bare-user", "bare-user-only"} {
		t.Run(mode, func(t *testing.T) {
			if mode == "bare" && os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			inFolder(t)
			p := newPair(t, mode)
			for line := range strings.SplitSeq(strings.TrimSpace(commitLines), "\n") {
				p.same(t, append([]string{"commit"}, strings.Fields(line)...)...)
			}
			if mode != "bare-user-only" {
				p.same(t, "commit", "-b", "x", "--statoverride=lists/modes", "t")
			}
			p.check(t)
			p.same(t, "show", "--print-detached-metadata-key=k", "x")
		})
	}
}

func TestCommitCollection(t *testing.T) {
	inFolder(t)
	p := newPair(t, "archive", "--collection-id=org.example.Os")
	for _, more := range []string{"", "--no-bindings", "--bind-ref=b", "--add-metadata-string=ostree.collection-binding=org.example.Mine"} {
		p.same(t, append([]string{"commit", "-b", "x", "--tree=dir=t"}, strings.Fields(more)...)...)
	}
	p.check(t)
}

func TestCommitBootable(t *testing.T) {
	inFolder(t)
	p := newPair(t, "archive")
	bootable := []string{"commit", "-b", "x", "--bootable", "t"}
	p.same(t, bootable...)
	writeFiles(t, map[string]string{"t/usr/lib/modules/5.1/config": ""})
	p.same(t, bootable...)
	writeFiles(t, map[string]string{"t/usr/lib/modules/5.1/vmlinuz": "kernel"})
	p.same(t, bootable...)
	p.same(t, append(bootable, "--tree=ref=x")...)
	writeFiles(t, map[string]string{"t/usr/lib/modules/6.1/vmlinuz": "kernel"})
	p.same(t, bootable...)
}

// Compressed sizes are ours; stock must understand them and find all objects in them.
func TestCommitSizes(t *testing.T) {
	inFolder(t)
	p := newPair(t, "archive")
	for _, at := range []string{p.stock, p.ours} {
		args := []string{"--repo=" + at, "commit", "-b", "x", "--generate-sizes", "t"}
		if at == p.stock {
			stock(t, args...)
			continue
		}
		prog := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
		var out bytes.Buffer
		if prog.Run(t.Context(), args, ostreecmd.Streams{Out: &out, Err: &out}) != 0 {
			t.Fatal(out.String())
		}
	}
	sizes := func(at string) string { return stock(t, "--repo="+at, "show", "--print-sizes", "x") }
	want, got := strings.Split(sizes(p.stock), "\n"), strings.Split(sizes(p.ours), "\n")
	for i, line := range want {
		if !strings.HasPrefix(line, "Compressed") && (i >= len(got) || got[i] != line) {
			t.Errorf("sizes:\n%s\nstock:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			break
		}
	}
	p.check(t)
}

func TestCommitEditor(t *testing.T) {
	inFolder(t)
	p := newPair(t, "archive")
	for _, script := range []string{
		`printf '\n# no\nSubject \n\n# no\n\nBody\n  more\n\n\n' > "$1"`, `printf 'S\n' > "$1"`, `printf '# no\n' > "$1"`, `exit 1`,
	} {
		writeFiles(t, map[string]string{"editor": "#!/bin/sh\n" + script + "\n"})
		if err := os.Chmod("editor", 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("OSTREE_EDITOR", "./editor")
		p.same(t, "commit", "-b", "x", "-e", "t")
	}
}

func TestCommitConsume(t *testing.T) {
	for _, args := range [][]string{{"t"}, {"--tree=dir=t", "--tree=dir=over"}, {"--skip-list=lists/skip", "t"}} {
		inFolder(t)
		p := newPair(t, "archive")
		want := stock(t, append([]string{"--repo=" + p.stock, "commit", "-b", "x"}, args...)...)
		var out, errs bytes.Buffer
		prog := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
		status := prog.Run(t.Context(), append([]string{"--repo=" + p.ours, "commit", "-b", "x", "--consume"}, args...), ostreecmd.Streams{Out: &out, Err: &errs})
		if status != 0 || out.String() != want {
			t.Errorf("commit --consume: %s%s, want %s", out.Bytes(), errs.Bytes(), want)
		}
		if _, err := os.Lstat("t"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("commit --consume %s: t is still there", args)
		}
	}
}

// In repositories that keep files as they are a consumed file becomes the object.
func TestCommitAdopts(t *testing.T) {
	for mode, want := range map[string]bool{"archive": false, "bare-user": false, "bare-user-only": true, "bare": true} {
		if mode == "bare" && os.Geteuid() != 0 {
			continue
		}
		inFolder(t)
		p := newPair(t, mode)
		if err := errors.Join(os.Link("t/usr/bin/prog", "kept"), os.Link("t/a", "other")); err != nil {
			t.Fatal(err)
		}
		sum := strings.TrimSpace(stock(t, "--repo="+p.stock, "commit", "-b", "x", "t"))
		var out, errs bytes.Buffer
		prog := ostreecmd.Program{Name: "ostree", Environ: os.Environ()}
		if prog.Run(t.Context(), []string{"--repo=" + p.ours, "commit", "-b", "x", "--consume", "t"}, ostreecmd.Streams{Out: &out, Err: &errs}) != 0 || strings.TrimSpace(out.String()) != sum {
			t.Fatalf("mode %s: %s%s, want %s", mode, out.Bytes(), errs.Bytes(), sum)
		}
		kept, err := os.Stat("kept")
		if err != nil {
			t.Fatal(err)
		}
		objects, err := filepath.Glob(p.ours + "/objects/*/*.file")
		if err != nil {
			t.Fatal(err)
		}
		got := false
		for _, o := range objects {
			if st, err := os.Lstat(o); err == nil && os.SameFile(st, kept) {
				got = true
			}
		}
		if got != want {
			t.Errorf("mode %s: the file became the object: %v, want %v", mode, got, want)
		}
		p.check(t)
	}
}
