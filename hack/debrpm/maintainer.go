package main

import (
	"fmt"
	"strings"
)

// maintainer are the scripts of a package, and what debconf needs to know for them, by
// the names that dpkg has for them.
type maintainer map[string]string

// post is a %post that does what dpkg does at the end of an installation: it puts the
// scripts and what dpkg knows of the package where dpkg has them, and calls the script
// that configures the package. Its status is that of the script. "" is none.
func (m maintainer) post(control map[string]string, paths []string) string {
	if m["postinst"] == "" {
		return ""
	}
	name, arch := control["Package"], control["Architecture"]
	full := name // as dpkg calls its files
	if control["Multi-Arch"] == "same" {
		full += ":" + arch
	}
	var b strings.Builder
	b.WriteString("set -e\nd=/var/lib/dpkg\nmkdir -p $d/info $d/alternatives $d/updates $d/triggers $d/parts\n[ -e $d/status ] || : >$d/status\n")
	for _, file := range []string{"templates", "config", "postinst"} {
		if body := m[file]; body != "" {
			fmt.Fprintf(&b, "cat >$d/info/%s.%s <<'END_OF_%s'\n%s\nEND_OF_%[2]s\n", name, file, file, strings.TrimRight(body, "\n"))
		}
	}
	fmt.Fprintf(&b, "cat >$d/info/%s.list <<'END_OF_list'\n/.\n%s\nEND_OF_list\n", full, strings.Join(paths, "\n"))
	b.WriteString("cat >>$d/status <<'END_OF_status'\n")
	for _, field := range []string{"Package", "Architecture", "Multi-Arch", "Version", "Maintainer"} {
		if v := control[field]; v != "" {
			fmt.Fprintf(&b, "%s: %s\n", field, v)
		}
	}
	b.WriteString("Status: install ok installed\nDescription: as its RPM\n\nEND_OF_status\n")
	fmt.Fprintf(&b, `chmod 755 $d/info/%[1]s.*
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true DPKG_ADMINDIR=$d DPKG_ROOT= DPKG_RUNNING_VERSION=1.22.0
export DPKG_MAINTSCRIPT_NAME=postinst DPKG_MAINTSCRIPT_PACKAGE=%[1]s DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 DPKG_MAINTSCRIPT_ARCH=%[2]s
exec $d/info/%[1]s.postinst configure ''
`, name, arch)
	return b.String()
}
