package ostreecmd

import (
	"context"

	"github.com/spf13/pflag"
)

// command is one command, or a group of commands.
type command struct {
	name    string // the word that calls it
	args    string // its arguments, as help shows them
	summary string // one line
	hidden  bool   // not in lists
	noRepo  bool   // has no --repo
	flags   *pflag.FlagSet
	run     func(context.Context, *env) error // nil in a group
	sub     []*command
}

// newCommand makes a command whose flags and run its maker adds.
func newCommand(name, args, summary string) *command {
	f := pflag.NewFlagSet(name, pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {}
	return &command{name: name, args: args, summary: summary, flags: f}
}

// newGroup makes a command that has only commands below it.
func newGroup(name, summary string, sub ...*command) *command {
	c := newCommand(name, "COMMAND", summary)
	c.noRepo, c.sub = true, sub
	return c
}

// commands are those of ostree, in the order that help has them.
func commands() []*command {
	return []*command{
		catCommand(),
		checkoutCommand(),
		checksumCommand(),
		commitCommand(),
		configCommand(),
		createUSBCommand(),
		diffCommand(),
		exportCommand(),
		findRemotesCommand(),
		fsckCommand(),
		gpgSignCommand(),
		initCommand(),
		logCommand(),
		lsCommand(),
		pruneCommand(),
		pullCommand(),
		pullLocalCommand(),
		refsCommand(),
		remoteCommand(),
		resetCommand(),
		revParseCommand(),
		showCommand(),
		signCommand(),
		staticDeltaCommand(),
		summaryCommand(),
	}
}

// find is the command of that name, or nil.
func find(list []*command, name string) *command {
	for _, c := range list {
		if c.name == name {
			return c
		}
	}
	return nil
}
