// Demo does the main job of treewright on a small RPM repository that it makes
// itself, in two versions: no network, no root. `make demo` runs it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/treewright/treewright/pkg/fixture/tinyrpm"
	"github.com/treewright/treewright/pkg/repodata/index"
	"github.com/treewright/treewright/pkg/rpm"
	"github.com/treewright/treewright/pkg/units"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	program := flag.String("treewright", "bin/treewright", "the program to show")
	dir := flag.String("dir", ".demo", "folder to work in; it is made anew")
	flag.Parse()
	if err := demo(ctx, *program, *dir); err != nil {
		fmt.Fprintf(os.Stderr, "demo: error: %v\n", err)
		os.Exit(1)
	}
}

// report is what `treewright build --json` tells, as far as it is shown.
type report struct {
	ID      string
	Dir     string
	Commit  string  `json:"ostree-commit"`
	Changes [][]any `json:"pkgdiff"`
	Images  []struct {
		Format, Path string
		Size         int64
		VirtualSize  int64 `json:"virtual-size"`
	}
	Deltas []struct {
		Path      string
		Parts     int
		Fallbacks int
		Size      int64
	}
}

func demo(ctx context.Context, program, dir string) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	var last *report
	for v := 1; v <= 2; v++ {
		if err := writeRepository(filepath.Join(dir, "rpms"), packages(v)); err != nil {
			return err
		}
		if v == 1 {
			if err := os.WriteFile(filepath.Join(dir, "demo.yaml"), []byte(treefile), 0o644); err != nil {
				return err
			}
		}
		step("%d. treewright build demo.yaml, with version %d of the packages", v, v)
		if last, err = build(ctx, program, dir); err != nil {
			return err
		}
		show(last)
	}
	step("What changed from the first to the second")
	if err := run(ctx, os.Stdout, program, dir, "diff", "--files", ref+"^", ref); err != nil {
		return err
	}
	step("The repository is sound")
	if err := run(ctx, os.Stdout, program, dir, "ostree", "--repo", "repo", "fsck"); err != nil {
		return err
	}
	fmt.Printf(`
What is where, in %[1]s:
  demo.yaml        the treefile
  rpms/            the RPM repository that the packages came from
  repo/            the OSTree repository: %[2]s, %[3]s
  builds/latest/   images, lockfile and record of the newest build

What to do next:
  Change %[1]s/demo.yaml, then: cd %[1]s && %[4]s build demo.yaml
  A tree of real packages that boots: see "A real treefile" in README.md
`, dir, ref, last.Commit[:12], program)
	return nil
}

func step(format string, a ...any) { fmt.Printf("\n== "+format+"\n", a...) }

// run runs treewright in the demo's folder.
func run(ctx context.Context, out *os.File, program, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, os.Stderr
	return cmd.Run()
}

func build(ctx context.Context, program, dir string) (*report, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "build", "--json", "--log-level", "error", "demo.yaml")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	r := &report{}
	return r, json.Unmarshal(out.Bytes(), r)
}

func show(r *report) {
	fmt.Printf("commit  %s\n", r.Commit)
	for _, c := range r.Changes {
		fmt.Printf("package %v %s\n", c[0], [...]string{"added", "removed", "upgraded", "downgraded"}[int(c[1].(float64))])
	}
	for _, i := range r.Images {
		if i.VirtualSize > 0 {
			fmt.Printf("image   %-9s %s of %s in %s\n", i.Format, units.Bytes(i.Size), units.Bytes(i.VirtualSize), i.Path)
		}
	}
	for _, d := range r.Deltas {
		fmt.Printf("delta   %s in %d part and %d fallbacks: %s\n", units.Bytes(d.Size), d.Parts, d.Fallbacks, d.Path)
	}
}

const ref = "demo/x86_64/host"

const treefile = `# A treefile says what is in a tree. This one takes four small packages from the
# folder beside it.
ref: demo/${basearch}/host
automatic-version-prefix: "1"
repos: [demo]
packages:
  - demo-base demo-kernel demo-server
units: [demo-server.service]
default-target: multi-user.target
selinux: false
tmp-is-dir: true
no-initramfs: true      # the demo's kernel is a stand-in that needs none
add-commit-metadata:
  demo.purpose: "to show treewright on ${basearch}"

images: [qcow2, vdi, openstack]
disk:
  stateroot: demo
  kargs: [console=ttyS0]
deltas: {from: 1}
`

