package treefile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/treefile"
)

// TestShipped: the treefiles that people copy are read for the architectures that they
// are for, and say what a host needs.
func TestShipped(t *testing.T) {
	const dir = "../../treefiles"
	names, err := filepath.Glob(dir + "/*-atomic.yaml")
	if err != nil || len(names) < 3 {
		t.Fatalf("%q, %v", names, err)
	}
	for _, name := range names {
		for _, arch := range []string{"x86_64", "aarch64"} {
			tf, err := treefile.Parse(os.DirFS(dir), filepath.Base(name), treefile.Options{Basearch: arch})
			if err != nil {
				t.Errorf("%s: %v", arch, err)
				continue
			}
			if !strings.Contains(tf.Ref, "/"+arch+"/") || len(tf.Repos) == 0 || len(tf.Packages) < 20 || len(tf.Images) == 0 || tf.VersionPrefix == "" {
				t.Errorf("%s for %s: ref %q, repos %q, %d packages, %d images", name, arch, tf.Ref, tf.Repos, len(tf.Packages), len(tf.Images))
			}
			if has := strings.Contains(strings.Join(tf.Packages, " "), "grub2-efi-aa64"); has != (arch == "aarch64" && !strings.Contains(name, "debian")) {
				t.Errorf("%s for %s: has the boot loader of aarch64: %v", name, arch, has)
			}
		}
	}
}
