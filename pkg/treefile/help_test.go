package treefile_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/treewright/treewright/pkg/treefile"
)

// archive makes a file system of a txtar archive; scripts (.sh) are executable. A
// first part without a file's name is t.yaml.
func archive(a *txtar.Archive) fstest.MapFS {
	fsys := fstest.MapFS{}
	if len(strings.TrimSpace(string(a.Comment))) > 0 {
		fsys["t.yaml"] = &fstest.MapFile{Data: a.Comment, Mode: 0o644}
	}
	for _, f := range a.Files {
		file := &fstest.MapFile{Data: f.Data, Mode: 0o644}
		if strings.HasSuffix(f.Name, ".sh") {
			file.Mode = 0o755
		}
		fsys[f.Name] = file
	}
	return fsys
}

func files(text string) fstest.MapFS { return archive(txtar.Parse([]byte(text))) }

func readArchive(t testing.TB, name string) fstest.MapFS {
	t.Helper()
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return archive(a)
}

var x86 = treefile.Options{Basearch: "x86_64"}

func parse(t testing.TB, fsys fstest.MapFS, name string, o treefile.Options) *treefile.Treefile {
	t.Helper()
	tf, err := treefile.Parse(fsys, name, o)
	if err != nil {
		t.Fatal(err)
	}
	return tf
}

// top is t.yaml, or t.json when there is no such file.
func top(fsys fstest.MapFS) string {
	if _, ok := fsys["t.yaml"]; ok {
		return "t.yaml"
	}
	return "t.json"
}

// checkError fails unless err is an *Error with the text want.
func checkError(t testing.TB, err error, want string) {
	t.Helper()
	var e *treefile.Error
	if !errors.As(err, &e) {
		t.Fatalf("error = %v, want an *Error: %s", err, want)
	}
	if err.Error() != want {
		t.Errorf("error is\n%s\nwant\n%s", err, want)
	}
}

func sortedWords(m map[string]string) map[string][]string {
	out := map[string][]string{}
	for k, text := range m {
		out[k] = slices.Sorted(slices.Values(strings.Fields(text)))
	}
	return out
}
