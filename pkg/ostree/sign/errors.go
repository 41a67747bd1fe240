package sign

import (
	"errors"
	"fmt"

	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/ostree"
)

// What a caller can tell apart with errors.Is.
var (
	// ErrUnknownKind is a kind of signatures that is not known, or not allowed.
	ErrUnknownKind = errors.New("unknown kind of signatures")
	// ErrNoSignatures says that there is nothing to judge.
	ErrNoSignatures = errors.New("there are no signatures")
	// ErrNoSummary and ErrNoSummarySignatures say that a file is not there.
	ErrNoSummary           = errors.New("there is no summary")
	ErrNoSummarySignatures = errors.New("there are no signatures of the summary")
)

// A GPGError is data that no key of the keyring has a good signature of. It wraps
// ErrNoSignatures when there is none at all.
type GPGError struct {
	Signatures []openpgp.Signature // in the order of the metadata
}

func (e *GPGError) Error() string {
	if len(e.Signatures) == 0 {
		return "no GPG signature"
	}
	return fmt.Sprintf("none of %d GPG signatures is good", len(e.Signatures))
}

func (e *GPGError) Unwrap() error {
	if len(e.Signatures) == 0 {
		return ErrNoSignatures
	}
	return nil
}

// A GPGSummaryError is a summary that cannot be judged though its GPG signature is
// wanted. Err is [ErrNoSummary] or [ErrNoSummarySignatures].
type GPGSummaryError struct{ Err error }

func (e *GPGSummaryError) Error() string { return "its GPG signature is wanted: " + e.Err.Error() }

func (e *GPGSummaryError) Unwrap() error { return e.Err }

// A KindError is data that has no signature of a kind by a trusted key.
type KindError struct {
	Kind       string
	Signatures int // of that kind; none wraps ErrNoSignatures

	// Tried are the public keys that were compared, one for each signature.
	Tried []string
	// More counts kinds whose signatures are not good either.
	More int
}

func (e *KindError) Error() string {
	if e.Signatures == 0 {
		return "no signature of kind " + e.Kind
	}
	return fmt.Sprintf("none of %d signatures of kind %s is by a trusted key, of which there are %d", e.Signatures, e.Kind, len(e.Tried)/e.Signatures)
}

func (e *KindError) Unwrap() error {
	if e.Signatures == 0 {
		return ErrNoSignatures
	}
	return nil
}

// A CommitError is a commit without the signature that a remote wants.
type CommitError struct {
	Commit   ostree.Checksum
	Detached bool // there is detached metadata
	Err      error
}

func (e *CommitError) Error() string { return fmt.Sprintf("commit %s: %v", e.Commit, e.Err) }

func (e *CommitError) Unwrap() error { return e.Err }

// A KeyError is about keys that cannot be had.
type KeyError struct {
	Kind string
	Key  string // the name of one; "": about all
	From string // the file or folder they should be in; "": the option itself
	Err  error
}

func (e *KeyError) Error() string {
	s := e.Kind + " key"
	if e.Key != "" {
		s += " " + e.Key
	}
	if e.From != "" {
		s += " in " + e.From
	}
	return s + ": " + e.Err.Error()
}

func (e *KeyError) Unwrap() error { return e.Err }

// Why keys cannot be had.
var (
	ErrNoKeys  = errors.New("there are no keys")
	ErrBadKey  = errors.New("this is no key")
	ErrNoKeyID = errors.New("want 8, 16 or 40 hexadecimal digits") // of a GPG key
)
