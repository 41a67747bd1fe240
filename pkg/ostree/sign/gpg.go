package sign

import (
	"time"

	"github.com/treewright/treewright/pkg/openpgp"
	"github.com/treewright/treewright/pkg/ostree"
)

// JudgeGPG judges the GPG signatures of data that metadata has. Nothing in it is an
// error unless there is no signature, or none that can be read: then it is a
// [*GPGError].
func JudgeGPG(k *openpgp.Keyring, data []byte, m ostree.Metadata, now time.Time) ([]openpgp.Signature, error) {
	var out []openpgp.Signature
	for _, sig := range Signatures(m, KindGPG) {
		list, err := k.Verify(data, sig, now)
		if err != nil {
			continue // bytes that are no signature prove nothing
		}
		out = append(out, list...)
	}
	if len(out) == 0 {
		return nil, &GPGError{}
	}
	return out, nil
}

// verifyGPG wants a GPG signature of data that is good.
func verifyGPG(k *openpgp.Keyring, data []byte, m ostree.Metadata, now time.Time) error {
	list, err := JudgeGPG(k, data, m, now)
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.Valid {
			return nil
		}
	}
	return &GPGError{Signatures: list}
}
