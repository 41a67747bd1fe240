package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/rootfs/sandbox"
)

// overlay returns a folder for one, or skips the test where there can be none.
func overlay(t *testing.T) string {
	t.Helper()
	// A name that could be taken for mount options.
	dir := filepath.Join(t.TempDir(), "over,lay: x\\")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := sandbox.CheckOverlay(t.Context(), dir); errors.Is(err, sandbox.ErrNoOverlay) && os.Getenv("CI") == "" {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sandbox.RemoveAll(context.WithoutCancel(t.Context()), dir) })
	return dir
}

// show tells a change in a line.
func show(t *testing.T, c sandbox.Change) string {
	t.Helper()
	switch {
	case c.Deleted:
		return c.Path + " deleted"
	case c.Node.Kind == filetree.Dir && c.Opaque:
		return c.Path + " dir opaque"
	case c.Node.Kind == filetree.Dir:
		return c.Path + " dir"
	case c.Node.Kind == filetree.Symlink:
		return c.Path + " -> " + c.Node.Target
	}
	r, err := c.Node.From.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil || int64(len(b)) != c.Node.Size {
		t.Fatalf("%s: %d bytes, %v", c.Path, len(b), err)
	}
	return c.Path + " " + strings.TrimSpace(string(b))
}

func TestOverlay(t *testing.T) {
	both(t, func(t *testing.T) {
		dir, over := root(t), overlay(t)
		for name, body := range map[string]string{"a/kept": "kept", "a/changed": "old", "a/deleted": "x", "a/mode": "m", "b/x": "x", "b/y": "y", "c/x": "x", "closed/x": "x"} {
			full := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(body), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		o := sandbox.Options{Root: dir, Overlay: over}
		if out, err := run(t, o, "echo new >/a/changed; rm /a/deleted; chmod 4755 /a/mode; rm -r /b; mkdir /b; echo z >/b/z; rm -r /c; echo c >/c"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		// The second run sees what the first has done; closed files and folders are read, too.
		if out, err := run(t, o, "cat /a/changed; ln -s to /a/link; echo secret >/closed/y; chmod 0 /closed/y /closed"); err != nil || out != "new\n" {
			t.Fatalf("%q, %v", out, err)
		}
		changes, err := sandbox.Changes(t.Context(), over)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		modes := map[string]uint32{}
		for _, c := range changes {
			got = append(got, show(t, c))
			if c.Node != nil {
				modes[c.Path] = c.Node.Mode
			}
		}
		want := []string{"a dir", "a/changed new", "a/deleted deleted", "a/link -> to", "a/mode m", "b dir opaque", "b/z z", "c c", "closed dir", "closed/y secret"}
		// Mount points that the root lacked were made in the overlay.
		for _, d := range []string{"dev", "proc", "run", "sys", "tmp", "var"} {
			want = append(want, d+" dir")
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("changes:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for p, want := range map[string]uint32{"a/mode": 0o4755, "closed": 0, "closed/y": 0, "b": 0o755} {
			if modes[p] != want {
				t.Errorf("%s has mode %o, want %o", p, modes[p], want)
			}
		}
		if b, err := os.ReadFile(filepath.Join(dir, "a/changed")); err != nil || string(b) != "old" {
			t.Errorf("the root was changed: %q, %v", b, err)
		}
		if st := lstat(t, filepath.Join(dir, "a/mode")); st.Mode&0o7777 != 0o644 {
			t.Errorf("the root was changed: mode %o", st.Mode)
		}
		if err := sandbox.RemoveAll(context.WithoutCancel(t.Context()), over); err != nil {
			t.Error(err)
		}
	})
}

// TestNoOverlay: the two folders of an overlay have to be on one file system.
func TestNoOverlay(t *testing.T) {
	dir, over := root(t), t.TempDir()
	other, err := os.MkdirTemp("/dev/shm", "overlay-*")
	if err != nil {
		t.Skip(err)
	}
	defer os.RemoveAll(other)
	if a, b := lstat(t, over), lstat(t, other); a.Dev == b.Dev {
		t.Skip("there is only one file system")
	}
	if err := os.Symlink(other, filepath.Join(over, "work")); err != nil {
		t.Fatal(err)
	}
	err = sandbox.Run(t.Context(), sandbox.Options{Root: dir, Args: []string{"ls"}, Overlay: over})
	if !errors.Is(err, sandbox.ErrNoOverlay) || errors.Is(err, sandbox.ErrUnavailable) {
		t.Errorf("%v, want %v", err, sandbox.ErrNoOverlay)
	}
}

func TestChangesNone(t *testing.T) {
	if c, err := sandbox.Changes(t.Context(), t.TempDir()); c != nil || err != nil {
		t.Errorf("%v, %v", c, err)
	}
}

// TestCapabilities: the attribute that setcap writes in a user namespace names a user
// of the host; the one in a package, which getcap shows the same way, does not.
func TestCapabilities(t *testing.T) {
	both(t, func(t *testing.T) {
		dir := root(t, "setcap")
		if out, err := run(t, sandbox.Options{Root: dir}, "echo x >/ping; setcap cap_net_raw+ep /ping"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		n, err := sandbox.ReadNode(filepath.Join(dir, "ping"))
		if err != nil {
			t.Fatal(err)
		}
		// linux/capability.h: VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, then CAP_NET_RAW
		// (13) in the first permitted word.
		want := "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		if v, _ := n.Xattr("security.capability"); string(v) != want {
			t.Errorf("%x, want %x", v, want)
		}
	})
}

// TestOwners: what programs give to other users is told by the ids inside, whoever
// runs them, and the overlay can be removed.
func TestOwners(t *testing.T) {
	both(t, func(t *testing.T) {
		dir, over := root(t, "chown", "chmod", "stat"), overlay(t)
		if err := os.WriteFile(filepath.Join(dir, "lower"), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		o := sandbox.Options{Root: dir, Overlay: over, Users: sandbox.AllUsers}
		out, err := run(t, o, `set -e; mkdir -m 700 /d; echo a >/d/f; chmod 4640 /d/f; ln -s x /d/l
			chown 12:34 /d /d/f; chmod u+s /d/f; chown -h 5:6 /d/l; chown 7 /lower; stat -c %u:%g:%a /d/f`)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		all := sandbox.AvailableUsers() == sandbox.AllUsers
		if os.Getenv("TREEWRIGHT_TEST_WANT_USERS") != "" && !all {
			t.Fatal("there is only root inside")
		}
		if want := map[bool]string{true: "12:34:4640\n", false: "0:0:4640\n"}[all]; out != want {
			t.Errorf("inside: %q, want %q", out, want)
		}
		changes, err := sandbox.Changes(t.Context(), over)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range changes {
			if strings.HasPrefix(c.Path, "d") && c.Path != "dev" || c.Path == "lower" {
				got = append(got, fmt.Sprintf("%s %d:%d %o", c.Path, c.Node.UID, c.Node.GID, c.Node.Mode))
			}
		}
		want := "d 12:34 700, d/f 12:34 4640, d/l 5:6 777, lower 7:0 644"
		if !all {
			want = "d 0:0 700, d/f 0:0 4640, d/l 0:0 777" // to change nothing is no change
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("changes: %s, want %s", strings.Join(got, ", "), want)
		}
		if err := sandbox.RemoveAll(t.Context(), over); err != nil {
			t.Error(err)
		}
	})
}

// TestSubordinateIDs: a plain user to whom /etc/subuid gives ids has all users inside.
func TestSubordinateIDs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make a user")
	}
	for _, tool := range []string{"newuidmap", "useradd"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	const user = "treewright-subuid"
	if out, err := exec.Command("useradd", "--create-home", user).CombinedOutput(); err != nil && !strings.Contains(string(out), "already exists") {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("userdel", "--remove", user).Run() })
	program := filepath.Join(t.TempDir(), "test")
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(program, self, 0o755), os.Chmod(filepath.Dir(filepath.Dir(program)), 0o755), os.Chmod(filepath.Dir(program), 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("su", user, "-s", "/bin/sh", "-c", program+" -test.run '^(TestOwners|TestInside|TestOverlay)$' -test.v")
	cmd.Env = append(os.Environ(), "TREEWRIGHT_TEST_WANT_USERS=1", "TMPDIR=/tmp")
	cmd.Dir = "/"
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: TestOwners") {
		t.Errorf("%v\n%s", err, out)
	}
}
