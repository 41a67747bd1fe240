package ostreecmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// checkoutOptions are the flags of checkout.
type checkoutOptions struct {
	userMode, noCache, union, unionAdd, unionIdentical, whiteouts, devices *bool
	allowMissing, fromStdin, hardLinks, copies, copyEmpty, plainDirs       *bool
	subpath, fromFile, fsync, skipList, policy, prefix                     *string
}

func checkoutCommand() *command {
	c := newCommand("checkout", "COMMIT [DESTINATION]", "Write a commit's files into a folder")
	f := c.flags
	o := checkoutOptions{
		userMode:       f.BoolP("user-mode", "U", false, "leave owners and attributes out"),
		noCache:        f.Bool("disable-cache", false, "don't keep what is unpacked in the repository"),
		subpath:        f.String("subpath", "", "only what is in `PATH` of the commit"),
		union:          f.Bool("union", false, "write into a folder that is there; files take the place of others"),
		unionAdd:       f.Bool("union-add", false, "write into a folder that is there; what is in it stays"),
		unionIdentical: f.Bool("union-identical", false, "write into a folder that is there; fail where a file would change"),
		whiteouts:      f.Bool("whiteouts", false, "take files .wh.NAME as orders to delete NAME"),
		devices:        f.Bool("process-passthrough-whiteouts", false, "make files .ostree-wh.NAME the character device 0:0 called NAME"),
		allowMissing:   f.Bool("allow-noent", false, "do nothing when the subpath is not in the commit"),
		fromStdin:      f.Bool("from-stdin", false, "read commits and subpaths, each with a NUL at its end, from standard input"),
		fromFile:       f.String("from-file", "", "read commits and subpaths, each with a NUL at its end, from `FILE`"),
		fsync:          f.String("fsync", "", "`POLICY`: whether to wait for the disk, true or false"),
		hardLinks:      f.BoolP("require-hardlinks", "H", false, "fail where a file would have to be copied"),
		copyEmpty:      f.BoolP("force-copy-zerosized", "z", false, "does nothing: empty files are always copied"),
		copies:         f.BoolP("force-copy", "C", false, "make no hard links"),
		plainDirs:      f.BoolP("bareuseronly-dirs", "M", false, "give folders no mode bits outside 0775"),
		skipList:       f.String("skip-list", "", "leave out the paths that `FILE` lists, those of folders with a slash at the end"),
		policy:         f.String("selinux-policy", "", "label files by the SELinux policy of the system below `PATH`; implies --force-copy"),
		prefix:         f.String("selinux-prefix", "", "look labels up as if the destination were `PREFIX`"),
	}
	f.MarkHidden("force-copy-zerosized")
	c.run = func(ctx context.Context, e *env) error { return e.checkout(ctx, o) }
	return c
}

func (e *env) checkout(ctx context.Context, o checkoutOptions) error {
	if e.given("fsync") { // files of a checkout are never waited for
		if _, err := parseBool(*o.fsync); err != nil {
			return err
		}
	}
	r, err := e.open()
	if err != nil {
		return err
	}
	if len(e.args) == 0 {
		return usagef("COMMIT must be specified")
	}
	if *o.fromStdin || *o.fromFile != "" {
		return e.checkoutMany(ctx, r, o)
	}
	dest := e.args[0]
	if len(e.args) > 1 {
		dest = e.args[1]
	}
	sum, err := r.Resolve(e.args[0])
	if err != nil {
		return err
	}
	return o.one(ctx, r, sum, *o.subpath, dest)
}

// checkoutMany reads what is to be written to one destination.
func (e *env) checkoutMany(ctx context.Context, r *repo.Repo, o checkoutOptions) error {
	in := e.In
	if !*o.fromStdin {
		f, err := os.Open(*o.fromFile)
		if err != nil {
			name, _ := filepath.Abs(*o.fromFile)
			return fmt.Errorf("Error opening file %s: %s", name, strerror(err))
		}
		defer f.Close()
		in = f
	}
	for words := bufio.NewReader(in); ; {
		rev, err := words.ReadString(0)
		if rev == "" && err == io.EOF {
			return nil
		}
		if err != nil && err != io.EOF {
			return err
		}
		sum, err := r.Resolve(strings.TrimSuffix(rev, "\x00"))
		if err != nil {
			return err
		}
		subpath, err := words.ReadString(0)
		if err != nil && err != io.EOF {
			return err
		}
		if err := o.one(ctx, r, sum, subpath, e.args[0]); err != nil {
			return fmt.Errorf("Processing tree %s: %s", sum, sentence(err))
		}
	}
}

