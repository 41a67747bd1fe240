// Bench measures treewright beside the peer tools: the same work on the same corpus,
// in one run, one after the other.
//
//	go run ./hack/bench -treewright bin/treewright            every row
//	go run ./hack/bench -treewright bin/treewright commit     rows whose name has the word
//
// The corpus is two versions of a tree of Debian packages, about 1.6 GB in 34,000
// files each, a fifth of them changed. It is made by hack/debrpm when it is missing.
//
// A row has steps that are not measured, which bring a repository to where the work
// begins, and a command that is. Both programs get a repository of their own, and the
// same arguments. What is told of each: wall seconds, CPU seconds, peak memory. Only
// ratios count: seconds depend on the machine and on what else it does.
//
// Folders are on the tmpfs /dev/shm where there is room, so that the disk has no say.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var c corpus
	flag.StringVar(&c.dir, "corpus", ".bench", "`DIR` of the corpus, made when it is missing")
	ours := flag.String("treewright", "bin/treewright", "`PROGRAM` to measure")
	work := flag.String("work", defaultWork(), "`DIR` for repositories")
	rounds := flag.Int("rounds", 1, "`N` measurements of each; the fastest counts")
	flag.Parse()

	if err := c.make(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(*work, "treewright-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, err := filepath.Abs(*ours)
	if err != nil {
		return err
	}
	b := bench{corpus: c, dir: dir, rounds: *rounds, sides: []side{
		{"stock", []string{"ostree"}},
		{"ours", []string{program, "ostree"}},
	}}
	if err := b.header(ctx); err != nil {
		return err
	}
	missed := 0
	for _, r := range rows {
		if !wanted(r.name, flag.Args()) {
			continue
		}
		met, err := b.row(ctx, r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		if !met {
			missed++
		}
	}
	if missed > 0 {
		fmt.Printf("%d rows are below their goal\n", missed)
	}
	return nil
}

// wanted tells whether a row has all of the words in its name.
func wanted(name string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(name, w) {
			return false
		}
	}
	return true
}

// defaultWork is a folder in memory, if there is one.
func defaultWork() string {
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		return "/dev/shm"
	}
	return os.TempDir()
}
