package rootfs

import (
	"path"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
)

// selinuxStore is where packages have the modules that a policy is built of. In the
// tree they are in /etc/selinux, beside the policy, since /var is the host's.
const selinuxStore = "/var/lib/selinux/"

// policyScript builds the policies anew from their modules when the tree has the tools
// for that, so that what other scripts have set counts.
func (a *assembly) policyScript() []Script {
	if !a.o.RebuildPolicy || a.root.Lookup("usr/sbin/semodule") == nil || len(a.policies("etc/selinux", "active")) == 0 {
		return nil
	}
	return []Script{{Name: "semodule", Body: []byte("#!/bin/sh\nexec semodule -n -B\n")}}
}

// policies lists the folders of policies below dir that have a name in them.
func (a *assembly) policies(dir, has string) (out []string) {
	top := a.root.Lookup(dir)
	if top == nil {
		return nil
	}
	for _, name := range top.Names() {
		if top.Child(name).Lookup(has) != nil {
			out = append(out, path.Join(dir, name))
		}
	}
	return out
}

// selinux makes policies fit the tree's layout, as rpm-ostree does: homes are in
// /var/home, /usr/etc is labelled as /etc, and what is an alias in /etc is one in
// /usr/etc. Locks of the tools go.
func (a *assembly) selinux() error {
	for _, dir := range a.policies("usr/etc/selinux", "contexts/files/file_contexts") {
		for _, name := range []string{"active", ".", "modules"} {
			if n := a.root.Lookup(path.Join(dir, name)); n != nil {
				for _, lock := range []string{"semanage.read.LOCK", "semanage.trans.LOCK"} {
					n.Delete(lock)
				}
			}
		}
		subs := dir + "/contexts/files/file_contexts.subs_dist"
		old := a.root.Lookup(subs)
		if old == nil || old.Kind != filetree.File {
			continue
		}
		b, err := a.read(subs)
		if err != nil {
			return err
		}
		if err := a.root.Put(subs, filetree.Bytes([]byte(hostAliases(string(b))), old.Mode)); err != nil {
			return err
		}
	}
	return nil
}

// hostAliases adds the aliases of an atomic host's layout to a policy's.
func hostAliases(subs string) string {
	var out, twins strings.Builder
	for line := range strings.Lines(subs) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "/var/home ") {
			line = "# " + line
		}
		out.WriteString(line + "\n")
		if f := strings.Fields(line); len(f) >= 2 && strings.HasPrefix(f[0], "/etc/") {
			twins.WriteString("/usr" + f[0] + " " + f[1] + "\n")
		}
	}
	return out.String() + "# The layout of an atomic host; written by the compose.\n/home /var/home\n/usr/etc /etc\n" + twins.String() + "/usr/lib/opt /opt\n"
}