const repoFile = `[demo]
name=The demo's packages
baseurl=rpms
`

// packages is a little distribution, in one of two versions.
func packages(version int) []tinyrpm.Package {
	v := fmt.Sprintf("%d.0", version)
	text := strings.Repeat(fmt.Sprintf("The server's data, of version %d, with some length to it.\n", version), 20000)
	list := []tinyrpm.Package{
		{Name: "demo-base", Version: "1.0", Summary: "Accounts, links and the name of the system", Files: []tinyrpm.File{
			{Path: "/etc/passwd", Body: "root:x:0:0:root:/root:/bin/sh\n", Flags: rpm.FlagConfig},
			{Path: "/etc/group", Body: "root:x:0:\n", Flags: rpm.FlagConfig},
			{Path: "/usr/lib/os-release", Body: "ID=demo\nPRETTY_NAME=\"Demo\"\n"},
			{Path: "/etc/os-release", Target: "../usr/lib/os-release"},
			{Path: "/usr/bin", Dir: true}, {Path: "/bin", Target: "usr/bin"},
		}},
		{Name: "demo-kernel", Version: "6.0", Arch: "x86_64", Summary: "A stand-in for a kernel", Requires: []string{"demo-base"}, Files: []tinyrpm.File{
			{Path: "/usr/lib/modules/6.0.demo/vmlinuz", Body: strings.Repeat("not a kernel\n", 1000), Mode: 0o755},
		}},
		{Name: "demo-server", Version: v, Arch: "x86_64", Summary: "Something that a host runs",
			Requires: []string{"demo-base", "demo-library >= " + v, "(demo-tool or demo-other-tool)"}, Files: []tinyrpm.File{
				{Path: "/usr/bin/demo-server", Body: "#!/bin/sh\necho demo " + v + "\n", Mode: 0o755},
				{Path: "/usr/lib/systemd/system/demo-server.service", Body: "[Service]\nExecStart=/usr/bin/demo-server\n[Install]\nWantedBy=multi-user.target\n"},
				{Path: "/usr/lib/sysusers.d/demo-server.conf", Body: "u demo-server - \"Demo server\" /var/lib/demo-server\n"},
				{Path: "/var/lib/demo-server", Dir: true, User: "demo-server", Group: "demo-server", Mode: 0o750},
				{Path: "/usr/share/demo-server/data", Body: text},
				{Path: "/usr/share/doc/demo-server/README", Body: "Read me.\n", Flags: rpm.FlagDoc},
			}},
		{Name: "demo-library", Version: v, Arch: "x86_64", Summary: "What the server needs", Files: []tinyrpm.File{
			{Path: "/usr/lib64/libdemo.so." + v, Body: strings.Repeat("library "+v+"\n", 5000), Mode: 0o755},
			{Path: "/usr/lib64/libdemo.so", Target: "libdemo.so." + v},
		}},
		{Name: "demo-tool", Version: "1.0", Summary: "One of two tools", Files: []tinyrpm.File{{Path: "/usr/bin/demo-tool", Body: "#!/bin/sh\n", Mode: 0o755}}},
	}
	if version > 1 {
		list[2].Requires = append(list[2].Requires, "demo-addition")
		list = append(list, tinyrpm.Package{Name: "demo-addition", Version: "0.1", Summary: "New in version 2", Files: []tinyrpm.File{
			{Path: "/usr/share/demo-addition/file", Body: "new\n"},
		}})
	}
	return list
}

// writeRepository makes the RPM repository, and the .repo file beside the treefile.
func writeRepository(dir string, list []tinyrpm.Package) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range list {
		p.BuildTime = 1700000000
		b, err := tinyrpm.Build(p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, p.FileName()), b, 0o644); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "demo.repo"), []byte(repoFile), 0o644); err != nil {
		return err
	}
	_, err := index.Write(dir, 1700000000)
	return err
}
