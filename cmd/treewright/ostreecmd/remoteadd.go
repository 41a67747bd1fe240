package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/treewright/treewright/pkg/ostree/repo"
)

// remoteAddOptions are the flags of remote add.
type remoteAddOptions struct {
	set, signVerify, gpgImport        *[]string
	noGPG, noSign, ifNotExists, force *bool
	backend, contentURL, collection   *string
	sysroot                           *string
}

func remoteAddCommand() *command {
	c := newCommand("add", "NAME [metalink=|mirrorlist=]URL [BRANCH...]", "Add a remote; BRANCHes are pulled when a pull names none")
	f := c.flags
	o := remoteAddOptions{
		set:         f.StringArray("set", nil, "set an option of the remote: `KEY=VALUE`"),
		noGPG:       f.Bool("no-gpg-verify", false, "commits need no GPG signature"),
		noSign:      f.Bool("no-sign-verify", false, "commits need no signature of any kind"),
		signVerify:  f.StringArray("sign-verify", nil, "commits need a signature; `KEYTYPE=[inline|file]:PUBKEY` is the key, or a file of keys"),
		ifNotExists: f.Bool("if-not-exists", false, "leave a remote of that name as it is"),
		force:       f.Bool("force", false, "replace a remote of that name"),
		gpgImport:   f.StringArray("gpg-import", nil, "trust the GPG keys in `FILE`"),
		backend:     f.String("custom-backend", "", "the content comes through a program of `NAME`, not by a pull"),
		contentURL:  f.String("contenturl", "", "objects and deltas are below `URL`"),
		collection:  f.String("collection-id", "", "the remote's refs belong to the collection `ID`"),
		sysroot:     c.sysrootFlag(),
	}
	c.run = func(_ context.Context, e *env) error { return e.addRemote(o) }
	return c
}

func (e *env) addRemote(o remoteAddOptions) error {
	switch {
	case len(e.args) == 0 || len(e.args) < 2 && *o.backend == "":
		return usagef("NAME and URL must be specified")
	case *o.ifNotExists && *o.force:
		return usagef("Can only specify one of --if-not-exists and --force")
	}
	r, err := e.openSysroot(*o.sysroot)
	if err != nil {
		return err
	}
	url, branches := "", []string(nil)
	if len(e.args) > 1 {
		url, branches = e.args[1], e.args[2:]
	}
	options, err := o.options(url, branches)
	if err != nil {
		return err
	}
	if *o.ifNotExists {
		if _, err := r.Remote(e.args[0]); !isMissingRemote(err) {
			return err
		}
	}
	if len(*o.gpgImport) == 0 {
		return r.AddRemote(e.args[0], options, *o.force)
	}
	keys, err := e.keysToImport(*o.gpgImport, false)
	if err != nil {
		return err
	}
	if err := r.AddRemote(e.args[0], options, *o.force); err != nil {
		return err
	}
	return e.importKeys(r, e.args[0], keys, nil)
}

// options are the remote's options in the order in which they are written.
func (o remoteAddOptions) options(url string, branches []string) ([]repo.RemoteOption, error) {
	if *o.noSign && len(*o.signVerify) > 0 {
		return nil, errors.New("Cannot specify both --sign-verify and --no-sign-verify")
	}
	var out []repo.RemoteOption
	add := func(key, value string) {
		if value != "" {
			out = append(out, repo.RemoteOption{Key: key, Value: value})
		}
	}
	if link, ok := strings.CutPrefix(url, "metalink="); ok {
		add("metalink", link)
	} else {
		add("url", url)
	}
	if len(branches) > 0 {
		out = append(out, repo.RemoteOption{Key: "branches", List: branches})
	}
	add("contenturl", *o.contentURL)
	add("custom-backend", *o.backend)
	for _, kv := range *o.set {
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			return nil, fmt.Errorf("Missing '=' in KEY=VALUE for --set")
		}
		out = append(out, repo.RemoteOption{Key: k, Value: v})
	}
	if *o.noGPG || *o.noSign {
		add("gpg-verify", "false")
	}
	if *o.noSign {
		add("sign-verify", "false")
	}
	keys, err := o.keys()
	if err != nil {
		return nil, err
	}
	out = append(out, keys...)
	add("collection-id", *o.collection)
	return out, nil
}

// keys are the options that --sign-verify stands for.
func (o remoteAddOptions) keys() ([]repo.RemoteOption, error) {
	var out []repo.RemoteOption
	var types []string
	for _, s := range *o.signVerify {
		kind, ref, ok := strings.Cut(s, "=")
		if !ok {
			return nil, fmt.Errorf("Failed to parse KEYTYPE=[inline|file]:DATA in %s", s)
		}
		if kind != "ed25519" && kind != "spki" && kind != "dummy" {
			return nil, errors.New("Requested signature type is not implemented")
		}
		how, data, _ := strings.Cut(ref, ":")
		suffix := map[string]string{"inline": "-key", "file": "-file"}[how]
		if suffix == "" || data == "" {
			return nil, fmt.Errorf("Invalid key reference %s, expected inline|file", how)
		}
		out = append(out, repo.RemoteOption{Key: "verification-" + kind + suffix, Value: data})
		types = append(types, kind)
	}
	if len(types) > 0 {
		out = append(out, repo.RemoteOption{Key: "sign-verify", Value: strings.Join(types, ",")})
	}
	return out, nil
}
