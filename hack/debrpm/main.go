// Debrpm makes an RPM repository out of a Debian suite: real packages of a real
// distribution, for tests and for people who want to try a treefile.
//
//	go run ./hack/debrpm -suite trixie -out rpms systemd linux-image-cloud-amd64 dracut ostree ostree-boot
//
// It asks apt for the packages and all that they depend on (without Recommends),
// from the mirror and with the keyring that the system's own apt configuration
// names, in a private apt state: nothing of the system is changed, and root is not
// needed. Each .deb becomes one RPM: the same files, owners, modes and relations;
// alternatives as rich dependencies; conffiles as %config(noreplace). Maintainer
// scripts are left out, unless -scripts keeps the one that configures the package, as
// %post. Last it writes rpm-md metadata.
//
// With -updates the suite's updates and security updates are taken in, so that two
// runs, without and with it, give two versions of one distribution. -extra adds
// packages of another suite without their dependencies.
//
// With -tree it writes no RPMs but one folder with the files of all packages: a tree to
// commit, for measurements.
//
// With -whole it writes only the metadata, of every package of the suite.
//
// The same input gives the same bytes. Downloads and converted packages are kept
// and used again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/treewright/treewright/pkg/repodata/index"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "debrpm: error: %v\n", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	suite   string
	updates bool
	whole   bool
	tree    string
	extra   string // SUITE:PACKAGE[,PACKAGE…]
	out     string
	cache   string
	mirror  string
	seeds   []string

	compressor string // of payloads
	scripts    bool
}

func run(ctx context.Context, args []string) error {
	var o options
	f := flag.NewFlagSet("debrpm", flag.ContinueOnError)
	f.StringVar(&o.suite, "suite", "", "Debian `SUITE`, e.g. trixie (default: the system's own)")
	f.BoolVar(&o.updates, "updates", false, "take the suite's updates and security updates in")
	f.StringVar(&o.extra, "extra", "", "`SUITE:PACKAGE,…` of another suite, without dependencies")
	f.BoolVar(&o.whole, "whole", false, "write the metadata of every package of the suite, without the packages")
	f.StringVar(&o.tree, "tree", "", "write the packages' files into the new folder `DIR` instead of RPMs")
	f.StringVar(&o.out, "out", "rpms", "`DIR` for the RPM repository")
	f.StringVar(&o.cache, "cache", "", "`DIR` for apt's state and downloads (default: OUT's name with .cache)")
	f.BoolVar(&o.scripts, "scripts", false, "keep the scripts that configure the packages, as %post")
	f.StringVar(&o.compressor, "compressor", "zstd:3", "payloads' `FORMAT[:LEVEL]`: zstd, gzip, or xz and lzma without a level")
	f.StringVar(&o.mirror, "mirror", os.Getenv("DEBIAN_MIRROR"), "`URL` of the mirror (default: $DEBIAN_MIRROR, else the system's)")
	if err := f.Parse(args); err != nil {
		return err
	}
	if o.seeds = f.Args(); (len(o.seeds) == 0) != o.whole {
		return errors.New("name at least one package, or give -whole and none")
	}
	if o.cache == "" {
		o.cache = strings.TrimRight(o.out, "/") + ".cache"
	}
	write, dir := writePackages, o.out
	switch {
	case o.tree != "":
		write, dir = writeTree, o.tree
	case o.whole:
		write = writeWhole
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(dir)), 0o755); err != nil {
		return err
	}
	n, err := write(ctx, &o)
	if err != nil {
		return err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	fmt.Printf("%d packages in %s\n", n, abs)
	return nil
}

// writePackages converts the packages asked for.
func writePackages(ctx context.Context, o *options) (int, error) {
	if err := errors.Join(os.MkdirAll(o.out, 0o755), forgetOthers(o)); err != nil {
		return 0, err
	}
	debs, err := download(ctx, o)
	if err != nil {
		return 0, err
	}
	n, err := convertAll(ctx, debs, o)
	if err != nil {
		return 0, err
	}
	_, err = index.Write(o.out, -1)
	return n, err
}

// conversion is changed when packages come out differently than before.
const conversion = 2

// forgetOthers removes packages that were converted in another way.
func forgetOthers(o *options) error {
	file := filepath.Join(o.out, ".converted")
	now := fmt.Sprintf("%d compressor=%s scripts=%v\n", conversion, o.compressor, o.scripts)
	if before, err := os.ReadFile(file); err == nil && string(before) == now {
		return nil
	}
	if err := removeOthers(o.out, nil); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(now), 0o644)
}

// essential is apt's pattern for the packages that no other names as a dependency
// because every Debian system has them.
const essential = "?essential"

// openSuite prepares apt for the suite, with its updates if they are asked for.
func openSuite(ctx context.Context, o *options) (*apt, error) {
	site, err := systemSite(ctx, o.mirror)
	if err != nil {
		return nil, err
	}
	if o.suite == "" {
		o.suite = site.suite
	}
	sources := []string{site.source(o.suite)}
	name := o.suite
	if o.updates {
		sources = append(sources, site.source(o.suite+"-updates"), site.securitySource(o.suite+"-security"))
		name += "+updates"
	}
	return newApt(filepath.Join(o.cache, name), sources)
}

// download fetches the closure of the seeds and the extra packages.
func download(ctx context.Context, o *options) ([]archive, error) {
	a, err := openSuite(ctx, o)
	if err != nil {
		return nil, err
	}
	debs, err := a.closure(ctx, append([]string{essential}, o.seeds...))
	if err != nil || o.extra == "" {
		return debs, err
	}
	suite, list, ok := strings.Cut(o.extra, ":")
	if !ok || list == "" {
		return nil, fmt.Errorf("-extra %q: want SUITE:PACKAGE,…", o.extra)
	}
	site, err := systemSite(ctx, o.mirror)
	if err != nil {
		return nil, err
	}
	b, err := newApt(filepath.Join(o.cache, suite), []string{site.source(suite)})
	if err != nil {
		return nil, err
	}
	more, err := b.alone(ctx, strings.Split(list, ","))
	return append(debs, more...), err
}
