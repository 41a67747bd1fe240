package sign_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/repo"
	"github.com/treewright/treewright/pkg/ostree/sign"
)

// suite is the folder of libostree's tests, with keys and signatures.
func suite(t testing.TB) string {
	t.Helper()
	dir := "/usr/libexec/installed-tests/libostree"
	if _, err := os.Stat(dir); err != nil {
		fixture.Tool(t, "ostree-tests")
	}
	return dir
}

// remoteRepo is a repository with a remote R that has these options.
func remoteRepo(t testing.TB, options ...repo.RemoteOption) *repo.Repo {
	t.Helper()
	r, err := repo.Create(filepath.Join(t.TempDir(), "repo"), ostree.ModeArchive)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.AddRemote("R", append([]repo.RemoteOption{{Key: "url", Value: "http://example.com"}}, options...), false); err != nil {
		t.Fatal(err)
	}
	return r
}

// The verdicts are those that stock gives on its own test data; see test-gpg-verify-result.
func TestVerdicts(t *testing.T) {
	dir := filepath.Join(suite(t), "gpg-verify-data")
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	data, sigs := read("lgpl2"), read("lgpl2.sig")
	k, err := sign.ReadKeyring(filepath.Join(dir, "pubring.gpg"))
	if err != nil {
		t.Fatal(err)
	}
	m := sign.WithSignatures(nil, sign.KindGPG, [][]byte{sigs})
	list, err := sign.JudgeGPG(k, data, m, time.Now())
	if err != nil || len(list) != 5 {
		t.Fatalf("%d signatures, %v", len(list), err)
	}
	type flags struct{ valid, expired, keyExpired, revoked, missing bool }
	for i, want := range []flags{{valid: true}, {keyExpired: true}, {revoked: true}, {missing: true}, {expired: true}} {
		s := list[i]
		if got := (flags{s.Valid, s.Expired, s.KeyExpired, s.Revoked, s.Missing}); got != want || s.Bad {
			t.Errorf("signature %d: %+v, want %+v", i, got, want)
		}
	}
	list, err = sign.JudgeGPG(k, append(data, '\n'), m, time.Now())
	if err != nil || !list[0].Bad || list[0].Valid {
		t.Errorf("of other data: %+v, %v", list[0], err)
	}
}

