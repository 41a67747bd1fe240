package rpm_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/rpm"
)

// moreRPMs names a folder of further packages, and of keys, for the tests that ask rpm
// about whatever packages there are.
const moreRPMs = "TREEWRIGHT_TEST_RPMS"

// corpus is the packages of testdata, good and bad, and those of moreRPMs.
func corpus(t testing.TB) []string {
	t.Helper()
	list := below(t, "testdata", isPackage)
	if dir := os.Getenv(moreRPMs); dir != "" {
		list = append(list, below(t, dir, isPackage)...)
	}
	return list
}

func isPackage(name string) bool { return strings.HasSuffix(name, ".rpm") }

func isKey(name string) bool {
	return strings.HasSuffix(name, ".asc") || strings.HasSuffix(name, ".pub") || strings.HasPrefix(name, "RPM-GPG-KEY")
}

func below(t testing.TB, dir string, want func(name string) bool) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && want(d.Name()) {
			list = append(list, path)
		}
		return err
	})
	if err != nil || len(list) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(list), err)
	}
	return list
}

// importKeys has rpm import the keys that it knows how to, and gives us the same.
func importKeys(t testing.TB, rpmkeys string) (dbpath string, keys *openpgp.Keyring) {
	t.Helper()
	dbpath, keys = t.TempDir(), &openpgp.Keyring{}
	files := below(t, "testdata/keys", isKey)
	if dir := os.Getenv(moreRPMs); dir != "" {
		files = append(files, below(t, dir, isKey)...)
	}
	taken := 0
	for _, f := range files {
		if out, err := exec.Command(rpmkeys, "--dbpath", dbpath, "--import", f).CombinedOutput(); err != nil {
			t.Logf("rpm does not import %s: %s", f, out)
			continue
		}
		k, err := openpgp.Read(read(t, f))
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		keys.Add(k)
		taken++
	}
	if taken < 3 {
		t.Fatalf("rpm imports only %d keys", taken)
	}
	return dbpath, keys
}

// outcome is a line of `rpm -Kv`, or none that says anything here.
var outcome = regexp.MustCompile(`^ +(.* (?:digest|key ID [0-9a-f]*)): (OK|BAD|NOKEY|NOTTRUSTED)\b`)

// TestVerify compares each outcome with that of rpm with the same keys.
func TestVerify(t *testing.T) {
	tool := fixture.Tool(t, "rpmkeys")
	dbpath, keys := importKeys(t, tool)
	compared := 0
	for _, file := range corpus(t) {
		out, rpmErr := exec.Command(tool, "--dbpath", dbpath, "-Kv", file).CombinedOutput()
		var want []string
		for line := range strings.Lines(string(out)) {
			if m := outcome.FindStringSubmatch(line); m != nil {
				want = append(want, m[1]+": "+m[2])
			}
		}
		_, v, err := rpm.Verify(bytes.NewReader(read(t, file)), keys)
		if err != nil {
			if rpmErr == nil {
				t.Errorf("%s: %v; rpm has\n%s", file, err, out)
			}
			continue
		}
		var got []string
		for _, c := range v.Checks() {
			if unknownTo418(c) {
				continue
			}
			got = append(got, c.String()+": "+c.Status.String())
		}
		if slices.Sort(got); len(want) == 0 {
			t.Errorf("%s: %q; rpm has\n%s", file, got, out)
			continue
		}
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nrpm has\n%s", file, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		compared++
	}
	t.Logf("%d packages compared", compared)
}

// unknownTo418 tells whether rpm 4.18, which has no ECDSA and reads packages of format 6
// as far as it knows them, passes over a check.
func unknownTo418(c rpm.Check) bool {
	switch {
	case c.Tag == 278, c.Tag == 279, c.Tag > 5100: // OPENPGP, SHA3_256, PAYLOADSHA512 and up
		return true
	}
	return c.Signature != nil && c.Signature.Algorithm == "ECDSA"
}

// TestCheckSigned asks rpm which packages are good when signatures are demanded.
func TestCheckSigned(t *testing.T) {
	tool := fixture.Tool(t, "rpmkeys")
	dbpath, keys := importKeys(t, tool)
	signed := 0
	for _, file := range corpus(t) {
		out, rpmErr := exec.Command(tool, "--dbpath", dbpath, "--define", "_pkgverify_level signature", "-Kv", file).CombinedOutput()
		_, v, err := rpm.Verify(bytes.NewReader(read(t, file)), keys)
		if err == nil {
			err = v.CheckSigned()
		}
		if (err == nil) != (rpmErr == nil) {
			t.Errorf("%s: %v; rpm has %v\n%s", file, err, rpmErr, out)
		}
		if err == nil {
			signed++
		}
	}
	if signed < 2 {
		t.Errorf("only %d packages are signed", signed)
	}
	t.Logf("%d packages are signed", signed)
}

