// Conformance runs libostree's own test suite with our binary in the place of the
// `ostree` command, and compares with a list of the scripts that pass.
//
//	conformance -ostree bin/treewright            the scripts of pass.txt: each must pass with
//	                                              as many assertions as stand there
//	conformance -ostree bin/treewright -all       every script; what stock passes beside it
//	conformance -ostree bin/treewright NAME...    these scripts, with their output when they fail
//
// The scripts come from the Debian package ostree-tests. They speak TAP: "ok" and
// "not ok" lines, and a status.
package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

//go:embed pass.txt
var passList string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// suite is where the scripts are and what they run.
type suite struct {
	dir     string // of the scripts
	ostree  string // program that stands in for ostree; "" is the stock one
	timeout time.Duration
	verbose bool
}

func run(ctx context.Context) error {
	s := suite{}
	flag.StringVar(&s.dir, "suite", "/usr/libexec/installed-tests/libostree", "`folder` of the scripts")
	flag.StringVar(&s.ostree, "ostree", "", "`program` to test; empty: the stock one")
	flag.DurationVar(&s.timeout, "timeout", 3*time.Minute, "for one script")
	all := flag.Bool("all", false, "every script, and stock beside it")
	jobs := flag.Int("jobs", runtime.GOMAXPROCS(0), "scripts at once")
	flag.Parse()

	if _, err := os.Stat(filepath.Join(s.dir, "libtest.sh")); err != nil {
		return fmt.Errorf("%w: the suite is in the Debian package ostree-tests", err)
	}
	must, err := parsePassList(passList)
	if err != nil {
		return err
	}
	names := flag.Args()
	s.verbose = len(names) > 0
	switch {
	case *all:
		found, err := filepath.Glob(filepath.Join(s.dir, "test-*.sh"))
		if err != nil {
			return err
		}
		for _, f := range found {
			names = append(names, filepath.Base(f))
		}
	case len(names) == 0:
		names = slices.Sorted(maps.Keys(must))
	default:
		for _, name := range names {
			must[name] = max(must[name], 0)
		}
	}
	ours, err := s.runAll(ctx, names, *jobs)
	if err != nil {
		return err
	}
	var stock []result
	if *all {
		peer := s
		peer.ostree = ""
		if stock, err = peer.runAll(ctx, names, *jobs); err != nil {
			return err
		}
	}
	return report(ours, stock, must)
}

// result is what a script did.
type result struct {
	name    string
	ok, bad int // assertions
	passed  bool
	why     string
	took    time.Duration
}

func (s suite) runAll(ctx context.Context, names []string, jobs int) ([]result, error) {
	path := os.Getenv("PATH")
	if s.ostree != "" {
		bin, err := os.MkdirTemp("", "conformance-bin-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(bin)
		target, err := filepath.Abs(s.ostree)
		if err != nil {
			return nil, err
		}
		if err := os.Symlink(target, filepath.Join(bin, "ostree")); err != nil {
			return nil, err
		}
		path = bin + ":" + path
	}
	out := make([]result, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for i, name := range names {
		group.Go(func() (err error) {
			out[i], err = s.script(ctx, name, path)
			return err
		})
	}
	return out, group.Wait()
}

// script runs one script in an empty folder of its own.
func (s suite) script(ctx context.Context, name, path string) (r result, err error) {
	dir, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return r, err
	}
	defer removeAll(dir)
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	shell := "bash"
	if filepath.Ext(name) == ".py" {
		shell = "python3"
	}
	cmd := exec.CommandContext(ctx, shell, filepath.Join(s.dir, name))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+path, "HOME="+dir, "XDG_RUNTIME_DIR="+dir)
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	cmd.WaitDelay = 5 * time.Second
	ownGroup(cmd)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	err = cmd.Run()
	r = result{name: name, took: time.Since(start)}
	last := ""
	lines := bufio.NewScanner(bytes.NewReader(out.Bytes()))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "ok") && strings.Contains(strings.ToUpper(line), "# SKIP"):
		case strings.HasPrefix(line, "ok"):
			r.ok++
		case strings.HasPrefix(line, "not ok"):
			r.bad++
		case strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "+"):
			last = line
		}
	}
	r.passed = err == nil && r.bad == 0
	if !r.passed {
		r.why = last
		if s.verbose {
			os.Stdout.Write(out.Bytes())
		}
	}
	return r, nil
}

// removeAll removes a folder in which a script may have left what cannot be changed.
func removeAll(dir string) {
	if os.RemoveAll(dir) != nil {
		exec.Command("chattr", "-R", "-i", dir).Run()
		exec.Command("chmod", "-R", "u+w", dir).Run()
		os.RemoveAll(dir)
	}
}

// parsePassList reads lines "SCRIPT ASSERTIONS": what passes, and how much of it.
func parsePassList(text string) (map[string]int, error) {
	list := map[string]int{}
	for line := range strings.Lines(text) {
		var name string
		var n int
		if _, err := fmt.Sscan(line, &name, &n); err != nil {
			return nil, fmt.Errorf("pass.txt: %q: want SCRIPT ASSERTIONS", strings.TrimSpace(line))
		}
		list[name] = n
	}
	return list, nil
}

// report prints a line a script and the totals. It is an error when a script of must
// did not pass, or passed fewer assertions.
func report(ours, stock []result, must map[string]int) error {
	var failed []string
	for i := range ours {
		r, want, beside := &ours[i], must[ours[i].name], ""
		if stock != nil {
			want, beside = max(want, stock[i].ok), fmt.Sprintf(" of %d", stock[i].ok)
		}
		if r.passed && r.ok < want {
			r.passed, r.why = false, fmt.Sprintf("%d assertions, want %d", r.ok, want)
		}
		mark := "pass"
		if !r.passed {
			mark = "FAIL"
			if n, ok := must[r.name]; ok && (stock == nil || n > 0) {
				failed = append(failed, r.name)
			}
		}
		fmt.Printf("%s %-45s %3d%s assertions %5.1f s", mark, r.name, r.ok, beside, r.took.Seconds())
		if !r.passed {
			fmt.Printf("  %.120s", r.why)
		}
		fmt.Println()
	}
	scripts, assertions := total(ours)
	fmt.Printf("%d of %d scripts, %d assertions", scripts, len(ours), assertions)
	if stock != nil {
		s, a := total(stock)
		fmt.Printf("; stock: %d scripts, %d assertions", s, a)
	}
	fmt.Println()
	if failed != nil {
		return fmt.Errorf("%d scripts that passed before: %s", len(failed), strings.Join(failed, " "))
	}
	return nil
}

func total(rs []result) (scripts, assertions int) {
	for _, r := range rs {
		if r.passed {
			scripts++
		}
		assertions += r.ok
	}
	return scripts, assertions
}
