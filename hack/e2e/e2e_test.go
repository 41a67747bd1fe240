//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/disk/gpt"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/delta"
	"github.com/treewright/treewright/pkg/qemu"
	"github.com/treewright/treewright/pkg/units"
)

const (
	suite = "trixie"
	extra = "sid:grub-pc-bin,grub-efi-amd64-bin,grub-efi-amd64-unsigned"
)

var top = filepath.Join("..", "..")

// world is the folder that all steps share; it is kept between runs, so that
// downloads are made once.
func world(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("E2E_DIR")
	if dir == "" {
		dir = filepath.Join(top, ".e2e")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		t.Fatal(err)
	}
	return abs
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+epoch)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(name), strings.Join(args, " "), err, out, tail(stderr.String()))
	}
	return string(out)
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

const epoch = "1790000000"

func treewright(t *testing.T, args ...string) string {
	return run(t, filepath.Join(top, "bin", "treewright"), args...)
}

// build is what `treewright build --json` tells.
type build struct {
	ID     string
	Dir    string
	Commit string `json:"ostree-commit"`
	Images []struct {
		Format, Path, SHA256 string
	}
	Deltas []struct {
		From, Path       string
		Parts, Fallbacks int
		Size             int64
	}
	PkgDiff []any
	Stages  []struct {
		Name       string
		Seconds    float64
		CPUSeconds float64 `json:"cpu-seconds"`
		PeakBytes  int64   `json:"peak-bytes"`
	}
}

func (b *build) image(t *testing.T, format string) string {
	t.Helper()
	for _, i := range b.Images {
		if i.Format == format {
			return i.Path
		}
	}
	t.Fatalf("no image %s in %+v", format, b.Images)
	return ""
}

func doBuild(t *testing.T, workdir, rpms string) *build {
	t.Helper()
	out := treewright(t, "build", "--json", "--progress", "none", "--workdir", workdir, "--firmware", "bios,uefi",
		"--rpm-repo", "debian="+rpms, filepath.Join(top, "hack/e2e/e2e.yaml"))
	b := &build{}
	if err := json.Unmarshal([]byte(out), b); err != nil {
		t.Fatal(err)
	}
	for _, s := range b.Stages {
		t.Logf("%s: %-9s %5.1f s, %5.1f s of CPU, %s", filepath.Base(workdir), s.Name, s.Seconds, s.CPUSeconds, units.Bytes(s.PeakBytes))
	}
	return b
}

func debrpm(t *testing.T, out string, args ...string) {
	t.Helper()
	list, err := os.ReadFile(filepath.Join(top, "treefiles/debian-atomic.packages"))
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"run", "./hack/debrpm", "-scripts", "-suite", suite, "-extra", extra, "-out", out, "-cache", filepath.Join(filepath.Dir(out), "apt")}, args...)
	cmd := exec.Command("go", append(args, strings.Fields(string(list))...)...)
	cmd.Dir = top
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("debrpm: %v\n%s", err, msg)
	}
}

