package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Errors that a caller can tell apart.
var (
	ErrUnavailable = errors.New("no sandbox can be made here")
	ErrNoOverlay   = errors.New("no overlay can be mounted here")
)

// Check tells why no sandbox can be made here, in a sentence with a remedy; nil when
// one can. dir is a folder to try it in.
func Check(ctx context.Context, dir string) error {
	return probe(ctx, dir, setup{Users: AvailableUsers()})
}

// CheckOverlay tells whether [Options].Overlay can be used, with folders that lie in
// dir. The error wraps [ErrNoOverlay] when all but that works.
func CheckOverlay(ctx context.Context, dir string) error {
	over, err := os.MkdirTemp(dir, "overlay-*")
	if err != nil {
		return err
	}
	defer RemoveAll(ctx, over)
	return probe(ctx, dir, setup{Overlay: over})
}

func probe(ctx context.Context, dir string, s setup) error {
	root, err := os.MkdirTemp(dir, "sandbox-*")
	if err != nil {
		return err
	}
	defer RemoveAll(ctx, root)
	s.Root, s.Probe = root, true
	return s.run(ctx, nil, nil, nil)
}

const stageOverlay = "mounting the overlay"

func (f failure) err() error {
	switch f.Stage {
	case "": // nothing about the sandbox: what was asked for does not exist
		return errors.New(f.Message)
	case stageOverlay:
		return fmt.Errorf("%w: %s", ErrNoOverlay, f.Message)
	}
	return unavailable(f.Stage, errors.New(f.Message))
}

// unavailable adds what to do about it.
func unavailable(stage string, err error) error {
	return fmt.Errorf("%w: %s: %v: %s", ErrUnavailable, stage, err, remedy(stage, err))
}

// remedies are the switches that keep a user from making namespaces.
var remedies = []struct{ file, off, do string }{
	{"/proc/sys/kernel/unprivileged_userns_clone", "0", "run `sysctl kernel.unprivileged_userns_clone=1`"},
	{"/proc/sys/user/max_user_namespaces", "0", "run `sysctl user.max_user_namespaces=15000`"},
	{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "run `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or give the program an AppArmor profile with the rule `userns,`"},
}

func remedy(stage string, err error) string {
	if errors.Is(err, syscall.ENOSYS) || strings.Contains(err.Error(), syscall.ENOSYS.Error()) {
		return "Linux 5.12 or newer is needed"
	}
	if os.Geteuid() != 0 {
		for _, r := range remedies {
			if b, err := os.ReadFile(r.file); err == nil && strings.TrimSpace(string(b)) == r.off {
				return r.do + " as root"
			}
		}
	}
	if strings.Contains(stage, "/proc") {
		return "parts of /proc are hidden here: start the container with --security-opt systempaths=unconfined (podman: unmask=ALL)"
	}
	return "in a container, start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"
}
