package sign

import (
	"errors"
	"fmt"

	"github.com/treewright/treewright/pkg/ostree"
)

// verifier judges signatures of one kind by keys.
type verifier interface {
	kind() string
	addKey(text string) error
	addFile(name string) error
	addSystem() error

	// verify returns the name of a trusted key that a signature is by. The error is a
	// [*KindError] when there is none, or about keys.
	verify(data []byte, sigs [][]byte) (string, error)
}

// Verifier judges signatures of one kind by keys. Without any, those of the system
// count.
type Verifier struct{ verifier }

// Allow tells what besides the usual may judge signatures.
type Allow struct {
	Dummy  bool     // allows the kind dummy
	System []string // folders with the keys of the system; nil: [SystemKeys]
}

// NewVerifier makes a verifier that has no keys yet. The error wraps [ErrUnknownKind].
func NewVerifier(kind string, a Allow) (*Verifier, error) {
	switch {
	case kind == KindEd25519:
		system := a.System
		if system == nil {
			system = SystemKeys
		}
		return &Verifier{&ed25519Verifier{system: system}}, nil
	case kind == KindDummy && a.Dummy:
		return &Verifier{&dummyVerifier{}}, nil
	}
	return nil, fmt.Errorf("%q: %w", kind, ErrUnknownKind)
}

// Kind is the kind of signatures that v judges.
func (v *Verifier) Kind() string { return v.kind() }

// AddKey adds a public key.
func (v *Verifier) AddKey(text string) error { return v.addKey(text) }

// AddFile adds the public keys of a file.
func (v *Verifier) AddFile(name string) error { return v.addFile(name) }

// AddSystem adds the keys of the system.
func (v *Verifier) AddSystem() error { return v.addSystem() }

// Verify returns the name of a trusted key by which data has a signature in metadata.
// The error is a [*KindError] when there is none, or a [*KeyError].
func (v *Verifier) Verify(data []byte, m ostree.Metadata) (string, error) {
	return v.verify(data, Signatures(m, v.kind()))
}

// verifyAny wants a signature that one of the verifiers takes. Metadata that has no
// signatures of the kinds of any wraps [ErrNoSignatures].
func verifyAny(list []*Verifier, data []byte, m ostree.Metadata) error {
	var first error
	bad := 0
	for _, v := range list {
		if !has(m, v.Kind()) {
			continue
		}
		_, err := v.Verify(data, m)
		if err == nil {
			return nil
		}
		if bad++; first == nil {
			first = err
		}
	}
	var kind *KindError
	switch {
	case first == nil:
		return ErrNoSignatures
	case errors.As(first, &kind):
		kind.More = bad - 1
	}
	return first
}
