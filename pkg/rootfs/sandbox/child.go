package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Init does nothing in an ordinary process. In the one that [Run] starts it sets the
// sandbox up, runs the program, and does not return.
func Init() {
	if len(os.Args) != 1 || os.Args[0] != childName {
		return
	}
	runtime.LockOSThread()
	err := child()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(setupFailed)
}

// child never returns nil: it becomes the program.
func child() error {
	var s setup
	told := os.NewFile(3, "setup")
	if err := json.NewDecoder(told).Decode(&s); err != nil {
		return err
	}
	told.Close()
	if err := mounts(s.Root); err != nil {
		return err
	}
	if err := errors.Join(unix.Sethostname([]byte("localhost")), os.Chdir("/")); err != nil {
		return err
	}
	unix.Umask(0o022)
	program, err := lookPath(s.Args[0], s.Env)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(127)
	}
	// This process is the first of its pid namespace: it waits for the program, so
	// that what that leaves behind does not matter.
	return supervise(program, s)
}

// supervise starts the program and ends with its status; all other processes of the
// namespace end with it.
func supervise(program string, s setup) error {
	pid, err := syscall.ForkExec(program, s.Args, &syscall.ProcAttr{Env: s.Env, Files: []uintptr{0, 1, 2}})
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", s.Args[0], err)
		os.Exit(126)
	}
	for {
		var ws syscall.WaitStatus
		got, err := syscall.Wait4(-1, &ws, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if got != pid {
			continue
		}
		if ws.Signaled() {
			os.Exit(128 + int(ws.Signal()))
		}
		os.Exit(ws.ExitStatus())
	}
}

func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, e := range env {
		if dirs, ok := strings.CutPrefix(e, "PATH="); ok {
			for _, d := range filepath.SplitList(dirs) {
				p := filepath.Join(d, name)
				if st, err := os.Stat(p); err == nil && !st.IsDir() && st.Mode()&0o111 != 0 {
					return p, nil
				}
			}
		}
	}
	return "", fmt.Errorf("%s: command not found", name)
}

// devices are taken from the host; a user namespace cannot make any.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// mounts makes root the root, with what a program expects around it.
func mounts(root string) error {
	mount := func(source, target, kind string, flags uintptr, data string) error {
		if err := unix.Mount(source, target, kind, flags, data); err != nil {
			return fmt.Errorf("mount of %s: %w", strings.TrimPrefix(target, root), err)
		}
		return nil
	}
	at := func(p string) string { return filepath.Join(root, p) }
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := mount(root, root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	for _, d := range []string{"proc", "sys", "dev", "tmp", "run", "var"} {
		if err := os.MkdirAll(at(d), 0o755); err != nil {
			return err
		}
	}
	const quiet = unix.MS_NOSUID | unix.MS_NODEV
	for _, d := range []struct{ dir, mode string }{{"dev", "0755"}, {"tmp", "1777"}, {"run", "0755"}, {"var", "0755"}} {
		flags := uintptr(quiet)
		if d.dir == "dev" {
			flags = unix.MS_NOSUID
		}
		if err := mount("tmpfs", at(d.dir), "tmpfs", flags, "mode="+d.mode); err != nil {
			return err
		}
	}
	for _, d := range []string{"var/tmp", "var/lib", "var/cache", "var/log", "dev/shm", "dev/pts"} {
		if err := os.MkdirAll(at(d), 0o755); err != nil {
			return err
		}
	}
	if err := errors.Join(os.Chmod(at("var/tmp"), 0o1777), os.Chmod(at("dev/shm"), 0o1777)); err != nil {
		return err
	}
	if err := nodes(root, mount); err != nil {
		return err
	}
	if err := mount("proc", at("proc"), "proc", quiet|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	return pivot(root)
}

// nodes puts the host's harmless devices into /dev.
func nodes(root string, mount func(string, string, string, uintptr, string) error) error {
	for _, d := range devices {
		host := filepath.Join("/dev", d)
		if _, err := os.Stat(host); err != nil {
			continue
		}
		own := filepath.Join(root, "dev", d)
		if err := os.WriteFile(own, nil, 0o666); err != nil {
			return err
		}
		if err := mount(host, own, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	for link, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, filepath.Join(root, "dev", link)); err != nil {
			return err
		}
	}
	return nil
}

// pivot makes root the root of the mount namespace and lets go of the old one.
func pivot(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount of the old root: %w", err)
	}
	return os.Chdir("/")
}
