package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/treewright/treewright/pkg/ostree/source"
)

func checksumCommand() *command {
	c := newCommand("checksum", "PATH", "Print the checksum of the object that a file would have")
	c.noRepo = true
	noXattrs := c.flags.Bool("ignore-xattrs", false, "leave extended attributes out")
	c.run = func(_ context.Context, e *env) error {
		if len(e.args) == 0 {
			return usagef("A filename must be given")
		}
		sum, err := source.Checksum(e.args[0], *noXattrs)
		if errors.Is(err, fs.ErrNotExist) {
			abs, aerr := filepath.Abs(e.args[0])
			if aerr != nil {
				return aerr
			}
			return fmt.Errorf("Error when getting information for file “%s”: %s", abs, strerror(err))
		}
		if err != nil {
			return err
		}
		e.printf("%s\n", sum)
		return nil
	}
	return c
}
