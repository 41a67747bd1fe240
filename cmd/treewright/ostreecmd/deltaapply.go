package ostreecmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/delta"
	"github.com/treewright/treewright/pkg/ostree/pull"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/sign"
)

func deltaApplyCommand() *command {
	c := newCommand("apply-offline", "PATH [KEY...]", "Apply static delta file")
	kind := c.flags.String("sign-type", sign.KindEd25519, "the kind of keys is `NAME`")
	c.run = func(ctx context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) == 0 {
			return errors.New("PATH must be specified")
		}
		file := e.args[0]
		st, err := os.Stat(file)
		if err != nil {
			return errors.New("openat(O_DIRECTORY): " + strerror(err))
		}
		if st.IsDir() {
			file = filepath.Join(file, "superblock")
		}
		d, err := delta.OpenFile(file)
		if err != nil {
			return err
		}
		must, err := mustSign(r)
		if err != nil {
			return err
		}
		keys := e.args[1:]
		if must && len(keys) == 0 {
			return errors.New("Key is mandatory to check delta signature")
		}
		if len(keys) > 0 {
			if _, err := e.verifyDelta(d, *kind, keys); err != nil {
				return err
			}
		}
		return offlineSentence(pull.ApplyOffline(ctx, r, d))
	}
	return c
}

// mustSign tells whether the repository takes signed deltas only.
func mustSign(r *repo.Repo) (bool, error) {
	switch v, _ := r.Config().Get("core", "sign-verify-deltas"); v {
	case "", "false", "0":
		return false, nil
	case "true", "1":
		return true, nil
	default:
		return false, fmt.Errorf("core.sign-verify-deltas is %q, want true or false", v)
	}
}

// offlineSentence has the words for a delta that cannot be applied.
func offlineSentence(err error) error {
	var from *pull.FromError
	var fallback *pull.FallbackError
	switch {
	case errors.As(err, &from):
		return fmt.Errorf("Commit %s, which is the delta source, is not in repository", from.From)
	case errors.As(err, &fallback):
		return errors.New("Cannot execute delta offline: contains nonempty http fallback entries")
	}
	return err
}

// verifyDelta returns the name of the key that a delta is signed by.
func (e *env) verifyDelta(d *delta.File, kind string, keys []string) (string, error) {
	v, err := sign.NewVerifier(kind, e.allow())
	if err != nil {
		return "", err
	}
	for _, k := range keys {
		if err := v.AddKey(k); err != nil {
			return "", err
		}
	}
	if d.Signed == nil {
		return "", errors.New("no signatures in static-delta")
	}
	return v.Verify(d.Signed.Superblock, d.Signed.Signatures)
}

func deltaVerifyCommand() *command {
	c := newCommand("verify", "STATIC-DELTA-FILE [KEY-ID...]", "Verify static delta signatures")
	kind := c.flags.String("sign-type", sign.KindEd25519, "the kind of keys is `NAME`")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) == 0 {
			return errors.New("DELTA must be specified")
		}
		file := e.args[0]
		if from, to, err := ostree.ParseDeltaName(file); err == nil {
			file = filepath.Join(r.Path(), filepath.FromSlash(path.Join(delta.Dir(from, to), "superblock")))
		} else if !strings.Contains(file, "/") {
			if _, err := os.Stat(file); err != nil {
				return &revError{file}
			}
		}
		d, err := delta.OpenFile(file)
		if err != nil {
			return err
		}
		if _, err := e.verifyDelta(d, *kind, e.args[1:]); err != nil {
			e.printf("Verification fails\n")
			return err
		}
		e.printf("Verification OK\n")
		return nil
	}
	return c
}