// one writes one commit or a part of it. A subpath from a list has a NUL at its end.
func (o checkoutOptions) one(ctx context.Context, r *repo.Repo, sum ostree.Checksum, subpath, dest string) error {
	opts, plain, err := o.options()
	if err != nil {
		return err
	}
	opts.Subpath = strings.TrimSuffix(subpath, "\x00")
	if plain && dest != "" {
		if dest, err = filepath.Abs(dest); err != nil { // so that errors say it
			return err
		}
	}
	if subpath == "\x00" {
		err = &repo.TreePathError{Path: "/", Err: ostree.ErrNotFound}
	} else {
		err = r.Checkout(ctx, sum, dest, opts)
	}
	var missing *repo.TreePathError
	if plain && *o.allowMissing && errors.As(err, &missing) && !errors.Is(err, filetree.ErrNotDir) {
		return nil // stock looks at the option in a plain checkout only
	}
	return err
}

// options turns the flags into options. plain tells that there is none but those that
// checkout has always had: only then stock keeps unpacked objects.
func (o checkoutOptions) options() (opts repo.CheckoutOptions, plain bool, err error) {
	if err := o.check(); err != nil {
		return opts, false, err
	}
	plain = !(*o.noCache || *o.whiteouts || *o.hardLinks || *o.unionAdd || *o.copies || *o.copyEmpty || *o.plainDirs ||
		*o.unionIdentical || *o.skipList != "" || *o.policy != "" || *o.prefix != "" || *o.devices)
	opts = repo.CheckoutOptions{
		UserMode: *o.userMode, Cache: plain, Whiteouts: *o.whiteouts, Devices: *o.devices,
		RequireLinks: *o.hardLinks, Copy: *o.copies || *o.policy != "", PlainDirs: *o.plainDirs, LabelPrefix: *o.prefix,
	}
	switch {
	case *o.union:
		opts.Overwrite = repo.OverwriteFiles
	case *o.unionAdd:
		opts.Overwrite = repo.OverwriteAdd
	case *o.unionIdentical:
		opts.Overwrite = repo.OverwriteIdentical
	}
	if *o.skipList != "" {
		if opts.Skip, err = readSkipList(*o.skipList); err != nil {
			return opts, false, err
		}
	}
	if *o.policy != "" {
		opts.Label, err = openPolicy(*o.policy)
	}
	return opts, plain, err
}

// check refuses flags that do not go together.
func (o checkoutOptions) check() error {
	switch {
	case *o.union && *o.unionAdd:
		return errors.New("Cannot specify both --union and --union-add")
	case *o.union && *o.unionIdentical:
		return errors.New("Cannot specify both --union and --union-identical")
	case *o.unionAdd && *o.unionIdentical:
		return errors.New("Cannot specify both --union-add and --union-identical")
	case *o.hardLinks && (*o.copies || *o.policy != ""):
		return errors.New("Cannot specify both --require-hardlinks and --force-copy")
	case *o.prefix != "" && *o.policy == "":
		return errors.New("Cannot specify --selinux-prefix without --selinux-policy")
	case *o.unionIdentical && !*o.hardLinks:
		return errors.New("--union-identical requires --require-hardlinks")
	}
	return nil
}

// readSkipList reads paths, one a line, that are left out.
func readSkipList(path string) (func(string) bool, error) {
	text, err := readText(path)
	if err != nil {
		return nil, err
	}
	list := map[string]bool{}
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" {
			list[line] = true
		}
	}
	return func(p string) bool { return list[p] }, nil
}

// openPolicy is what labels files by the SELinux policy of the system below root; nil
// when it has none.
func openPolicy(root string) (func(path string, mode uint32) (string, bool, error), error) {
	p, err := policyOfFolder(root)
	if err != nil {
		return nil, fmt.Errorf("selinux-policy: : %w", err)
	}
	if p == nil {
		return nil, nil
	}
	return func(at string, mode uint32) (string, bool, error) {
		label, ok := p.Label(at, mode)
		return label, ok, nil
	}, nil
}
