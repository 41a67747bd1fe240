package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// space is a mount namespace that is being made. Paths inside are followed from the new
// root, so that no link of the tree leads to the host.
type space struct {
	root int // the new root, opened with O_PATH
}

// hostDevices are taken from the host; a user namespace cannot make any.
var hostDevices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// deviceLinks are what programs expect in /dev besides.
var deviceLinks = [][2]string{{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"}}

// machineWide are parts of /proc that no namespace separates. Root of the host could
// change the host there.
var machineWide = []string{"proc/sys", "proc/sysrq-trigger", "proc/irq", "proc/bus", "proc/fs", "proc/scsi", "proc/acpi"}

// mounts makes the root the root, with what a program expects around it.
func (s *setup) mounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return stage("making mounts private", err)
	}
	binds, err := openBinds(s.Binds)
	if err != nil {
		return err
	}
	m, err := s.mountRoot()
	if err != nil {
		return err
	}
	if err := s.fill(m); err != nil {
		return err
	}
	for i, b := range s.Binds {
		if err := m.bind(binds[i], b); err != nil {
			return fmt.Errorf("bind of %s to %s: %w", b.Source, b.Target, err)
		}
	}
	for _, p := range s.ReadOnlyPaths {
		if err := m.readOnly(p); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	if s.ReadOnly {
		if err := setReadOnly(m.root, 0); err != nil {
			return stage("making the root read-only", err)
		}
	}
	return stage("changing the root", m.pivot())
}

// openBinds opens what is bound before anything can be mounted over it.
func openBinds(binds []Bind) ([]int, error) {
	out := make([]int, len(binds))
	for i, b := range binds {
		fd, err := unix.Open(b.Source, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("bind of %s: %w", b.Source, err)
		}
		out[i] = fd
	}
	return out, nil
}

// mountRoot mounts the root, or an overlay above it, on itself.
func (s *setup) mountRoot() (*space, error) {
	if s.Overlay != "" {
		if err := mountOverlay(s.Root, s.Overlay); err != nil {
			return nil, err
		}
	} else if err := unix.Mount(s.Root, s.Root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return nil, stage("mounting the root", err)
	}
	fd, err := unix.Open(s.Root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return &space{fd}, stage("opening the root", err)
}

// fill mounts what is not of the tree.
func (s *setup) fill(m *space) error {
	const quiet = unix.MS_NOSUID | unix.MS_NODEV
	type tmpfs struct {
		dir, mode string
		flags     uintptr
	}
	list := []tmpfs{{"dev", "0755", unix.MS_NOSUID}, {"tmp", "1777", quiet}, {"run", "0755", quiet}, {"sys", "0555", quiet}}
	if !s.KeepVar {
		list = append(list, tmpfs{"var", "0755", quiet})
	}
	for _, t := range list {
		if err := m.mount(t.dir, "tmpfs", "tmpfs", t.flags, "mode="+t.mode); err != nil {
			return err
		}
	}
	if err := m.devices(); err != nil {
		return err
	}
	for _, d := range []string{"var/tmp", "var/lib", "var/cache", "var/log"} {
		if s.KeepVar {
			d = "var"
		}
		if err := m.mkdir(d, 0o755); err != nil {
			return stage("filling /var", err)
		}
	}
	if !s.KeepVar {
		if err := m.chmod("var/tmp", 0o1777); err != nil {
			return stage("filling /var", err)
		}
	}
	if err := m.mount("proc", "proc", "proc", quiet|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	for _, p := range machineWide {
		if err := m.readOnly(p); err != nil && !errors.Is(err, unix.ENOENT) {
			return stage("making /"+p+" read-only", err)
		}
	}
	return nil
}

// devices fills /dev.
func (m *space) devices() error {
	for _, d := range hostDevices {
		fd, err := unix.Open("/dev/"+d, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err == unix.ENOENT {
			continue
		}
		if err == nil {
			err = m.bind(fd, Bind{Target: "dev/" + d})
		}
		if err != nil {
			return stage("taking /dev/"+d, err)
		}
	}
	dev, err := m.open("dev")
	if err != nil {
		return err
	}
	defer unix.Close(dev)
	for _, l := range deviceLinks {
		if err := unix.Symlinkat(l[1], dev, l[0]); err != nil {
			return stage("filling /dev", err)
		}
	}
	if err := errors.Join(m.mkdir("dev/shm", 0o755), m.mkdir("dev/pts", 0o755)); err != nil {
		return err
	}
	return m.chmod("dev/shm", 0o1777)
}

// open opens a path of the new root, with O_PATH.
func (m *space) open(p string) (int, error) {
	fd, err := unix.Openat2(m.root, path.Clean("/"+p), &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: "/" + p, Err: err}
	}
	return fd, nil
}

// mkdir makes a folder and its parents when they are missing.
func (m *space) mkdir(p string, mode uint32) error {
	fd, err := m.open(p)
	if err == nil {
		return unix.Close(fd)
	}
	if !errors.Is(err, unix.ENOENT) {
		return err
	}
	return m.make(p, func(dir int, name string) error { return unix.Mkdirat(dir, name, mode) })
}

// make makes something in a folder that is made when it is missing.
func (m *space) make(p string, fn func(dir int, name string) error) error {
	if p = path.Clean("/" + p); p == "/" {
		return nil
	}
	if err := m.mkdir(path.Dir(p), 0o755); err != nil {
		return err
	}
	dir, err := m.open(path.Dir(p))
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	if err := fn(dir, path.Base(p)); err == unix.EEXIST {
		return fmt.Errorf("%s is a link to nothing", p)
	} else if err != nil {
		return &os.PathError{Op: "make", Path: p, Err: err}
	}
	return nil
}

func (m *space) chmod(p string, mode uint32) error {
	fd, err := m.open(p)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Chmod(fdPath(fd), mode)
}

// mount mounts a file system at a path of the new root.
func (m *space) mount(p, source, kind string, flags uintptr, data string) error {
	name := "mounting /" + p
	if err := m.mkdir(p, 0o755); err != nil {
		return stage(name, err)
	}
	fd, err := m.open(p)
	if err != nil {
		return stage(name, err)
	}
	defer unix.Close(fd)
	return stage(name, unix.Mount(source, fdPath(fd), kind, flags, data))
}

// bind mounts an opened file or folder of the host.
func (m *space) bind(source int, b Bind) error {
	defer unix.Close(source)
	var st unix.Stat_t
	if err := unix.Fstat(source, &st); err != nil {
		return err
	}
	target, err := m.open(b.Target)
	if errors.Is(err, unix.ENOENT) {
		if target, err = m.target(b.Target, st.Mode&unix.S_IFMT == unix.S_IFDIR); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	defer unix.Close(target)
	if err := unix.Mount(fdPath(source), fdPath(target), "", unix.MS_BIND|unix.MS_REC, ""); err != nil || !b.ReadOnly {
		return err
	}
	mounted, err := m.open(b.Target)
	if err != nil {
		return err
	}
	defer unix.Close(mounted)
	return setReadOnly(mounted, unix.AT_RECURSIVE)
}

// target makes what something is mounted on.
func (m *space) target(p string, dir bool) (int, error) {
	err := m.make(p, func(at int, name string) error {
		if dir {
			return unix.Mkdirat(at, name, 0o755)
		}
		fd, err := unix.Openat(at, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o644)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	})
	if err != nil {
		return -1, err
	}
	return m.open(p)
}

// readOnly keeps a path of the new root from being changed.
func (m *space) readOnly(p string) error {
	fd, err := m.open(p)
	if err != nil {
		return err
	}
	return m.bind(fd, Bind{Target: p, ReadOnly: true})
}

// setReadOnly makes the mount that fd is the root of read-only. It can add to what the
// host has locked, which a remount could not.
func setReadOnly(fd int, flags uint) error {
	return unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|flags, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}

// pivot makes the new root the root and lets go of the old one.
func (m *space) pivot() error {
	if err := unix.Fchdir(m.root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return err
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return err
	}
	return errors.Join(unix.Close(m.root), os.Chdir("/"))
}

// fdPath is a path to an opened file, whatever it is called.
func fdPath(fd int) string { return filepath.Join("/proc/self/fd", fmt.Sprint(fd)) }
