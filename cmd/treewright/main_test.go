package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/treewright/treewright/composer"
	"github.com/treewright/treewright/pkg/fixture/tinyrpm"
	"github.com/treewright/treewright/pkg/repodata/index"
)

var update = flag.Bool("update", false, "rewrite the expected outputs of the scripts")

func TestMain(m *testing.M) {
	composer.InitSandbox()
	testscript.Main(m, map[string]func(){"treewright": func() { main() }})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("SOURCE_DATE_EPOCH", "1700000000")
			e.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond != "signs" {
				return false, fmt.Errorf("unknown condition %s", cond)
			}
			_, err := lookTool("gpg")
			if err == nil {
				_, err = lookTool("rpmsign")
			}
			if err != nil && os.Getenv("CI") != "" {
				return false, err
			}
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"rpms": makeRPMs, "damage": damage, "judge": judge, "sign": sign},
	})
}

// makeRPMs is the command "rpms DIR VERSION": a small RPM repository.
func makeRPMs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: rpms DIR VERSION")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.RemoveAll(dir))
	ts.Check(os.MkdirAll(dir, 0o755))
	for _, p := range packages(args[1]) {
		b, err := tinyrpm.Build(p)
		ts.Check(err)
		ts.Check(os.WriteFile(filepath.Join(dir, p.FileName()), b, 0o644))
	}
	_, err := index.Write(dir, 1700000000)
	ts.Check(err)
}

// contexts is a small SELinux policy. It says nothing of /opt.
const contexts = `/	-d	u:object_r:root_t:s0
/usr(/.*)?	u:object_r:usr_t:s0
/usr/bin(/.*)?	u:object_r:bin_t:s0
/usr/lib/systemd/system(/.*)?	u:object_r:unit_t:s0
/etc(/.*)?	u:object_r:etc_t:s0
/etc/passwd	--	u:object_r:passwd_t:s0
/proc	-d	<<none>>
/proc/.*	<<none>>
/boot(/.*)?	u:object_r:boot_t:s0
/var(/.*)?	u:object_r:var_t:s0
/ostree(/.*)?	u:object_r:ostree_t:s0
/(dev|run|sys|sysroot|tmp)	u:object_r:mount_t:s0
/(home|srv|mnt|media|root|ostree|opt|bin)	-l	u:object_r:link_t:s0
/lost\+found	-d	u:object_r:lost_t:s0
`

func packages(version string) []tinyrpm.Package {
	return []tinyrpm.Package{
		{Name: "base", Version: "1", Files: []tinyrpm.File{
			{Path: "/etc/passwd", Body: "root:x:0:0:root:/root:/bin/sh\n"}, {Path: "/etc/group", Body: "root:x:0:\n"},
			{Path: "/usr/lib/os-release", Body: "ID=test\nPRETTY_NAME=Test\n"}, {Path: "/usr/bin", Dir: true}, {Path: "/bin", Target: "usr/bin"},
		}},
		{Name: "kernel", Version: "6", Files: []tinyrpm.File{{Path: "/usr/lib/modules/6.test/vmlinuz", Body: "kernel", Mode: 0o755}}},
		{Name: "app", Version: version, Epoch: "1", Requires: []string{"base", "lib >= " + version}, Files: []tinyrpm.File{
			{Path: "/usr/bin/app", Body: "app " + version, Mode: 0o755},
			{Path: "/usr/lib/systemd/system/app.service", Body: "[Install]\nWantedBy=multi-user.target\n"},
			{Path: "/usr/share/app/data", Body: strings.Repeat("data "+version+"\n", 4000)},
		}},
		{Name: "lib", Version: version, Files: []tinyrpm.File{{Path: "/usr/lib/lib.so", Body: strings.Repeat("lib "+version, 1000)}}},
		{Name: "policy", Version: "1", Files: []tinyrpm.File{
			{Path: "/etc/selinux/config", Body: "SELINUX=enforcing\nSELINUXTYPE=tiny\n"},
			{Path: "/etc/selinux/tiny/policy/policy.33", Body: "binary"},
			{Path: "/etc/selinux/tiny/contexts/files/file_contexts", Body: contexts},
			{Path: "/etc/selinux/tiny/contexts/files/file_contexts.subs_dist", Body: "/bin /usr/bin\n/var/home /home\n/etc/systemd/system /usr/lib/systemd/system\n"},
			{Path: "/var/lib/selinux/tiny/active/commit_num", Body: "1"},
			{Path: "/var/lib/selinux/tiny/semanage.read.LOCK", Body: ""},
		}},
		{Name: "broken", Version: "1", Requires: []string{"lib >= 99"}, Files: []tinyrpm.File{{Path: "/usr/bin/broken", Body: "x"}}},
		{Name: "rival", Version: "1", Files: []tinyrpm.File{{Path: "/usr/bin/app", Body: "another app", Mode: 0o755}}},
	}
}

// damage is the command "damage FILE": one bit in the middle flips.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%s: %d files", args[0], len(found))
	}
	b, err := os.ReadFile(found[0])
	ts.Check(err)
	b[len(b)-len(b)/4] ^= 1
	ts.Check(os.WriteFile(found[0], b, 0o644))
}

// sign is the command "sign GLOB KEYFILE": a new key signs packages, and the metadata
// of their folder is written anew. gpg and rpmsign do it, which scripts look for first.
func sign(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sign GLOB KEYFILE")
	}
	gpgPath, err := lookTool("gpg")
	ts.Check(err)
	key := ts.MkAbs(args[1])
	home := key + ".gnupg"
	ts.Check(os.MkdirAll(home, 0o700))
	gpg := []string{"--homedir", home, "--batch", "--quiet", "--passphrase", ""}
	ts.Check(ts.Exec("gpg", append(gpg, "--faked-system-time", "1600000000", "--quick-gen-key", "tester@example.com", "rsa2048", "sign", "never")...))
	ts.Check(ts.Exec("gpg", append(gpg, "--yes", "--armor", "--output", key, "--export")...))
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("%s: no such file", args[0])
	}
	ts.Check(ts.Exec("rpmsign", append([]string{"--define", "_gpg_name tester@example.com", "--define", "_gpg_path " + home, "--define", "__gpg " + gpgPath, "--resign"}, found...)...))
	_, err = index.Write(filepath.Dir(found[0]), 1700000000)
	ts.Check(err)
}

// judge is the command "judge PROGRAM ARGS…": a real tool that must be content. Where
// it is missing the check is passed over, but not in CI. Globs are expanded.
func judge(ts *testscript.TestScript, neg bool, args []string) {
	path, err := lookTool(args[0])
	if err != nil {
		if os.Getenv("CI") != "" {
			ts.Fatalf("%v", err)
		}
		ts.Logf("%v", err)
		return
	}
	var all []string
	for _, a := range args[1:] {
		if strings.ContainsAny(a, "*") {
			found, err := filepath.Glob(ts.MkAbs(a))
			ts.Check(err)
			if len(found) == 0 {
				ts.Fatalf("%s: no such file", a)
			}
			all = append(all, found...)
		} else {
			all = append(all, a)
		}
	}
	ts.Check(ts.Exec(path, all...))
}

func lookTool(name string) (string, error) {
	for _, dir := range []string{"/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin"} {
		p := filepath.Join(dir, name)
		if st, err := os.Stat(p); err == nil && st.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: `make peers` installs it", name)
}
