package ostree_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
)

// The entry is one that ostree 2022.7 wrote: 178 bytes archived and unpacked, dirtree.
func TestSizes(t *testing.T) {
	sum, err := ostree.ParseChecksum("b7ea836187611c19fed947a70bff25d47c2e129a9004ce222ddcb72835831812")
	if err != nil {
		t.Fatal(err)
	}
	want := []ostree.ObjectSize{{sum, ostree.TypeDirTree, 178, 178}}
	raw := append(sum[:], 0xb2, 0x01, 0xb2, 0x01, 0x02)
	meta := ostree.Metadata{{ostree.KeySizes, gvariant.Variant{Type: "aay", Value: []any{raw}}}}
	got, err := meta.Sizes()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Sizes = %v, %v, want %v", got, err, want)
	}
	if v := ostree.SizesValue(want); !reflect.DeepEqual(v, meta[0].Value) {
		t.Errorf("SizesValue = %v, want %v", v, meta[0].Value)
	}
	// Before 2020 entries had no type.
	meta[0].Value.Value = []any{raw[:len(raw)-1]}
	if got, err := meta.Sizes(); err != nil || got[0].Type != ostree.TypeFile {
		t.Errorf("without a type: %v, %v", got, err)
	}
	for _, bad := range [][]byte{nil, raw[:32], raw[:33], raw[:34], append(raw[:36:36], 4), append(sum[:], []byte(strings.Repeat("\xff", 20))...)} {
		meta[0].Value.Value = []any{bad}
		if got, err := meta.Sizes(); !errors.Is(err, ostree.ErrMalformed) {
			t.Errorf("%x: %v, %v, want ErrMalformed", bad, got, err)
		}
	}
	if _, err := (ostree.Metadata{}).Sizes(); !errors.Is(err, ostree.ErrNotFound) {
		t.Errorf("no key: %v", err)
	}
}
