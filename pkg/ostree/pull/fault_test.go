package pull_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/pull"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// childRepo names the repository that this program pulls into when it runs as a child
// that is to be killed.
const childRepo = "PULL_TEST_REPO"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childRepo); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func child(dir string) error {
	pull.FlushEvery(3 * time.Millisecond)
	to, err := repo.Open(dir)
	if err != nil {
		return err
	}
	m, err := pull.OpenRemote(context.Background(), to, "origin", pull.RemoteOptions{Retries: -1})
	if err != nil {
		return err
	}
	defer m.Close()
	o := m.Options()
	o.To, o.Refs, o.Depth = to, []pull.Ref{{Name: "main"}}, -1
	_, err = pull.Run(context.Background(), o)
	return err
}

// crowd is an archive repository with many objects and two commits.
func crowd(t testing.TB) string {
	dir := t.TempDir()
	stock(t, "--repo="+dir, "init", "--mode=archive")
	files := map[string]string{}
	for i := range 120 {
		files[fmt.Sprintf("d%d/e%d/f%d", i%7, i%11, i)] = strings.Repeat(strconv.Itoa(i), 1+i*i)
	}
	commit(t, dir, files)
	files["d1/new"] = "new"
	commit(t, dir, files)
	stock(t, "--repo="+dir, "summary", "-u")
	return dir
}

// faulty serves a folder, and does something wrong now and then.
type faulty struct {
	dir string
	mu  sync.Mutex
	rnd *rand.Rand
	one int // in so many answers
}

func (f *faulty) roll(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rnd.IntN(n)
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := os.ReadFile(filepath.Join(f.dir, filepath.FromSlash(r.URL.Path)))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if f.roll(f.one) != 0 {
		_, _ = w.Write(b)
		return
	}
	cut := b[:f.roll(len(b)+1)]
	switch f.roll(7) {
	case 0: // the connection is cut
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		_, _ = w.Write(cut)
		panic(http.ErrAbortHandler)
	case 1: // the length is said to be less than it is
		w.Header().Set("Content-Length", strconv.Itoa(len(cut)))
		_, _ = w.Write(cut)
	case 2: // and more
		w.Header().Set("Content-Length", strconv.Itoa(len(b)+100))
		_, _ = w.Write(b)
	case 3: // a bit is turned over
		b = bytes.Clone(b)
		b[f.roll(len(b))] ^= 1 << f.roll(8)
		_, _ = w.Write(b)
	case 4: // something else comes behind
		_, _ = w.Write(append(bytes.Clone(b), cut...))
	case 5:
		w.WriteHeader([]int{500, 502, 404, 403, 401, 408, 204}[f.roll(7)])
	case 6: // another file
		_, _ = w.Write([]byte("<html>hello</html>"))
	}
}

// Whatever a server does wrong ends in an error or in success, and never in a
// repository in which stock ostree finds a fault. What came by right is kept.
func TestPullFaults(t *testing.T) {
	dir, deltas := crowd(t), crowd(t)
	for _, args := range [][]string{{"--empty"}, nil} {
		args = append([]string{"--repo=" + deltas, "static-delta", "generate", "main", "--min-fallback-size=0", "--max-chunk-size=1"}, args...)
		stock(t, args...)
	}
	stock(t, "--repo="+deltas, "summary", "-u")
	for i, mode := range []ostree.Mode{ostree.ModeArchive, ostree.ModeBareUser, ostree.ModeBareUserOnly, ostree.ModeBareUser} {
		to := create(t, mode)
		if i == 3 {
			dir = deltas
		}
		f := &faulty{dir: dir, rnd: rand.New(rand.NewPCG(uint64(i), 5)), one: 20}
		srv := httptest.NewServer(f)
		t.Cleanup(srv.Close)
		addRemote(t, to, srv.URL)
		failed := 0
		for range 15 {
			o := origin(t, to)
			o.Refs, o.Depth, o.Mirror = main(), -1, mode == ostree.ModeArchive
			if _, err := pull.Run(t.Context(), o); err != nil {
				failed++
			}
			stock(t, "--repo="+to.Path(), "fsck")
		}
		if failed == 0 {
			t.Errorf("%s: no pull failed: the server does nothing wrong", mode)
		}
		f.one = 1 << 30
		o := origin(t, to)
		o.Refs, o.Depth = main(), -1
		run(t, o)
		if out := stock(t, "--repo="+to.Path(), "fsck"); strings.Contains(out, "partial") {
			t.Errorf("%s: %s", mode, out)
		}
	}
}

// A pull that is killed leaves a repository that stock ostree finds whole, and the next
// one goes on.
func TestPullKilled(t *testing.T) {
	dir := crowd(t)
	to := create(t, ostree.ModeBareUser)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Millisecond)
		http.ServeFileFS(w, r, os.DirFS(dir), strings.TrimPrefix(r.URL.Path, "/"))
	}))
	t.Cleanup(srv.Close)
	addRemote(t, to, srv.URL)
	rnd := rand.New(rand.NewPCG(1, 2))
	killed, before := 0, 0
	for range 12 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childRepo+"="+to.Path())
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(10+rnd.IntN(70)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled() {
			killed++
		}
		stock(t, "--repo="+to.Path(), "fsck")
		names, err := filepath.Glob(filepath.Join(to.Path(), "objects/*/*"))
		if err != nil || len(names) < before {
			t.Fatalf("%d objects were there, %d are left: %v", before, len(names), err)
		}
		before = len(names)
	}
	if killed == 0 {
		t.Error("every pull was done before it was killed")
	}
	o := origin(t, to)
	o.Refs, o.Depth = main(), -1
	run(t, o)
	stock(t, "--repo="+to.Path(), "fsck")
	if left, _ := filepath.Glob(filepath.Join(to.Path(), "state/*")); len(left) > 0 {
		t.Errorf("marks of what is not whole: %q", left)
	}
}

// A summary of the past leads to the past, which who asks for it is kept from.
func TestPullReplay(t *testing.T) {
	dir := t.TempDir()
	stock(t, "--repo="+dir, "init", "--mode=archive")
	commit(t, dir, map[string]string{"a": "A"}, "--timestamp=@1000000000")
	stock(t, "--repo="+dir, "summary", "-u")
	old, err := os.ReadFile(filepath.Join(dir, "summary"))
	if err != nil {
		t.Fatal(err)
	}
	commit(t, dir, map[string]string{"a": "B"}, "--timestamp=@1000000001")
	stock(t, "--repo="+dir, "summary", "-u")
	to := create(t, ostree.ModeArchive)
	serve(t, dir, to)
	o := origin(t, to)
	o.Refs, o.NotOlder = main(), true
	run(t, o)
	if err := os.WriteFile(filepath.Join(dir, "summary"), old, 0o644); err != nil {
		t.Fatal(err)
	}
	var older *pull.OlderError
	if _, err := pull.Run(t.Context(), o); !errors.As(err, &older) {
		t.Errorf("the summary of the day before: %v", err)
	}
}
