package rpm

import (
	"errors"
	"fmt"

	"github.com/treewright/treewright/pkg/openpgp"
)

// What is wrong with the signatures of a package; for errors.Is.
var (
	ErrNotSigned            = errors.New("package is not signed")
	ErrNoKey                = errors.New("package is signed by an unknown key")
	ErrBadSignature         = errors.New("package's signature is wrong")
	ErrNotTrusted           = errors.New("package is signed by a key that was not good")
	ErrUnsupportedSignature = errors.New("package's signature is of a kind that is not supported")
)

// SignatureError says why a package does not count as signed. It is one of the errors
// above for errors.Is.
type SignatureError struct {
	Check *Check // what failed; nil when nothing is there
	KeyID string // of the key that the signature names, 16 hexadecimal digits; may be empty
	kind  error
}

func (e *SignatureError) Error() string {
	if e.Check == nil {
		return e.kind.Error()
	}
	return e.Check.String() + ": " + e.Check.Detail + ": " + e.kind.Error()
}

// Unwrap tells which of the errors it is.
func (e *SignatureError) Unwrap() error { return e.kind }

var signatureKinds = map[Status]error{
	StatusBad: ErrBadSignature, StatusNoKey: ErrNoKey, StatusNotTrusted: ErrNotTrusted, StatusUnsupported: ErrUnsupportedSignature,
}

// digestError says which digest is wrong, and wraps [ErrCorrupt]; nil when none is.
func digestError(checks []Check) error {
	for _, c := range checks {
		if c.Signature == nil && c.Status == StatusBad {
			return fmt.Errorf("%s: %s: %w", c, c.Detail, ErrCorrupt)
		}
	}
	return nil
}

// CheckSigned tells whether a package counts as signed, as gpgcheck=1 of dnf means it:
// header and payload are both covered by a signature of a key of the keyring, directly
// or, for the payload, by a digest in the signed header; and nothing is wrong. A second
// signature by an unknown key does no harm. It is called when the whole payload was
// written.
//
// The error is a [*SignatureError], or wraps [ErrCorrupt] when a digest is wrong.
func (v *Verification) CheckSigned() error { return checkSigned(v.Checks(), RangeBoth) }

// CheckHeader tells, before the payload is read, whether the package can still count
// as signed. Its errors are those of CheckSigned.
func (v *Verification) CheckHeader() error {
	err := checkSigned(v.header, RangeHeader)
	if len(v.both) > 0 && (errors.Is(err, ErrNotSigned) || errors.Is(err, ErrNoKey)) {
		return nil
	}
	return err
}

// SignedBy is the key behind a package that counts as signed, or nil.
func (v *Verification) SignedBy() *openpgp.Key {
	for _, c := range v.Checks() {
		if c.Signature != nil && c.Status == StatusOK {
			return c.Signature.Primary
		}
	}
	return nil
}

func checkSigned(checks []Check, parts Range) error {
	if err := digestError(checks); err != nil {
		return err
	}
	var signed, digested Range
	worst := &SignatureError{kind: ErrNotSigned}
	for _, c := range checks {
		switch {
		case c.Signature == nil && c.Algorithm.Strong():
			digested |= c.Range
		case c.Signature == nil:
		case c.Status == StatusOK:
			signed |= c.Range
		case c.Status == StatusBad:
			return &SignatureError{&c, c.Signature.KeyID(), ErrBadSignature}
		case worst.Check == nil:
			worst = &SignatureError{&c, c.Signature.KeyID(), signatureKinds[c.Status]}
		}
	}
	if signed&RangeHeader != 0 {
		signed |= digested & RangePayload
	}
	if signed&parts == parts {
		return nil
	}
	return worst
}
