package ostreecmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// systemRepo is the repository of a host that OSTree runs.
const systemRepo = "/ostree/repo"

// env is what a command has to work with.
type env struct {
	Streams
	program  Program
	args     []string       // without options
	flags    *pflag.FlagSet // to ask whether an option was given
	verbose  bool
	repoPath string // --repo
}

// getenv is a variable of the environment.
func (e *env) getenv(key string) string {
	for _, kv := range e.program.Environ {
		if v, ok := strings.CutPrefix(kv, key+"="); ok {
			return v
		}
	}
	return ""
}

// given tells whether an option stands in the command line.
func (e *env) given(option string) bool { return e.flags.Changed(option) }

// where is the folder of the repository: that of --repo, the current one if it is a
// repository, that of OSTREE_REPO, or the system's.
func (e *env) where() string {
	if e.repoPath != "" {
		return e.repoPath
	}
	if isRepo(".") {
		return "."
	}
	if p := e.getenv("OSTREE_REPO"); p != "" {
		return p
	}
	return systemRepo
}

func isRepo(dir string) bool {
	for _, name := range []string{"objects", "config"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// open opens the repository.
func (e *env) open() (*repo.Repo, error) {
	at := e.where()
	if at != systemRepo {
		return e.opened(repo.Open(at))
	}
	if !isRepo(at) && e.repoPath == "" {
		return nil, usagef("Command requires a --repo argument")
	}
	return e.openSystem("/")
}

// openSystem opens the repository of the system whose root is given.
func (e *env) openSystem(root string) (*repo.Repo, error) { return e.opened(repo.OpenSystem(root)) }

func (e *env) opened(r *repo.Repo, err error) (*repo.Repo, error) {
	if err != nil {
		return nil, fmt.Errorf("opening repo: %w", err)
	}
	if e.getenv("SOURCE_DATE_EPOCH") == "" {
		return r, nil
	}
	now, err := e.now()
	r.SetClock(func() time.Time { return now })
	return r, err
}

// commit opens the repository and resolves the first argument.
func (e *env) commit() (*repo.Repo, ostree.Checksum, error) {
	r, err := e.open()
	if err != nil {
		return nil, ostree.Checksum{}, err
	}
	if len(e.args) == 0 {
		return nil, ostree.Checksum{}, usagef("A revision is required")
	}
	sum, err := r.Resolve(e.args[0])
	return r, sum, err
}

// printf writes to standard output.
func (e *env) printf(format string, a ...any) { fmt.Fprintf(e.Out, format, a...) }
