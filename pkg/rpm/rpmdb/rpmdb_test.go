package rpmdb_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/rpm"
	"github.com/treewright/treewright/pkg/rpm/rpmdb"
)

const epoch = 1700000000

func installed(t testing.TB) (list []rpmdb.Installed, files []string) {
	t.Helper()
	found, err := filepath.Glob("../testdata/*.rpm")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range found {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		h, err := rpm.ReadHeader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if seen[h.NEVRA().Name] {
			continue
		}
		seen[h.NEVRA().Name] = true
		abs, err := filepath.Abs(f)
		if err != nil {
			t.Fatal(err)
		}
		list, files = append(list, rpmdb.Installed{Header: h}), append(files, abs)
	}
	if len(list) < 8 {
		t.Fatalf("only %d packages", len(list))
	}
	return list, files
}

func write(t testing.TB, list []rpmdb.Installed) string {
	t.Helper()
	dir := t.TempDir()
	if err := rpmdb.Write(t.Context(), filepath.Join(dir, "rpmdb.sqlite"), list, epoch); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestAsRPM has rpm install the same packages, one by one, and compares all tables.
func TestAsRPM(t *testing.T) {
	tool := fixture.Tool(t, "rpm")
	list, files := installed(t)
	ours := write(t, list)
	root := t.TempDir()
	// One transaction each, so that the order is ours.
	for i, f := range files {
		cmd := exec.Command(tool, "--root", root, "--dbpath", "/db", "-i", "--justdb", "--noscripts", "--nodeps", "--nosignature", "--nodigest", "--force", "--ignorearch", "--ignoreos", f)
		cmd.Env = append(os.Environ(), fmt.Sprint("SOURCE_DATE_EPOCH=", epoch+i))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("rpm cannot install here: %v: %s", err, out)
		}
	}
	a, b := open(t, filepath.Join(ours, "rpmdb.sqlite")), open(t, filepath.Join(root, "db", "rpmdb.sqlite"))
	tables := rows(t, b, `SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite%'`)
	if len(tables) != 19 {
		t.Fatalf("rpm made %d tables", len(tables))
	}
	for _, row := range tables {
		name := row[0].(string)
		if name == "Packages" || name == "Installtid" {
			continue // hold the transaction's time, of which there is one each here
		}
		q := fmt.Sprintf(`SELECT key, hnum, idx FROM %q ORDER BY rowid`, name)
		if x, y := fmt.Sprint(rows(t, a, q)), fmt.Sprint(rows(t, b, q)); x != y {
			t.Errorf("table %s:\n%.2000s\nrpm has\n%.2000s", name, x, y)
		}
	}
	schema := `SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%' ORDER BY name`
	if x, y := fmt.Sprint(rows(t, a, schema)), fmt.Sprint(rows(t, b, schema)); x != y {
		t.Errorf("schema:\n%s\nrpm has\n%s", x, y)
	}
	// rpm 4.18 leaves out a digest of v6 packages that it does not know.
	var v6 []string
	for i, p := range list {
		if f := p.Header.Ints(5114); len(f) > 0 {
			v6 = append(v6, fmt.Sprint(i+1))
		}
	}
	sizes := `SELECT hnum, length(blob) FROM Packages WHERE hnum NOT IN (` + strings.Join(v6, ",") + `)`
	if x, y := fmt.Sprint(rows(t, a, sizes)), fmt.Sprint(rows(t, b, sizes)); x != y {
		t.Errorf("sizes of headers %s, rpm has %s", x, y)
	}
}

func open(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func rows(t testing.TB, db *sql.DB, query string) (out [][]any) {
	t.Helper()
	r, err := db.QueryContext(context.Background(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer r.Close()
	cols, err := r.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for r.Next() {
		row := make([]any, len(cols))
		to := make([]any, len(cols))
		for i := range row {
			to[i] = &row[i]
		}
		if err := r.Scan(to...); err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
	return out
}

// TestRPMReads has rpm list and verify our database, on a folder it cannot write to.
func TestRPMReads(t *testing.T) {
	tool := fixture.Tool(t, "rpm")
	list, _ := installed(t)
	dir := write(t, list)
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o755) })
	out, err := exec.Command(tool, "--dbpath", dir, "-qa", "--qf", "%{NEVRA}\n").CombinedOutput()
	if err != nil || len(strings.Fields(string(out))) != len(list) {
		t.Errorf("rpm -qa: %v\n%s\nwant %d packages", err, out, len(list))
	}
	for _, args := range [][]string{{"-q", "--requires", "rpm-rich-deps"}, {"-qi", "foo"}, {"-ql", "capstest"}, {"-q", "--scripts", "rpm-scriptlets"}} {
		if out, err := exec.Command(tool, append([]string{"--dbpath", dir}, args...)...).CombinedOutput(); err != nil || len(out) < 10 {
			t.Errorf("rpm %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func TestDeterministic(t *testing.T) {
	list, _ := installed(t)
	var sums [2][32]byte
	for i := range sums {
		b, err := os.ReadFile(filepath.Join(write(t, list), "rpmdb.sqlite"))
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(b)
		if b[18] != 1 || b[19] != 1 {
			t.Errorf("journal mode bytes %d %d: a read-only file system could not hold it", b[18], b[19])
		}
	}
	if sums[0] != sums[1] {
		t.Error("two databases of the same packages differ")
	}
}

func BenchmarkWrite(b *testing.B) {
	list, _ := installed(b)
	for b.Loop() {
		write(b, list)
	}
}
