package sign

import "errors"

// dummySigner signs with the key itself, which proves nothing.
type dummySigner string

// Kind implements [Signer].
func (dummySigner) Kind() string { return KindDummy }

// Sign implements [Signer].
func (s dummySigner) Sign([]byte) ([]byte, error) { return []byte(s), nil }

// ErrNoFiles says that keys of kind dummy are in no files.
var ErrNoFiles = errors.New("keys of this kind are not in files")

// dummyVerifier has one key.
type dummyVerifier struct{ key string }

func (*dummyVerifier) kind() string { return KindDummy }

func (v *dummyVerifier) addKey(key string) error {
	v.key = key
	return nil
}

func (*dummyVerifier) addFile(name string) error {
	return &KeyError{Kind: KindDummy, From: name, Err: ErrNoFiles}
}

func (*dummyVerifier) addSystem() error {
	return &KeyError{Kind: KindDummy, Err: ErrNoFiles}
}

func (v *dummyVerifier) verify(_ []byte, sigs [][]byte) (string, error) {
	for _, sig := range sigs {
		if v.key != "" && string(sig) == v.key {
			return v.key, nil
		}
	}
	return "", &KindError{Kind: KindDummy, Signatures: len(sigs)}
}
