// Treewright turns a treefile into everything that a fleet of atomic hosts
// needs: an OSTree commit made from RPMs, disk images, and static deltas.
//
// Run "treewright help" for the commands; docs/cli.md describes each.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/treewright/treewright/composer"
)

func main() {
	composer.InitSandbox() // does not return in the process that a sandbox starts
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}