// TestEverything goes from packages to a booted host, in one order.
func TestEverything(t *testing.T) {
	dir := world(t)
	v1, v2 := filepath.Join(dir, "rpms-old"), filepath.Join(dir, "rpms-new")
	debrpm(t, v1)
	debrpm(t, v2, "-updates")
	t.Run("resolve as dnf", func(t *testing.T) { sameAsDNF(t, dir, v1) })

	work := filepath.Join(dir, "work")
	for _, old := range []string{"work", "again"} {
		for _, sub := range []string{"repo", "builds"} {
			if err := os.RemoveAll(filepath.Join(dir, old, sub)); err != nil {
				t.Fatal(err)
			}
		}
	}
	first := doBuild(t, work, v1)
	t.Run("judges", func(t *testing.T) { judges(t, work, first) })
	t.Run("nothing to do", func(t *testing.T) {
		out := treewright(t, "build", "--json", "--progress", "none", "--workdir", work, "--firmware", "bios,uefi", "--rpm-repo", "debian="+v1, filepath.Join(top, "hack/e2e/e2e.yaml"))
		if !strings.Contains(out, `"unchanged": true`) || !strings.Contains(out, first.Commit) {
			t.Errorf("a second build of the same input: %s", out)
		}
	})
	second := secondVersion(t, work, v1, v2, first)
	t.Run("delta by stock ostree", func(t *testing.T) { applyDelta(t, work, first, second) })
	t.Run("same bytes", func(t *testing.T) {
		again := filepath.Join(dir, "again")
		a := doBuild(t, again, v1)
		b := secondVersion(t, again, v1, v2, a)
		sameBytes(t, work, again, first, a)
		sameBytes(t, work, again, second, b)
	})
	for _, tc := range []struct {
		format   string
		firmware qemu.Firmware
		b        *build
	}{{"qcow2", qemu.BIOS, first}, {"vdi", qemu.UEFI, second}, {"qcow2", qemu.UEFI, first}, {"vdi", qemu.BIOS, second}} {
		t.Run(fmt.Sprintf("boot %s by %s", tc.format, tc.firmware), func(t *testing.T) { boots(t, tc.b, tc.format, tc.firmware) })
	}
}

// secondVersion builds from the updated packages. When the suite has no updates at the
// moment, one package is taken out, so that there is a second version all the same.
func secondVersion(t *testing.T, work, v1, v2 string, first *build) *build {
	t.Helper()
	b := doBuild(t, work, v2)
	if b.Commit == first.Commit {
		t.Skip("the suite has no updates for these packages at the moment")
	}
	if len(b.Deltas) != 1 || b.Deltas[0].From != first.Commit {
		t.Fatalf("deltas of the second build: %+v", b.Deltas)
	}
	t.Logf("delta: %d parts, %d fallbacks, %d bytes", b.Deltas[0].Parts, b.Deltas[0].Fallbacks, b.Deltas[0].Size)
	return b
}

