package treefile_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/treefile"
)

// What the examples come to follows from rpm-ostree's rules by hand; it is not this
// package's output.

func TestDemo(t *testing.T) {
	fsys := readArchive(t, "testdata/demo.txtar")
	tf := parse(t, fsys, "demo.yaml", x86)
	for name, tc := range map[string]struct{ got, want any }{
		"ref":           {tf.Ref, "demo/x86_64/minimal"},
		"releasever":    {tf.Releasever, "41"},
		"repos":         {tf.Repos, []string{"fedora", "fedora-updates"}},
		"prefix":        {tf.VersionPrefix, "41.<date:%Y%m%d>"},
		"os-release":    {tf.MutateOSRelease, "41"},
		"recommends":    {tf.Recommends, false},
		"documentation": {tf.Documentation, false},
		"selinux":       {tf.Selinux, true},
		"tmp-is-dir":    {tf.TmpIsDir, true},
		"boot-location": {tf.BootLocation, "modules"},
		"check-passwd":  {tf.CheckPasswd, treefile.Check{Type: "none"}},
		"units":         {tf.Units, []string{"sshd.service", "systemd-networkd.service"}},
		"metadata":      {tf.AddCommitMetadata, map[string]any{"demo.purpose": "smoke test on x86_64"}},
		"target":        {tf.DefaultTarget, "multi-user.target"},
		"scripts":       {len(tf.Postprocess), 1},
	} {
		if !reflect.DeepEqual(tc.got, tc.want) {
			t.Errorf("%s: %#v, want %#v", name, tc.got, tc.want)
		}
	}
	wantHas(t, tf.Packages, "kernel-core", "systemd", "grub2-efi-x64", "shim-x64", "microcode_ctl", "vim-minimal")
	wantNot(t, tf.Packages, "grub2-efi-aa64", "shim-aa64")
	arm := parse(t, fsys, "demo.yaml", treefile.Options{Basearch: "aarch64"})
	wantHas(t, arm.Packages, "grub2-efi-aa64", "shim-aa64")
	wantNot(t, arm.Packages, "grub2-efi-x64", "shim-x64", "microcode_ctl")
	if arm.Ref != "demo/aarch64/minimal" {
		t.Errorf("ref = %s", arm.Ref)
	}
}

func wantHas(t *testing.T, have []string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(have, w) {
			t.Errorf("%s is missing", w)
		}
	}
}

func wantNot(t *testing.T, have []string, unwanted ...string) {
	t.Helper()
	for _, w := range unwanted {
		if slices.Contains(have, w) {
			t.Errorf("%s is there", w)
		}
	}
}

func TestAtomicHost(t *testing.T) {
	fsys := readArchive(t, "testdata/atomic-host.txtar")
	tf := parse(t, fsys, "atomic-host-devel.json", x86)
	base := parse(t, fsys, "atomic-host.json", x86)
	for name, tc := range map[string]struct{ got, want any }{
		"ref":    {tf.Ref, "atomic-host/7/x86_64/devel"},
		"prefix": {tf.VersionPrefix, "7.2026-devel"},
		"repos":  {tf.Repos, []string{"el7-base", "el7-updates", "el7-extras", "atomic7", "el7-testing"}},
		"units": {tf.Units, []string{"docker.service", "docker-storage-setup.service", "tuned.service", "rsyslog.service",
			"sshd.service", "chronyd.service", "cockpit.socket", "docker-latest.service"}},
		"target":      {tf.DefaultTarget, "multi-user.target"},
		"edition":     {tf.Edition, "2014"},
		"boot":        {tf.BootLocation, "new"},
		"langs":       {tf.InstallLangs, []string{"en_US"}},
		"passwd":      {string(tf.CheckPasswd.File.Body), string(fsys["passwd"].Data)},
		"group":       {string(tf.CheckGroups.File.Body), string(fsys["group"].Data)},
		"script":      {string(tf.PostprocessScript.Body), string(fsys["host-post.sh"].Data)},
		"script mode": {tf.PostprocessScript.Mode.String(), "-rwxr-xr-x"},
		"dest":        {tf.AddFiles[1].Dest, "etc/motd"},
		"source":      {string(tf.AddFiles[1].Body), "Atomic host\n"},
		"sound":       {tf.RemoveFromPackages[2].Patterns, []string{"/usr/lib/modules/.*/kernel/sound/.*"}},
		"removed":     {tf.IgnoreRemovedUsers, []string{"root"}},
		"base ref":    {base.Ref, "atomic-host/7/x86_64/standard"},
		"more":        {len(tf.Packages), len(base.Packages) + 3},
	} {
		if !reflect.DeepEqual(tc.got, tc.want) {
			t.Errorf("%s: %#v, want %#v", name, tc.got, tc.want)
		}
	}
	if !slices.IsSorted(tf.Packages) {
		t.Error("packages are not sorted")
	}
	wantHas(t, tf.Packages, "atomic", "gdb", "perf", "docker-latest")
}

