package ostreecmd

import (
	"context"

	"github.com/treewright/treewright/pkg/ostree/repo"
)

func remoteCommand() *command {
	return newGroup("remote", "Manage the repositories that this one pulls from",
		remoteAddCommand(), remoteDeleteCommand(), remoteShowURLCommand(), remoteListCommand(),
		gpgImportCommand(), gpgListKeysCommand(), addCookieCommand(), deleteCookieCommand(), listCookiesCommand(),
		remoteRefsCommand(), remoteSummaryCommand())
}

// sysrootFlag adds --sysroot to a command that changes remotes.
func (c *command) sysrootFlag() *string {
	return c.flags.String("sysroot", "", "the repository and the remotes of the system whose root is `PATH`; goes before --repo")
}

// openSysroot opens the repository of a system, or that of the command line.
func (e *env) openSysroot(sysroot string) (*repo.Repo, error) {
	if sysroot == "" {
		return e.open()
	}
	return e.openSystem(sysroot)
}

func remoteDeleteCommand() *command {
	c := newCommand("delete", "NAME", "Forget a remote and its keys")
	ifExists := c.flags.Bool("if-exists", false, "a remote that is not there is no error")
	sysroot := c.sysrootFlag()
	c.run = func(_ context.Context, e *env) error {
		r, err := e.openSysroot(*sysroot)
		if err != nil {
			return err
		}
		if len(e.args) == 0 {
			return usagef("NAME must be specified")
		}
		err = r.DeleteRemote(e.args[0])
		if *ifExists && isMissingRemote(err) {
			return nil
		}
		return err
	}
	return c
}

func remoteShowURLCommand() *command {
	c := newCommand("show-url", "NAME", "Print a remote's URL")
	c.run = func(_ context.Context, e *env) error {
		_, m, err := e.remote()
		if err != nil {
			return err
		}
		url, err := m.URL()
		if err != nil {
			return err
		}
		e.printf("%s\n", url)
		return nil
	}
	return c
}

// remote opens the repository and finds the remote of the first argument.
func (e *env) remote() (*repo.Repo, *repo.Remote, error) {
	r, err := e.open()
	if err != nil {
		return nil, nil, err
	}
	if len(e.args) == 0 {
		return nil, nil, usagef("NAME must be specified")
	}
	m, err := r.Remote(e.args[0])
	return r, m, err
}

func remoteListCommand() *command {
	c := newCommand("list", "", "List remotes")
	urls := c.flags.BoolP("show-urls", "u", false, "with their URLs")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		all, err := r.Remotes()
		if err != nil {
			return err
		}
		width := 0
		for _, m := range all {
			width = max(width, len(m.Name))
		}
		for _, m := range all {
			if !*urls {
				e.printf("%s\n", m.Name)
				continue
			}
			url, err := m.URL()
			if err != nil {
				return err
			}
			e.printf("%-*s  %s\n", width, m.Name, url)
		}
		return nil
	}
	return c
}
