package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/treewright/treewright/pkg/rootfs/sandbox"
)

// runScripts runs the treefile's scripts, and what builds the SELinux policy.
func (a *assembly) runScripts() error {
	return a.runInTree(slices.Concat(a.o.Scripts, a.policyScript()))
}

// runInTree runs scripts in the tree and takes back what they changed.
func (a *assembly) runInTree(scripts []Script) error {
	if len(scripts) == 0 {
		return nil
	}
	d, err := a.onDisk()
	if err != nil {
		return err
	}
	for _, s := range scripts {
		a.o.Step("running " + s.Name)
		if err := a.runScript(d, s); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return a.takeBack(d)
}

// scriptPath is where a script is seen inside.
const scriptPath = "run/treewright/script"

// runScript runs one script with the tree as its root.
func (a *assembly) runScript(d *disk, s Script) error {
	file := filepath.Join(d.dir, "script")
	if err := os.WriteFile(file, s.Body, 0o755); err != nil {
		return err
	}
	err := d.run(a.ctx, sandbox.Options{
		Args: []string{"/" + scriptPath}, Env: a.environment(), Stdout: a.o.Output,
		Binds: []sandbox.Bind{{Source: file, Target: scriptPath, ReadOnly: true}},
	})
	return errors.Join(err, os.Remove(file))
}

// environment is what scripts are told besides what is always there.
func (a *assembly) environment() []string {
	return []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", a.o.Time)}
}