// What rpm 4.18 does not know, and what keys make of a signature. That these are good is
// what the projects say that made the packages and the keys; see testdata/README.md.
func TestSignatures(t *testing.T) {
	const rsa, ecdsa, ed25519, v6, alice, centos5 = "rpm.org-rsa-2048-test.pub", "rpm-testkey-v4-ecdsa-nistp256.asc",
		"rpm-testkey-v4-ed25519.asc", "rpm-testkey-v6-keyring.asc", "alice.asc", "RPM-GPG-KEY-CentOS-5"
	for name, tc := range map[string]struct {
		file string
		keys []string
		want error
	}{
		"RSA":                               {"signed/hello-2.0-1.x86_64-signed.rpm", []string{rsa}, nil},
		"version 3":                         {"signed/hello-2.0-1.x86_64-v3-signed.rpm", []string{rsa}, nil},
		"ECDSA":                             {"signed/v4-ecdsa.noarch.rpm", []string{ecdsa}, nil},
		"EdDSA":                             {"signed/v4-ima.noarch.rpm", []string{ed25519}, nil},
		"DSA, whose payload has no digest":  {"signed/centos-release-5-0.0.el5.centos.2.i386.rpm", []string{centos5}, nil},
		"one of several, format 6":          {"signed/v6-multiple-signatures.noarch.rpm", []string{v6}, nil},
		"ML-DSA":                            {"signed/v6-mldsa65-ed25519.noarch.rpm", []string{v6}, nil},
		"other keys":                        {"signed/hello-2.0-1.x86_64-signed.rpm", []string{v6, centos5}, rpm.ErrNoKey},
		"no keys":                           {"signed/v6-mldsa65-ed25519.noarch.rpm", nil, rpm.ErrNoKey},
		"subkey":                            {"signed/hello-2.0-1.x86_64-signed-with-subkey.rpm", []string{alice}, nil},
		"revoked subkey":                    {"signed/hello-2.0-1.x86_64-signed-with-subkey.rpm", []string{"alice-revoked-subkey.asc"}, rpm.ErrNotTrusted},
		"none":                              {"basic-v6-zstd.noarch.rpm", []string{rsa}, rpm.ErrNotSigned},
		"wrong payload under a good header": {"bad/hello-2.0-1.x86_64-corrupted.rpm", []string{rsa}, rpm.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			keys := &openpgp.Keyring{}
			for _, k := range tc.keys {
				one, err := openpgp.Read(read(t, filepath.Join("testdata/keys", k)))
				if err != nil {
					t.Fatal(err)
				}
				keys.Add(one)
			}
			_, v, err := rpm.Verify(bytes.NewReader(read(t, filepath.Join("testdata", tc.file))), keys)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.CheckSigned(); !errors.Is(err, tc.want) {
				t.Errorf("CheckSigned = %v, want %v\n%v", err, tc.want, v.Checks())
			}
		})
	}
}

// A signature that is wrong is told apart from one by an unknown key.
func TestForged(t *testing.T) {
	good := read(t, "testdata/signed/hello-2.0-1.x86_64-signed.rpm")
	k, err := openpgp.Read(read(t, "testdata/keys/rpm.org-rsa-2048-test.pub"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := rpm.ReadHeader(bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	const rsaTag = 268
	for _, e := range h.SignatureEntries() {
		if e.Tag != rsaTag {
			continue
		}
		at := bytes.Index(good, e.Value) + len(e.Value) - 20
		bad := bytes.Clone(good)
		bad[at] ^= 1
		_, v, err := rpm.Verify(bytes.NewReader(bad), k)
		if err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"header": v.CheckHeader(), "package": v.CheckSigned(),
		} {
			var se *rpm.SignatureError
			if !errors.As(err, &se) || !errors.Is(err, rpm.ErrBadSignature) || se.KeyID != "4344591E1964C5FC" {
				t.Errorf("%s: %v, want a bad signature by 4344591E1964C5FC", what, err)
			}
		}
	}
}

func FuzzVerify(f *testing.F) {
	for _, file := range below(f, "testdata/signed", isPackage) {
		f.Add(read(f, file))
	}
	keys := &openpgp.Keyring{}
	for _, file := range below(f, "testdata/keys", isKey) {
		k, err := openpgp.Read(read(f, file))
		if err != nil {
			f.Fatal(err)
		}
		keys.Add(k)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		_, v, err := rpm.Verify(bytes.NewReader(in), keys)
		if err != nil {
			if !errors.Is(err, rpm.ErrMalformed) && !errors.Is(err, rpm.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		var se *rpm.SignatureError
		if err := v.CheckSigned(); err != nil && !errors.Is(err, rpm.ErrCorrupt) && !errors.As(err, &se) {
			t.Fatal(err)
		}
	})
}
