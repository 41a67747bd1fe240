package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// bench runs rows.
type bench struct {
	corpus corpus
	dir    string
	rounds int
	sides  []side
}

// side is a program and its first arguments.
type side struct {
	name    string
	command []string
}

// row is a piece of work that both sides do.
type row struct {
	name  string
	goal  float64    // how many times as fast as stock ours is to be, in wall time
	cpu   float64    // the same in CPU time; 0: no goal
	setup [][]string // commands before the measured one
	run   []string   // the measured command
	after *sizeLimit // what is compared behind it
}

// sizeLimit is how much larger than stock's a folder may be.
type sizeLimit struct {
	path  string
	ratio float64
}

// usage is what a command took.
type usage struct {
	wall, cpu time.Duration
	memory    int64 // peak, bytes
	size      int64 // of what sizeLimit names
}

// maxMemory is the most that a command of ours may take, in bytes.
const maxMemory = 256 << 20

func (b *bench) header(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, b.sides[0].command[0], "--version").Output()
	if err != nil {
		return fmt.Errorf("%s: %w: install it with `make peers`", b.sides[0].command[0], err)
	}
	lines := strings.SplitN(string(out), "\n", 3)
	if len(lines) < 2 {
		return fmt.Errorf("%s --version says %q", b.sides[0].command[0], out)
	}
	fmt.Printf("stock: ostree %s; corpus %s; repositories in %s\n", strings.TrimSpace(lines[1]), b.corpus.dir, b.dir)
	fmt.Printf("%-34s %24s %24s %8s %8s %6s\n", "", "stock: wall  CPU s  MiB", "ours: wall  CPU s  MiB", "wall", "CPU", "goal")
	return nil
}

// row measures a row and tells whether its goals are met.
func (b *bench) row(ctx context.Context, r row) (met bool, err error) {
	best := make([]usage, len(b.sides))
	for round := range b.rounds {
		for i, s := range b.sides {
			u, err := b.measure(ctx, s, r)
			if err != nil {
				return false, fmt.Errorf("%s: %w", s.name, err)
			}
			if round == 0 || u.wall < best[i].wall {
				best[i] = u
			}
		}
	}
	stock, ours := best[0], best[1]
	wall, cpu := ratio(stock.wall, ours.wall), ratio(stock.cpu, ours.cpu)
	met = wall >= r.goal && cpu >= r.cpu && ours.memory <= maxMemory
	note := ""
	if r.after != nil {
		size := float64(ours.size) / float64(stock.size)
		met = met && size <= r.after.ratio
		note = fmt.Sprintf("  size %.3f (goal <= %.2f)", size, r.after.ratio)
	}
	if !met {
		note += "  BELOW"
	}
	fmt.Printf("%-34s %10s %13s %7.1fx %7.1fx %5.1fx%s\n", r.name, stock, ours, wall, cpu, r.goal, note)
	return met, nil
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(max(b, time.Millisecond)) }

func (u usage) String() string {
	return fmt.Sprintf("%12.2f %6.2f %4d", u.wall.Seconds(), u.cpu.Seconds(), u.memory>>20)
}

// measure does a row's work once, in a folder that is empty before and gone behind.
func (b *bench) measure(ctx context.Context, s side, r row) (u usage, err error) {
	dir := filepath.Join(b.dir, s.name)
	defer os.RemoveAll(dir)
	base, err := b.base(ctx, s, r.setup)
	if err == nil {
		err = linkCopy(ctx, base, dir)
	}
	if err != nil {
		return u, err
	}
	syscall.Sync()
	if u, err = b.exec(ctx, s, dir, r.run); err == nil && r.after != nil {
		u.size, err = folderSize(filepath.Join(dir, r.after.path))
	}
	return u, err
}

// base is the folder in which a side has done the setup of a row. What rows have in
// common is done once.
func (b *bench) base(ctx context.Context, s side, setup [][]string) (string, error) {
	dir := filepath.Join(b.dir, s.name+"-base")
	for _, args := range setup {
		dir += "-" + strings.NewReplacer("/", "", "{", "", "}", "").Replace(strings.Join(args, ""))
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if len(setup) == 0 {
		return dir, os.Mkdir(dir, 0o755)
	}
	last := len(setup) - 1
	before, err := b.base(ctx, s, setup[:last])
	if err == nil {
		err = linkCopy(ctx, before, dir)
	}
	if err == nil {
		_, err = b.exec(ctx, s, dir, setup[last])
	}
	return dir, err
}

// linkCopy makes a copy of a folder whose files are hard links: nothing that is
// measured writes into a file that is there.
func linkCopy(ctx context.Context, from, to string) error {
	if out, err := exec.CommandContext(ctx, "cp", "-al", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copying %s: %w: %s", from, err, out)
	}
	return nil
}

// exec runs a command in dir, in which {v1} and {v2} stand for the corpus's trees.
func (b *bench) exec(ctx context.Context, s side, dir string, args []string) (u usage, err error) {
	args = append(append([]string{}, s.command...), args...)
	for i := range args {
		args[i] = strings.NewReplacer("{v1}", b.corpus.tree(1), "{v2}", b.corpus.tree(2)).Replace(args[i])
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return u, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, stderr.Bytes())
	}
	u.wall = time.Since(start)
	u.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.memory = ru.Maxrss << 10
	}
	return u, nil
}

// folderSize is the sum of the sizes of the files below a folder.
func folderSize(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		st, err := d.Info()
		if err == nil {
			n += st.Size()
		}
		return err
	})
	return n, err
}
