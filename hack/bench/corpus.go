package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// seeds are the packages of the corpus, with all that they depend on.
var seeds = []string{
	"systemd", "systemd-sysv", "udev", "kmod", "dbus", "linux-image-amd64", "dracut", "ostree", "ostree-boot", "iproute2",
	"openssh-server", "network-manager", "cockpit", "podman", "firefox-esr", "python3-dnf", "gcc", "git", "perl", "vim",
	"qemu-utils", "nginx", "postgresql-client", "bind9", "curl", "wget", "ghostscript", "imagemagick", "cups",
}

// corpus is a folder with the trees v1 and v2.
type corpus struct{ dir string }

func (c corpus) tree(version int) string { return filepath.Join(c.dir, fmt.Sprintf("v%d", version)) }

// make downloads and unpacks the trees that are missing: the suite as it was
// released, and with its updates.
func (c *corpus) make(ctx context.Context) (err error) {
	if c.dir, err = filepath.Abs(c.dir); err != nil {
		return err
	}
	for version, flags := range [][]string{nil, {"-updates"}} {
		tree := c.tree(version + 1)
		if _, err := os.Stat(tree); !errors.Is(err, fs.ErrNotExist) {
			if err != nil {
				return err
			}
			continue
		}
		args := append([]string{"run", "./hack/debrpm", "-cache", filepath.Join(c.dir, "cache"), "-tree", tree}, flags...)
		cmd := exec.CommandContext(ctx, "go", append(args, seeds...)...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		fmt.Fprintf(os.Stderr, "making %s\n", tree)
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("making the corpus: %w", err)
		}
	}
	return nil
}
