package importrules

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/treewright/treewright/"

// TestImports prints each import that points up or sideways, with its line.
func TestImports(t *testing.T) {
	root := filepath.Join("..", "..")
	var files int
	for _, top := range []string{"cmd", "composer", "pkg", "hack"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			files++
			rel, err := filepath.Rel(root, file)
			if err != nil {
				return err
			}
			checkFile(t, file, filepath.ToSlash(rel))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 20 {
		t.Fatalf("only %d files were looked at", files)
	}
}

func checkFile(t *testing.T, file, rel string) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	pkg := path.Dir(rel)
	for _, spec := range f.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Error(err)
			continue
		}
		line := rel + ":" + strconv.Itoa(set.Position(spec.Pos()).Line)
		if own, ok := strings.CutPrefix(name, module); ok {
			if why := forbidden(pkg, own); why != "" {
				t.Errorf("%s: %s imports %s: %s", line, pkg, own, why)
			}
			continue
		}
		for lib, owners := range libraries {
			if (name == lib || strings.HasPrefix(name, lib+"/")) && !slices.Contains(owners, pkg) && !testOnly(pkg) {
				t.Errorf("%s: %s imports %s, which is for %s", line, pkg, name, strings.Join(owners, " and "))
			}
		}
	}
}

// testOnly packages are not in the product.
func testOnly(pkg string) bool { return strings.HasPrefix(pkg, "hack/") || pkg == "pkg/fixture" }

func layer(pkg string) int {
	return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, pkg) })
}

func forbidden(from, to string) string {
	if testOnly(from) && layer(from) < 0 {
		return ""
	}
	a, b := layer(from), layer(to)
	switch {
	case a < 0:
		return from + " stands in no layer of hack/importrules"
	case b < 0:
		return to + " stands in no layer of hack/importrules"
	case b < a:
		return "imports point down only"
	case a == b && from != to && !slices.Contains(within[from], to):
		return "they stand in one layer"
	case from == "cmd/treewright" && (to == "pkg/solver" || to == "pkg/rpm"):
		return "a command calls composer"
	}
	return ""
}

// TestRules makes sure that the test above can fail.
func TestRules(t *testing.T) {
	for _, tc := range []struct {
		from, to string
		ok       bool
	}{
		{"composer", "pkg/solver", true},
		{"pkg/solver", "pkg/repodata", true},
		{"pkg/solver", "pkg/repodata/fetch", false},
		{"pkg/solver", "composer", false},
		{"pkg/rootfs", "pkg/ostree/repo", false},
		{"cmd/treewright", "pkg/solver", false},
		{"pkg/nosuch", "pkg/digest", false},
	} {
		if got := forbidden(tc.from, tc.to); (got == "") != tc.ok {
			t.Errorf("forbidden(%s, %s) = %q, want allowed %v", tc.from, tc.to, got, tc.ok)
		}
	}
}
