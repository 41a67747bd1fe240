// Package ostreecmd is the `ostree` command: the commands, flags, output and exit
// statuses of libostree's program, on the packages of this module.
//
// A command is a value of type command, made by a function of its file: commit.go has
// commitCommand, remote.go remoteCommand and those below it. commands lists them.
//
// # Options
//
// They are read as GLib does: they may stand anywhere up to "--"; a value comes behind
// "=" or as the next argument; short ones may be joined; the words of the command come
// first among what is no option, also behind options. --repo=DIR may stand before the
// command. Every command has --repo, -v, --version and -h, unless it says otherwise.
//
// # Results
//
// What a command is asked for is on standard output; everything else, and one line
// "error: …", is on standard error. The status is 0 or 1. Errors of the library are
// turned into the sentences that scripts look for in errors.go.
//
// An unknown command NAME is looked for as a program ostree-NAME in PATH.
package ostreecmd
