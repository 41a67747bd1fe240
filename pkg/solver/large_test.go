package solver

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/repodata"
)

// A large repository: hack/debrpm -whole makes one of 60,000 packages.
var largeRepo = flag.String("large", "", "folder of a large RPM repository to solve against")

// large is about 500 packages of Debian.
var large = strings.Fields(`filesystem systemd systemd-sysv udev linux-image-cloud-amd64 dracut ostree ostree-boot bash
	coreutils util-linux openssh-server podman cloud-init grub-efi-amd64-bin e2fsprogs network-manager firewalld cockpit
	libvirt-daemon-system qemu-system-x86 vim postgresql nginx inkscape tmux strace mpv`)

// loadLarge returns the packed form of the repository, and the file it is made of.
func loadLarge(b *testing.B) (form []byte, primary string) {
	b.Helper()
	if *largeRepo == "" {
		b.Skip("-large is not given: `go run ./hack/debrpm -whole -out DIR` makes a repository")
	}
	found, err := filepath.Glob(filepath.Join(*largeRepo, "repodata", "*-primary.xml.gz"))
	if err != nil || len(found) != 1 {
		b.Fatalf("primary metadata in %s: %q, %v", *largeRepo, found, err)
	}
	f, err := os.Open(found[0])
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	z, err := compress.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	pack := repodata.NewPacker()
	if err := repodata.ScanPrimary(z, func(p *repodata.Package) error { pack.Add(p); return nil }); err != nil {
		b.Fatal(err)
	}
	packed, err := pack.Pack()
	if err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := packed.WriteTo(&out); err != nil {
		b.Fatal(err)
	}
	return out.Bytes(), found[0]
}

// BenchmarkLarge solves against metadata that is loaded, and has libsolv do the same:
// its own time for what comes behind loading, the best of ten, is libsolv-ms.
func BenchmarkLarge(b *testing.B) {
	form, primary := loadLarge(b)
	theirs, best := libsolvTime(b, primary)
	var got []string
	for b.Loop() {
		b.StopTimer() // packages are made anew, as in a new process
		packed, err := repodata.OpenPacked(bytes.NewReader(form), int64(len(form)))
		if err != nil {
			b.Fatal(err)
		}
		repos := []*repodata.Repo{{ID: "large", Priority: 99, Packed: packed}}
		b.StartTimer()
		tx, err := Solve(b.Context(), repos, Request{Install: large, Arch: "x86_64"})
		if err != nil {
			b.Fatal(err)
		}
		got = got[:0]
		for _, k := range tx.Install {
			got = append(got, k.NEVRA.String()+"@large")
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, theirs) {
		b.Errorf("too many %q, missing %q", without(got, theirs), without(theirs, got))
	}
	b.ReportMetric(best, "libsolv-ms")
	b.ReportMetric(float64(len(got)), "packages")
}

var took = regexp.MustCompile(`(?m)^.*(addfileprovides|createwhatprovides|solver_solve) took ([0-9]+) ms`)

// libsolvTime is what libsolv installs, and its time in milliseconds.
func libsolvTime(b *testing.B, primary string) (install []string, best float64) {
	b.Helper()
	testsolv, convert := fixture.Tool(b, "testsolv"), fixture.Tool(b, "rpmmd2solv")
	dir := b.TempDir()
	cmd := exec.Command("sh", "-c", `zcat "$1" | "$2" > "$3"`, "sh", primary, convert, filepath.Join(dir, "repo.solv"))
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("rpmmd2solv: %v: %s", err, out)
	}
	text := "repo system 0 empty\nrepo large 0 solv repo.solv\nsystem x86_64 rpm system\npoolflags implicitobsoleteusescolors\n" +
		"solverflags allowdowngrade allowvendorchange keepexplicitobsoletes bestobeypolicy keeporphans yumobsoletes ignorerecommended\n"
	for _, w := range large {
		text += fmt.Sprintf("job install name %s\n", w)
	}
	file := filepath.Join(dir, "large.t")
	if err := os.WriteFile(file, []byte(text+"result transaction <inline>\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	for range 10 {
		out, err := exec.Command(testsolv, "-vvv", "-r", file).CombinedOutput()
		if err != nil && len(out) == 0 {
			b.Fatal(err)
		}
		sum := 0.0
		for _, m := range took.FindAllSubmatch(out, -1) {
			ms, err := strconv.ParseFloat(string(m[2]), 64)
			if err != nil {
				b.Fatal(err)
			}
			sum += ms
		}
		if best == 0 || sum < best {
			best = sum
		}
		install = install[:0]
		for line := range strings.Lines(string(out)) {
			if f := strings.Fields(line); len(f) == 2 && f[0] == "install" {
				install = append(install, f[1])
			}
		}
	}
	slices.Sort(install)
	return install, best
}
