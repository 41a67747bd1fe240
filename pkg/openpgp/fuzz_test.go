package openpgp_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/treewright/treewright/pkg/openpgp"
)

// seeds are files made by gpg 2.2.40; see testdata/README.md.
func seeds(f *testing.F, pattern string) {
	f.Helper()
	names, _ := filepath.Glob(filepath.Join("testdata", pattern))
	if len(names) == 0 {
		f.Fatalf("no seeds %s", pattern)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// What is read can be written, and reads the same again.
func FuzzRead(f *testing.F) {
	seeds(f, "*.keyring")
	f.Fuzz(func(t *testing.T, in []byte) {
		k, err := openpgp.Read(in)
		if err != nil {
			if !errors.Is(err, openpgp.ErrMalformed) {
				t.Fatalf("Read = %v", err)
			}
			return
		}
		b, err := k.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := openpgp.Read(b)
		if err != nil {
			t.Fatalf("written as %x: %v", b, err)
		}
		c, err := again.Encode()
		if err != nil || !bytes.Equal(b, c) || len(again.Keys()) != len(k.Keys()) {
			t.Fatalf("%d keys, then %d, %v:\n%x\n%x", len(k.Keys()), len(again.Keys()), err, b, c)
		}
	})
}

func FuzzVerify(f *testing.F) {
	seeds(f, "*.sig")
	b, err := os.ReadFile("testdata/public.keyring")
	if err != nil {
		f.Fatal(err)
	}
	k := mustRead(f, b)
	f.Fuzz(func(t *testing.T, sig []byte) {
		list, err := k.Verify([]byte("other data"), sig, now)
		if err != nil && !errors.Is(err, openpgp.ErrMalformed) {
			t.Fatalf("Verify = %v", err)
		}
		for _, s := range list {
			if s.Valid {
				t.Fatalf("a signature of other data is valid: %x", sig)
			}
		}
	})
}

func FuzzReadKeybox(f *testing.F) {
	seeds(f, "*.kbx")
	f.Fuzz(func(t *testing.T, in []byte) {
		k, err := openpgp.ReadKeybox(in)
		if (k == nil) != (err != nil) || err != nil && !errors.Is(err, openpgp.ErrMalformed) {
			t.Fatalf("ReadKeybox = %v, %v", k, err)
		}
	})
}

func FuzzAddSecret(f *testing.F) {
	seeds(f, "*.key")
	public, err := os.ReadFile("testdata/takenover.keyring")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		k := mustRead(t, public)
		if err := k.AddSecret(in); err != nil && !errors.Is(err, openpgp.ErrMalformed) && !errors.Is(err, openpgp.ErrLocked) {
			t.Fatalf("AddSecret = %v", err)
		}
		if len(k.Keys()) != 1 {
			t.Fatalf("%d keys", len(k.Keys()))
		}
	})
}
