package pull_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
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

// Stock ostree finds whole what its own deltas of each kind were pulled as, and next
// to nothing comes beside them. The kinds are those of ostree static-delta generate.
func TestPullDelta(t *testing.T) {
	noise := func(seed uint64, n int) string {
		r := rand.New(rand.NewPCG(seed, 1))
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return string(b)
	}
	big := noise(1, 300<<10)
	files := map[string]string{"lib/a.so": big, "lib/b.so": noise(2, 100<<10), "c": "C", "gone": "G"}
	dir := t.TempDir()
	stock(t, "--repo="+dir, "init", "--mode=archive")
	first := commit(t, dir, files)
	files["lib/a.so"] = big[:200<<10] + "inserted" + big[200<<10:]
	patched := []byte(files["lib/b.so"])
	for i := 0; i < len(patched); i += 5000 {
		patched[i]++
	}
	files["lib/b.so"], files["new"], files["empty"], files["huge"] = string(patched), "N", "", noise(3, 5<<20)
	second := commit(t, dir, files)
	for name, args := range map[string][]string{
		"rollsum and bsdiff": nil,
		"no bsdiff":          {"--disable-bsdiff"},
		"inline":             {"--inline"},
		"another byte order": {"--swap-endianness"},
		"from nothing":       {"--empty"},
		"all in parts":       {"--min-fallback-size=0", "--max-chunk-size=1"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.RemoveAll(filepath.Join(dir, "deltas")); err != nil {
				t.Fatal(err)
			}
			stock(t, append([]string{"--repo=" + dir, "static-delta", "generate", "main"}, args...)...)
			stock(t, "--repo="+dir, "summary", "-u")
			to := create(t, ostree.ModeBareUser)
			serve(t, dir, to)
			o := origin(t, to)
			if name != "from nothing" {
				o.Refs = main(first)
				run(t, o)
			}
			o.Refs, o.Deltas = main(), pull.DeltasRequired
			report := run(t, o)
			wantLoose := 1 // huge
			if name == "all in parts" {
				wantLoose = 0
			}
			if report.Delta.Fetched == 0 || report.FetchedContent != wantLoose {
				t.Errorf("%d parts, %d files one by one, want %d", report.Delta.Fetched, report.FetchedContent, wantLoose)
			}
			stock(t, "--repo="+to.Path(), "fsck")
			if got := stock(t, "--repo="+to.Path(), "rev-parse", "origin:main"); got != second {
				t.Errorf("origin:main is %s, want %s", got, second)
			}
		})
	}
}

// Parts that a server damages leave nothing behind that stock ostree finds fault with.
func TestPullDeltaDamaged(t *testing.T) {
	dir, _ := remote(t)
	stock(t, "--repo="+dir, "static-delta", "generate", "--empty", "main")
	stock(t, "--repo="+dir, "summary", "-u")
	names, err := filepath.Glob(filepath.Join(dir, "deltas/*/*/*"))
	if err != nil || len(names) != 2 {
		t.Fatalf("%q: %v", names, err)
	}
	for _, name := range names {
		good, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(good)
		bad[len(bad)/2] ^= 1
		if err := os.WriteFile(name, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		to := create(t, ostree.ModeBareUser)
		serve(t, dir, to)
		o := origin(t, to)
		o.Refs = main()
		if _, err := pull.Run(t.Context(), o); !errors.Is(err, ostree.ErrCorrupt) {
			t.Errorf("%s damaged: %v", filepath.Base(name), err)
		}
		stock(t, "--repo="+to.Path(), "fsck")
		if err := os.WriteFile(name, good, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