// sameAsDNF compares the chosen packages.
func sameAsDNF(t *testing.T, dir, rpms string) {
	dnf := fixture.Tool(t, "dnf")
	flat := treewright(t, "compose", "--print-only", filepath.Join(top, "hack/e2e/e2e.yaml"))
	var tf struct{ Packages []string }
	if err := json.Unmarshal([]byte(flat), &tf); err != nil {
		t.Fatal(err)
	}
	scratch := t.TempDir()
	conf := filepath.Join(scratch, "dnf.conf")
	if err := os.WriteFile(conf, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(scratch, "log"), 0o755); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-y", "--noplugins", "--config", conf, "--installroot=" + filepath.Join(scratch, "root"), "--releasever=13",
		"--forcearch=x86_64", "--setopt=reposdir=/nonexistent", "--setopt=cachedir=" + filepath.Join(scratch, "cache"), "--setopt=logdir=" + filepath.Join(scratch, "log"),
		"--setopt=install_weak_deps=False", "--repofrompath=deb,file://" + rpms, "--setopt=deb.gpgcheck=0", "--repo=deb", "--assumeno", "install"}, tf.Packages...)
	out, _ := exec.Command(dnf, args...).CombinedOutput() // --assumeno ends with an error
	row := regexp.MustCompile(`(?m)^ (\S+)\s+(x86_64|noarch)\s+\S+\s+deb\s`)
	var want []string
	for _, m := range row.FindAllStringSubmatch(string(out), -1) {
		want = append(want, m[1])
	}
	if len(want) < 100 {
		t.Fatalf("dnf: %s", out)
	}
	var got []string
	resolved := treewright(t, "compose", "--dry-run", "--json", "--progress", "none", "--workdir", t.TempDir(), "--rpm-repo", "debian="+rpms, filepath.Join(top, "hack/e2e/e2e.yaml"))
	var r struct{ Packages []struct{ NEVRA string } }
	if err := json.Unmarshal([]byte(resolved), &r); err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^(.+)-[^-]+-[^-]+$`)
	for _, p := range r.Packages {
		got = append(got, name.FindStringSubmatch(p.NEVRA)[1])
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("treewright chose %d packages, dnf %d:\n%q\n%q", len(got), len(want), got, want)
	}
	t.Logf("%d packages, as dnf", len(got))
}

// judges has the real tools look at what was made.
func judges(t *testing.T, work string, b *build) {
	repo := filepath.Join(work, "repo")
	run(t, fixture.Tool(t, "ostree"), "--repo="+repo, "fsck")
	raw := b.image(t, "raw")
	for _, f := range []struct{ format, qemu string }{{"qcow2", "qcow2"}, {"vdi", "vdi"}, {"openstack", "qcow2"}} {
		img := fixture.Tool(t, "qemu-img")
		run(t, img, "check", "-f", f.qemu, b.image(t, f.format))
		run(t, img, "compare", "-f", "raw", "-F", f.qemu, raw, b.image(t, f.format))
	}
	if out := run(t, fixture.Tool(t, "sgdisk"), "-v", raw); !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk: %s", out)
	}
	partitions(t, raw)
	root := filepath.Join(t.TempDir(), "root")
	run(t, fixture.Tool(t, "ostree"), "--repo="+repo, "checkout", "-U", b.Commit, root)
	rpm := fixture.Tool(t, "rpm")
	list := strings.Fields(run(t, rpm, "--dbpath", filepath.Join(root, "usr/share/rpm"), "-qa"))
	var lock struct{ Packages map[string]any }
	raw2, err := os.ReadFile(filepath.Join(b.Dir, "lock.json"))
	if err != nil || json.Unmarshal(raw2, &lock) != nil {
		t.Fatal(err)
	}
	if len(list) != len(lock.Packages) || len(list) < 100 {
		t.Errorf("rpm -qa lists %d packages, the lockfile has %d", len(list), len(lock.Packages))
	}
	verify(t, rpm, root)
}

// partitions checks the file systems.
func partitions(t *testing.T, raw string) {
	f, err := os.Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := make([]byte, 34*gpt.SectorSize)
	if _, err := io.ReadFull(f, head); err != nil {
		t.Fatal(err)
	}
	table, err := gpt.Parse(head)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range table.Partitions {
		check := map[string][]string{"EFI-SYSTEM": {"fsck.fat", "-n"}, "boot": {"e2fsck", "-fn"}, "root": {"e2fsck", "-fn"}}[p.Name]
		if check == nil {
			continue
		}
		part := filepath.Join(t.TempDir(), p.Name)
		const perMiB = 2048 // sectors
		run(t, "dd", "if="+raw, "of="+part, "bs=1M", fmt.Sprintf("skip=%d", p.First/perMiB), fmt.Sprintf("count=%d", (p.Last+1-p.First)/perMiB), "conv=sparse", "status=none")
		run(t, fixture.Tool(t, check[0]), append(check[1:], part)...)
	}
}

// verify has rpm compare the tree with its database: only what the layout changes may
// differ, and times, which an OSTree has not got.
func verify(t *testing.T, rpm, root string) {
	// The tree as packages know it: /etc in its place, links of the root followed.
	if err := os.Rename(filepath.Join(root, "usr/etc"), filepath.Join(root, "etc")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(rpm, "--root", root, "--dbpath", "/usr/share/rpm", "-Va", "--nomtime", "--nouser", "--nogroup", "--nomode", "--nordev", "--nodeps", "--noscripts")
	out, _ := cmd.Output() // differences end with an error
	known := regexp.MustCompile(`(?m)^(missing +(c )?/etc/dpkg.*|.* /usr/lib/systemd/system/default\.target|missing\s+(d )?/(boot|var|run|home|root|media|mnt|srv|opt|usr/local)\b.*|missing +(d )?/usr/share/(doc|man|info|lintian)/.*|missing +(c )?/usr/lib/systemd/system/timers.target.wants.*|missing .*/(vmlinuz|config|System.map)-.*|.* c? *(/etc/(passwd|group|profile|nsswitch.conf|shells|motd|hostname|fstab))|\S+ +/usr/lib/modules/.*|.{9} +l? ?/(home|root|srv|mnt|media|opt|tmp|dev|proc|sys|run|boot|var).*)$`)
	var bad []string
	for l := range strings.Lines(string(out)) {
		if l = strings.TrimRight(l, "\n"); l != "" && !known.MatchString(l) {
			bad = append(bad, l)
		}
	}
	if len(bad) > 0 {
		t.Errorf("rpm -Va:\n%s", strings.Join(bad, "\n"))
	}
}

// applyDelta has the host's ostree make the second commit of the first and the delta.
func applyDelta(t *testing.T, work string, first, second *build) {
	tool := fixture.Tool(t, "ostree")
	client := filepath.Join(t.TempDir(), "client")
	src := filepath.Join(work, "repo")
	run(t, tool, "--repo="+client, "init", "--mode=bare-user")
	run(t, tool, "--repo="+client, "pull-local", src, first.Commit)
	fallbacks(t, second)
	run(t, tool, "--repo="+client, "remote", "add", "--no-gpg-verify", "origin", "file://"+src)
	run(t, tool, "--repo="+client, "pull", "--require-static-deltas", "origin", second.Commit)
	run(t, tool, "--repo="+client, "fsck")
	run(t, tool, "--repo="+client, "show", second.Commit)
}

// fallbacks tells what the delta leaves to be fetched whole.
func fallbacks(t *testing.T, b *build) {
	raw, err := os.ReadFile(filepath.Join(b.Deltas[0].Path, "superblock"))
	if err != nil {
		t.Fatal(err)
	}
	sb, err := delta.ParseSuperblock(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range sb.Fallbacks {
		if f.Type != ostree.TypeFile || f.USize < delta.DefaultMinFallbackSize {
			t.Errorf("fallback %s of %d bytes", f.Checksum, f.USize)
		}
	}
}

// sameBytes compares two builds in two folders.
func sameBytes(t *testing.T, workA, workB string, a, b *build) {
	t.Helper()
	if a.Commit != b.Commit {
		t.Fatalf("commits differ: %s and %s", a.Commit, b.Commit)
	}
	for i := range a.Images {
		if a.Images[i].SHA256 != b.Images[i].SHA256 {
			t.Errorf("image %s differs", a.Images[i].Format)
		}
	}
	for i := range a.Deltas {
		if out, err := exec.Command("diff", "-r", a.Deltas[i].Path, b.Deltas[i].Path).CombinedOutput(); err != nil {
			t.Errorf("delta differs: %s", out)
		}
	}
}

// boots starts an image and asks the host what it runs.
func boots(t *testing.T, b *build, format string, firmware qemu.Firmware) {
	fixture.Tool(t, "qemu-system-x86_64")
	log, err := os.Create(filepath.Join(world(t), fmt.Sprintf("serial-%s-%s.log", format, firmware)))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	prompt := regexp.MustCompile(`root@debian-atomic:~# ?$`)
	r, err := qemu.Boot(t.Context(), qemu.Options{
		Image: b.image(t, format), Firmware: firmware, Timeout: 8 * time.Minute, Console: log,
		Steps: []qemu.Step{
			{Expect: prompt, Send: "systemctl is-system-running --wait; ostree admin status; echo st\"\"ate=$(systemctl is-system-running) t\"\"arget=$(systemctl is-active multi-user.target) end\n"},
			{Expect: regexp.MustCompile(`\* debian ` + b.Commit + `\.0`)},
			{Expect: regexp.MustCompile(`state=\S+ target=\S+ end`)},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("up and asked after %.0f s: %s", r.Elapsed.Seconds(), r.Lines[2])
	if !strings.Contains(r.Lines[2], "state=running target=active") {
		t.Errorf("the host says %q, want state=running target=active", r.Lines[2])
	}
}
