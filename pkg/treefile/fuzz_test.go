package treefile_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"testing/fstest"

	"github.com/treewright/treewright/pkg/treefile"
)

// lineEnd is a line break of YAML.
var lineEnd = regexp.MustCompile("[\\r\\n\u0085\u2028\u2029]")

// FuzzParse: what is no treefile gives an *Error with a line; what is one has a
// flattened form that means the same.
func FuzzParse(f *testing.F) {
	seeds, _ := filepath.Glob("testdata/seeds/*") // see testdata/README.md
	if len(seeds) < 10 {
		f.Fatal("no seeds in testdata/seeds")
	}
	for _, name := range append(seeds, "testdata/all.yaml") {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, filepath.Ext(name) == ".json")
	}
	f.Fuzz(func(t *testing.T, in []byte, isJSON bool) {
		name := "t.yaml"
		if isJSON {
			name = "t.json"
		}
		fsys := fstest.MapFS{
			name: {Data: in}, "s.sh": {Data: []byte("#!/bin/sh\n"), Mode: 0o755}, "passwd": {Data: []byte("root:x:0:0::/:\n")},
			"empty.yaml": {Data: []byte("{}")}, "a.yaml": {Data: []byte("ref: a\nvariables: {v: 1}\nunits: [a.service]\n")},
		}
		tf, err := treefile.Parse(fsys, name, x86)
		if err != nil {
			var e *treefile.Error
			if tf != nil || !errors.As(err, &e) || e.Line < 1 || e.Line > len(lineEnd.FindAll(in, -1))+1 {
				t.Fatalf("Parse = %v, %v", tf, err)
			}
			return
		}
		flat, err := tf.JSON()
		if err != nil {
			t.Fatal(err)
		}
		stored, err := treefile.ParseStored(flat, "x86_64")
		if err != nil {
			t.Fatalf("%v\n%s", err, flat)
		}
		if again, err := stored.JSON(); err != nil || !bytes.Equal(again, flat) {
			t.Fatalf("the flattened form changed, %v:\n%s\n%s", err, flat, again)
		}
	})
}
