package composer

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/treewright/treewright/pkg/nevra"
)

// The form is that of `rpm-ostree db diff --format=json`.
func TestPackageChangeJSON(t *testing.T) {
	evr := func(s string) nevra.EVR {
		e, err := nevra.ParseEVR(s)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	want := []PackageChange{
		{Name: "bash", Kind: 2, Old: &nevra.NEVRA{Name: "bash", EVR: evr("5.1-2"), Arch: "x86_64"}, New: &nevra.NEVRA{Name: "bash", EVR: evr("1:5.2-1"), Arch: "x86_64"}},
		{Name: "vim", Kind: 0, New: &nevra.NEVRA{Name: "vim", EVR: evr("9-1"), Arch: "noarch"}},
	}
	text := `[["bash",2,{"NewPackage":["bash","1:5.2-1","x86_64"],"PreviousPackage":["bash","5.1-2","x86_64"]}],["vim",0,{"NewPackage":["vim","9-1","noarch"]}]]`
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != text {
		t.Errorf("Marshal:\n got %s\nwant %s", b, text)
	}
	var got []PackageChange
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Unmarshal = %+v, want %+v", got, want)
	}
	if err := json.Unmarshal([]byte(`[[1,2,{}]]`), &got); err == nil {
		t.Error("Unmarshal takes a number for a name")
	}
}
