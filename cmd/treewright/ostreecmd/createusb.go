package ostreecmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/pull"
)

func createUSBCommand() *command {
	c := newCommand("create-usb", "MOUNT-PATH COLLECTION-ID REF [COLLECTION-ID REF...]", "Copy refs to a drive, where find-remotes finds them")
	disableFsync := c.flags.Bool("disable-fsync", false, "do not wait for the disk")
	dest := c.flags.String("destination-repo", pull.DriveRepo, "the repository is at `DEST` of the drive")
	commit := c.flags.String("commit", "", "copy `COMMIT`; only with one ref")
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) == 0 {
			return usagef("A MOUNT-PATH must be specified")
		}
		refs, err := refPairs(e.args[1:])
		if err != nil {
			return err
		}
		if *commit != "" && len(refs) > 1 {
			return usagef("The --commit option can only be used when a single COLLECTION-ID REF pair is specified")
		}
		mount := e.args[0]
		if st, err := os.Stat(mount); err != nil || !st.IsDir() {
			return fmt.Errorf("opendir(%s): No such file or directory", mount)
		}
		now, err := e.now()
		if err != nil {
			return err
		}
		o := pull.DriveOptions{From: r, Mount: mount, Path: *dest, Refs: refs, Time: now.Unix(), NoSync: *disableFsync}
		if *commit != "" {
			sum, err := ostree.ParseChecksum(*commit)
			if err != nil {
				return &revError{*commit}
			}
			o.Commit = &sum
		}
		if err := pull.ToDrive(ctx, o); err != nil {
			return err
		}
		from, err := filepath.Abs(r.Path())
		if err != nil {
			return err
		}
		e.printf("Copied %d/%d refs successfully from ‘%s’ to ‘%s’ repository in ‘%s’.\n", len(refs), len(refs), from, *dest, mount)
		return nil
	}
	return c
}
