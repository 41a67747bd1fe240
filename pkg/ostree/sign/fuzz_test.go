package sign_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/treewright/treewright/pkg/ostree/sign"
)

// Every line of a file of keys that is taken is a key, and no other is.
func FuzzKeyFile(f *testing.F) {
	public, secret := "45yzbkuEok0lLabxzdAHWUDSMZgYfxU40sN+LMfYHVA=", "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==" // RFC 8032, 7.1, test 1
	for _, s := range []string{"", "\n", public, public + "\nno key\n", secret + "\r\n", secret + "\n" + public, public + "=", "\x00" + public} {
		f.Add([]byte(s))
	}
	name := filepath.Join(f.TempDir(), "keys")
	f.Fuzz(func(t *testing.T, in []byte) {
		write(t, name, string(in))
		lines := 0
		for _, line := range bytes.Split(in, []byte("\n")) {
			if len(bytes.TrimSpace(line)) > 0 {
				lines++
			}
		}
		var bad *sign.KeyError
		signers, err := sign.ReadSigners(sign.KindEd25519, name)
		if err != nil && !errors.As(err, &bad) || err == nil && (len(signers) != lines || lines == 0) {
			t.Fatalf("ReadSigners = %d of %d lines, %v", len(signers), lines, err)
		}
		for _, s := range signers {
			if _, err := s.Sign(in); err != nil {
				t.Fatal(err)
			}
		}
		v := verifier(t, sign.KindEd25519, sign.Allow{})
		if err := v.AddFile(name); err != nil && !errors.As(err, &bad) {
			t.Fatalf("AddFile = %v", err)
		}
		var none *sign.KindError
		if _, err := v.Verify([]byte("data"), sign.WithSignatures(nil, sign.KindEd25519, [][]byte{in})); !errors.As(err, &none) && !errors.As(err, &bad) {
			t.Fatalf("Verify = %v", err)
		}
	})
}