func TestCoreOS(t *testing.T) {
	fsys := readArchive(t, "testdata/coreos.txtar")
	tf := parse(t, fsys, "manifest.yaml", x86)
	for name, tc := range map[string]struct{ got, want any }{
		"ref":           {tf.Ref, "host/x86_64/testing"},
		"prefix":        {tf.VersionPrefix, "42.<date:%Y%m%d>.dev"},
		"rojig":         {tf.Rojig, &treefile.Rojig{Name: "host", Summary: "Container host (testing)", License: "MIT"}},
		"metadata":      {tf.AddCommitMetadata, map[string]any{"host.devel": true, "host.stream": "testing"}},
		"repos":         {tf.Repos, []string{"base", "base-updates"}},
		"lockfile":      {tf.LockfileRepos, []string{"continuous"}},
		"repo-packages": {tf.RepoPackages, []treefile.RepoPackages{{Repo: "base-updates", Packages: []string{"moby-engine", "containerd"}}}},
		"layers":        {tf.OSTreeLayers, []string{"overlay/10base"}},
		"normalize":     {tf.RPMDBNormalize, false},
		"passwd":        {tf.CheckPasswd.File.Path, "passwd"},
		"labels":        {tf.SelinuxLabelVersion, 1},
	} {
		if !reflect.DeepEqual(tc.got, tc.want) {
			t.Errorf("%s: %#v, want %#v", name, tc.got, tc.want)
		}
	}
	var order []string
	for _, s := range tf.Postprocess {
		for script, has := range map[string]string{"boot": "bootupctl", "base 1": "preset-all", "base 2": "journald.conf", "os": "interpreter"} {
			if strings.Contains(s, has) {
				order = append(order, script)
			}
		}
	}
	if want := []string{"boot", "base 1", "base 2", "os"}; !slices.Equal(order, want) {
		t.Errorf("scripts run as %q, want %q", order, want)
	}
	wantHas(t, tf.Packages, "systemd >= 255", "systemd", "grub2", "host-release", "podman")
	wantNot(t, tf.Packages, "zipl-helper", "s390utils-core", "old-release-tweaks")
	if file, line := tf.Place("packages", "systemd >= 255"); file != "manifests/base.yaml" || line != 23 {
		t.Errorf("the place of systemd >= 255 is %s:%d", file, line)
	}

	// The same for other inputs: conditions and arch-include.
	old := parse(t, fsys, "manifest.yaml", treefile.Options{Basearch: "s390x", Releasever: "41"})
	wantHas(t, old.Packages, "old-release-tweaks", "zipl-helper", "s390utils-core")
	if old.Releasever != "41" || old.VersionPrefix != "41.<date:%Y%m%d>.dev" {
		t.Errorf("releasever %s, version prefix %s", old.Releasever, old.VersionPrefix)
	}
	stable := parse(t, fsys, "manifest.yaml", treefile.Options{Basearch: "x86_64", Vars: map[string]string{"prod": "true", "stream": "stable"}})
	if _, devel := stable.AddCommitMetadata["host.devel"]; devel || !stable.RPMDBNormalize || stable.Ref != "host/x86_64/stable" {
		t.Errorf("stable: %v, %v, %s", stable.AddCommitMetadata, stable.RPMDBNormalize, stable.Ref)
	}
}
