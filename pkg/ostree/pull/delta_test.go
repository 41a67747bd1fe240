package pull_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/pull"
)

// The delta that is found leads from what is here, or from nothing, and its sizes are
// those that stock ostree wrote.
func TestFindDelta(t *testing.T) {
	dir, commits := remote(t)
	stock(t, "--repo="+dir, "static-delta", "generate", "--empty", "main")
	stock(t, "--repo="+dir, "static-delta", "generate", "main")
	stock(t, "--repo="+dir, "summary", "-u")
	to := create(t, ostree.ModeBareUser)
	serve(t, dir, to)
	dry := func() (pull.DeltaReport, error) {
		o := origin(t, to)
		o.Refs, o.Deltas, o.DryRun = main(), pull.DeltasRequired, true
		r, err := pull.Run(t.Context(), o)
		if err != nil {
			return pull.DeltaReport{}, err
		}
		return r.Delta, nil
	}
	part := func(glob string) uint64 {
		names, err := filepath.Glob(filepath.Join(dir, "deltas", glob, "0"))
		if err != nil || len(names) != 1 {
			t.Fatalf("%q: %v", names, err)
		}
		st, err := os.Stat(names[0])
		if err != nil {
			t.Fatal(err)
		}
		return uint64(st.Size())
	}
	scratch, err := dry()
	if err != nil || scratch.Parts != 1 || scratch.Size != part("??/"+"???????????????????????????????????????"+"??") {
		t.Errorf("from nothing: %+v, %v", scratch, err)
	}
	o := origin(t, to)
	o.Refs = main(commits[0])
	run(t, o)
	based, err := dry()
	if err != nil || based.Parts != 1 || based.Size != part("??/*-*") || based.Size >= scratch.Size {
		t.Errorf("from what is here: %+v, %v", based, err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "deltas")); err != nil {
		t.Fatal(err)
	}
	if _, err := dry(); err == nil {
		t.Error("a delta that is listed and not there is found")
	}
	stock(t, "--repo="+dir, "summary", "-u")
	var none *pull.NoDeltaError
	if _, err := dry(); !errors.As(err, &none) || none.Ref != "main" || none.To.String() != commits[1] {
		t.Errorf("no delta: %v", err)
	}
	o.Refs = main()
	run(t, o)
	if d, err := dry(); err != nil || d.Parts != 0 {
		t.Errorf("nothing to do: %+v, %v", d, err)
	}
}