// openHome is the folder of GnuPG of libostree's tests, in the form of version 1.
func openHome(t testing.TB) *sign.Home {
	t.Helper()
	h, err := sign.OpenHome(filepath.Join(suite(t), "gpghome"))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func signedBy(t testing.TB, data []byte, ids ...string) ostree.Metadata {
	t.Helper()
	var m ostree.Metadata
	for _, id := range ids {
		s, err := openHome(t).Signer(id, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if m, err = sign.Sign(m, data, s); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// A remote's keyring, gpgkeypath, and the keyrings of the system.
func TestRemoteKeys(t *testing.T) {
	home := filepath.Join(suite(t), "gpghome")
	key1, key2 := "472CDAFA", "CA950D41"
	m := signedBy(t, []byte("data"), key1)
	option := func(v string) repo.RemoteOption { return repo.RemoteOption{Key: "gpgkeypath", Value: v} }
	for name, tc := range map[string]struct {
		options []repo.RemoteOption
		own     string // key of the remote's keyring
		system  string // folder of keyrings
		good    bool
	}{
		"nothing":                  {system: t.TempDir()},
		"system":                   {system: filepath.Join(home, "trusted"), good: true},
		"no system":                {system: filepath.Join(home, "nosuch")},
		"own":                      {system: t.TempDir(), own: key1, good: true},
		"own hides that of system": {system: filepath.Join(home, "trusted"), own: key2},
		"file":                     {system: t.TempDir(), options: []repo.RemoteOption{option(filepath.Join(home, "key1.asc"))}, good: true},
		"another file":             {system: t.TempDir(), options: []repo.RemoteOption{option(filepath.Join(home, "key2.asc"))}},
		"folder":                   {system: t.TempDir(), options: []repo.RemoteOption{option(home)}, good: true},
		"files":                    {system: t.TempDir(), options: []repo.RemoteOption{option(home + "/key2.asc;" + home + "/key1.asc;")}, good: true},
		"own and file":             {system: t.TempDir(), own: key2, options: []repo.RemoteOption{option(home + "/key1.asc")}, good: true},
		"no file":                  {system: filepath.Join(home, "trusted"), options: []repo.RemoteOption{option(home + "/nosuch")}},
	} {
		t.Run(name, func(t *testing.T) {
			r := remoteRepo(t, tc.options...)
			if tc.own != "" {
				k, err := openHome(t).Keys().Select(tc.own)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := sign.Import(r, "R", k); err != nil {
					t.Fatal(err)
				}
			}
			c, err := sign.RemoteChecker(r, "R", sign.CheckerOptions{Keyrings: sign.Keyrings{System: tc.system}, Now: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Commit(ostree.Sum([]byte("data")), []byte("data"), m); (err == nil) != tc.good {
				t.Errorf("Commit = %v", err)
			}
			if c.Summary != nil {
				t.Error("signatures of the summary are wanted")
			}
		})
	}
}

// What the options of a remote want, and what comes.
func TestChecker(t *testing.T) {
	_, public, secret := opensslKey(t)
	s, err := sign.NewSigner(sign.KindEd25519, secret)
	if err != nil {
		t.Fatal(err)
	}
	data := []byte("data")
	gpg := signedBy(t, data, "CA950D41", "472CDAFA")
	ed, err := sign.Sign(nil, data, s)
	if err != nil {
		t.Fatal(err)
	}
	other, err := sign.Sign(nil, []byte("other"), s)
	if err != nil {
		t.Fatal(err)
	}
	both := append(append(ostree.Metadata{}, gpg...), ed...)
	set := func(kv ...string) (out []repo.RemoteOption) {
		for i := 0; i < len(kv); i += 2 {
			out = append(out, repo.RemoteOption{Key: kv[i], Value: kv[i+1]})
		}
		return out
	}
	key := []string{"verification-ed25519-key", public}
	for name, tc := range map[string]struct {
		options []repo.RemoteOption
		meta    ostree.Metadata
		good    bool
	}{
		"GPG by default":        {meta: gpg, good: true},
		"no signature":          {},
		"ed25519 is no GPG":     {meta: ed},
		"ed25519":               {options: set(append(key, "gpg-verify", "false", "sign-verify", "true")...), meta: ed, good: true},
		"ed25519 by name":       {options: set(append(key, "gpg-verify", "false", "sign-verify", "ed25519")...), meta: ed, good: true},
		"ed25519 of other data": {options: set(append(key, "gpg-verify", "false", "sign-verify", "true")...), meta: other},
		"GPG is no ed25519":     {options: set(append(key, "gpg-verify", "false", "sign-verify", "true")...), meta: gpg},
		"both":                  {options: set(append(key, "sign-verify", "true")...), meta: both, good: true},
		"both, one comes":       {options: set(append(key, "sign-verify", "true")...), meta: ed},
		"both, the other comes": {options: set(append(key, "sign-verify", "true")...), meta: gpg},
	} {
		t.Run(name, func(t *testing.T) {
			r := remoteRepo(t, tc.options...)
			o := sign.CheckerOptions{Now: time.Now(), Keyrings: sign.Keyrings{System: filepath.Join(suite(t), "gpghome/trusted")}, Allow: sign.Allow{System: []string{t.TempDir()}}}
			c, err := sign.RemoteChecker(r, "R", o)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Commit(ostree.Sum(data), data, tc.meta); (err == nil) != tc.good {
				t.Errorf("Commit = %v", err)
			}
		})
	}
	r := remoteRepo(t, set("gpg-verify", "false", "sign-verify", "0")...)
	if c, err := sign.RemoteChecker(r, "R", sign.CheckerOptions{}); err != nil || c.Commit != nil || c.Summary != nil {
		t.Errorf("nothing is wanted: %+v, %v", c, err)
	}
	r = remoteRepo(t, set("sign-verify", "ed25519")...)
	if _, err := sign.RemoteChecker(r, "R", sign.CheckerOptions{}); !errors.Is(err, sign.ErrNoKeys) {
		t.Errorf("a kind by name without keys: %v", err)
	}
	r = remoteRepo(t, set("sign-verify", "nosuch")...)
	if _, err := sign.RemoteChecker(r, "R", sign.CheckerOptions{}); !errors.Is(err, sign.ErrUnknownKind) {
		t.Errorf("a kind that is not known: %v", err)
	}
}

func TestCheckSummary(t *testing.T) {
	data := []byte("summary")
	sig, err := signedBy(t, data, "472CDAFA").Encode()
	if err != nil {
		t.Fatal(err)
	}
	r := remoteRepo(t, repo.RemoteOption{Key: "gpg-verify-summary", Value: "true"})
	c, err := sign.RemoteChecker(r, "R", sign.CheckerOptions{Now: time.Now(), Keyrings: sign.Keyrings{System: filepath.Join(suite(t), "gpghome/trusted")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Summary(data, sig); err != nil {
		t.Error(err)
	}
	if err := c.Summary(nil, sig); !errors.Is(err, sign.ErrNoSummary) {
		t.Errorf("no summary: %v", err)
	}
	if err := c.Summary(data, nil); !errors.Is(err, sign.ErrNoSummarySignatures) {
		t.Errorf("no summary.sig: %v", err)
	}
	if err := c.Summary(data, []byte("garbage")); !errors.Is(err, sign.ErrNoSignatures) {
		t.Errorf("garbage: %v", err)
	}
	var bad *sign.GPGError
	if err := c.Summary([]byte("other"), sig); !errors.As(err, &bad) || len(bad.Signatures) != 1 || !bad.Signatures[0].Bad {
		t.Errorf("of another summary: %v", err)
	}
}

// Keys by their IDs, and signatures by these.
func TestHome(t *testing.T) {
	h := openHome(t)
	if _, err := h.Signer("00000000", time.Now()); !errors.Is(err, openpgp.ErrNotFound) {
		t.Errorf("Signer = %v", err)
	}
	if _, err := h.Signer("Tester", time.Now()); !errors.Is(err, sign.ErrNoKeyID) {
		t.Errorf("Signer = %v", err)
	}
	m := signedBy(t, []byte("data"), "472CDAFA", "CA950D41")
	if !h.HasSigned("0xCA950D41", m) || h.HasSigned("00000000", m) {
		t.Error("HasSigned is wrong")
	}
	left, n := h.RemoveSignatures(m, []string{"CA950D41", "CA950D41"})
	if n != 1 || h.HasSigned("CA950D41", left) || !h.HasSigned("472CDAFA", left) {
		t.Errorf("RemoveSignatures removed %d", n)
	}
}
