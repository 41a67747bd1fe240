package rootfs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
)

// account is a line of passwd or group.
type account struct {
	name    string
	id, gid uint32 // gid of a user only
	rest    []string
	members []string // of a group
}

// accounts completes passwd and group with what sysusers.d asks for, and writes the
// shadow files.
func (a *assembly) accounts() error {
	a.db = &accountDB{}
	if err := errors.Join(a.db.load(a.read), a.db.seed(a.o.Accounts)); err != nil {
		return err
	}
	if err := a.sysusers(a.db); err != nil {
		return err
	}
	return a.db.store(a)
}

// The files of accounts, before /etc becomes /usr/etc.
const (
	passwdFile = "etc/passwd"
	groupFile  = "etc/group"
)

// accountDB is the accounts of the tree.
type accountDB struct {
	users, groups []*account
	reserved      map[uint32]bool // numbers that sysusers.d fixes
}

func (db *accountDB) user(name string) *account  { return find(db.users, name) }
func (db *accountDB) group(name string) *account { return find(db.groups, name) }

func find(list []*account, name string) *account {
	if i := slices.IndexFunc(list, func(a *account) bool { return a.name == name }); i >= 0 {
		return list[i]
	}
	return nil
}

// load reads passwd and group.
func (db *accountDB) load(read func(string) ([]byte, error)) error {
	for _, file := range []struct {
		name   string
		fields int
		list   *[]*account
	}{{passwdFile, 7, &db.users}, {groupFile, 4, &db.groups}} {
		b, err := read(file.name)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(b), "\n") {
			if line == "" {
				continue
			}
			f := strings.Split(line, ":")
			if len(f) != file.fields {
				return fmt.Errorf("/%s:%d: %d fields, want %d", file.name, i+1, len(f), file.fields)
			}
			id, err := strconv.ParseUint(f[2], 10, 32)
			if err != nil {
				return fmt.Errorf("/%s:%d: id %q", file.name, i+1, f[2])
			}
			acc := &account{name: f[0], id: uint32(id)}
			if file.fields == 7 {
				gid, err := strconv.ParseUint(f[3], 10, 32)
				if err != nil {
					return fmt.Errorf("/%s:%d: group id %q", file.name, i+1, f[3])
				}
				acc.gid, acc.rest = uint32(gid), f[4:]
			} else if f[3] != "" {
				acc.members = strings.Split(f[3], ",")
			}
			if find(*file.list, acc.name) == nil { // the first one counts
				*file.list = append(*file.list, acc)
			}
		}
	}
	for _, root := range []struct {
		list *[]*account
		rest []string
	}{{&db.users, []string{"root", "/root", "/bin/bash"}}, {&db.groups, nil}} {
		if find(*root.list, "root") == nil {
			*root.list = slices.Insert(*root.list, 0, &account{name: "root", rest: root.rest})
		}
	}
	return nil
}

// sysusers interprets usr/lib/sysusers.d, in the order of the files' names.
func (a *assembly) sysusers(db *accountDB) error {
	dir := a.root.Lookup("usr/lib/sysusers.d")
	if dir == nil {
		return nil
	}
	var lines [][]string
	for _, name := range dir.Names() {
		if !strings.HasSuffix(name, ".conf") {
			continue
		}
		b, err := a.read("usr/lib/sysusers.d/" + name)
		if err != nil {
			return err
		}
		for i, l := range strings.Split(string(b), "\n") {
			f, err := fields(l)
			if err != nil {
				return fmt.Errorf("/usr/lib/sysusers.d/%s:%d: %w", name, i+1, err)
			}
			if len(f) >= 2 {
				lines = append(lines, f)
			}
		}
	}
	// Groups, then users, then members. Fixed numbers are set aside first, so that none
	// is taken by an account that gets any.
	for _, f := range lines {
		if isFixed(f) {
			db.reserve(f[2])
		}
	}
	for _, kind := range []string{"g", "u", "m"} {
		for _, f := range lines {
			if strings.TrimRight(f[0], "!+") != kind || kind == "m" && len(f) < 3 {
				continue
			}
			if err := db.apply(kind, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// reserve sets the numbers of a line's third field aside.
func (db *accountDB) reserve(field string) {
	if db.reserved == nil {
		db.reserved = map[uint32]bool{}
	}
	for n := range strings.SplitSeq(field, ":") {
		if id, err := strconv.ParseUint(n, 10, 32); err == nil {
			db.reserved[uint32(id)] = true
		}
	}
}

// isFixed tells whether a line names a number.
func isFixed(f []string) bool { return len(f) > 2 && f[2] != "-" && f[2] != "" && f[2][0] != '/' }

// fields splits a line of sysusers.d; a field may stand in double quotes.
func fields(l string) (out []string, err error) {
	for l = strings.TrimSpace(l); l != "" && l[0] != '#'; l = strings.TrimLeft(l, " \t") {
		if l[0] == '"' || l[0] == '\'' {
			end := strings.IndexByte(l[1:], l[0])
			if end < 0 {
				return nil, fmt.Errorf("a quote does not end")
			}
			out, l = append(out, l[1:1+end]), l[end+2:]
			continue
		}
		end := strings.IndexAny(l, " \t")
		if end < 0 {
			end = len(l)
		}
		out, l = append(out, l[:end]), l[end:]
	}
	return out, nil
}

func (db *accountDB) apply(kind string, f []string) error {
	get := func(i int) string {
		if i < len(f) && f[i] != "-" {
			return f[i]
		}
		return ""
	}
	switch kind {
	case "g":
		_, err := db.addGroup(f[1], get(2))
		return err
	case "m":
		if g, err := db.addGroup(get(2), ""); err != nil {
			return err
		} else if !slices.Contains(g.members, f[1]) {
			g.members = append(g.members, f[1])
		}
		return nil
	}
	if db.user(f[1]) != nil {
		return nil
	}
	id, group, _ := strings.Cut(get(2), ":")
	u := &account{name: f[1]}
	if id == "-" || strings.HasPrefix(id, "/") {
		id = "" // any
	}
	g, err := db.primary(f[1], id, group)
	if err != nil {
		return err
	}
	u.gid = g
	switch {
	case id == "" && group == "":
		u.id = db.freeUser(g)
	case id == "":
		u.id = db.free()
	default:
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return fmt.Errorf("sysusers.d: user %s: id %q", f[1], id)
		}
		u.id = uint32(n)
	}
	home, shell := get(4), get(5)
	if home == "" {
		home = "/"
	}
	if shell == "" {
		shell = "/usr/sbin/nologin"
	}
	u.rest = []string{get(3), home, shell}
	db.users = append(db.users, u)
	return nil
}

// primary is the number of a user's group: the one that the line names, which has to be
// there, else one of the user's name, made when it is missing.
func (db *accountDB) primary(user, id, group string) (uint32, error) {
	if gid, err := strconv.ParseUint(group, 10, 32); err == nil {
		return uint32(gid), nil
	}
	name := cmp.Or(group, user)
	g := db.group(name)
	if g == nil && group != "" {
		return 0, fmt.Errorf("sysusers.d: user %s: group %s does not exist", user, group)
	}
	if g == nil {
		var err error
		if g, err = db.addGroup(name, id); err != nil {
			return 0, err
		}
	}
	return g.id, nil
}

func (db *accountDB) addGroup(name, id string) (*account, error) {
	if g := db.group(name); g != nil {
		return g, nil
	}
	g := &account{name: name}
	if id != "" && id[0] != '/' {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("sysusers.d: group %s: id %q", name, id)
		}
		g.id = uint32(n)
	} else {
		g.id = db.free()
	}
	db.groups = append(db.groups, g)
	return g, nil
}

// topSystemID is the highest id of a system account.
const topSystemID = 999

// free finds the highest system id that neither a user nor a group has.
func (db *accountDB) free() uint32 {
	id := uint32(topSystemID)
	taken := func(a *account) bool { return a.id == id }
	for db.reserved[id] || slices.ContainsFunc(db.users, taken) || slices.ContainsFunc(db.groups, taken) {
		id--
	}
	return id
}

// freeUser is want when no user has it, else another one.
func (db *accountDB) freeUser(want uint32) uint32 {
	if !slices.ContainsFunc(db.users, func(a *account) bool { return a.id == want }) {
		return want
	}
	return db.free()
}

// store writes passwd, group, shadow and gshadow. Lines of shadow files that packages
// have stay.
func (db *accountDB) store(a *assembly) error {
	if a.root.Lookup("etc") == nil {
		return nil // nobody has a configuration
	}
	var passwd, group strings.Builder
	var users, groups []string
	for _, u := range db.users {
		fmt.Fprintf(&passwd, "%s:x:%d:%d:%s\n", u.name, u.id, u.gid, strings.Join(u.rest, ":"))
		users = append(users, u.name+":*:::::::")
	}
	for _, g := range db.groups {
		fmt.Fprintf(&group, "%s:x:%d:%s\n", g.name, g.id, strings.Join(g.members, ","))
		groups = append(groups, g.name+":*::"+strings.Join(g.members, ","))
	}
	if err := a.put(passwdFile, passwd.String(), 0o644); err != nil {
		return err
	}
	if err := a.put(groupFile, group.String(), 0o644); err != nil {
		return err
	}
	for name, lines := range map[string][]string{"etc/shadow": users, "etc/gshadow": groups} {
		if err := db.storeShadow(a, name, lines); err != nil {
			return err
		}
	}
	return nil
}

func (db *accountDB) storeShadow(a *assembly, name string, lines []string) error {
	old, err := a.read(name)
	if err != nil {
		return err
	}
	have := map[string]string{}
	for l := range strings.Lines(string(old)) {
		account, _, _ := strings.Cut(l, ":")
		have[account] = strings.TrimRight(l, "\n")
	}
	for i, l := range lines {
		account, _, _ := strings.Cut(l, ":")
		if h, ok := have[account]; ok {
			lines[i] = h
		}
	}
	n := filetree.Bytes([]byte(strings.Join(lines, "\n")+"\n"), 0)
	if g := db.group("shadow"); g != nil { // who reads it without being root
		n.Mode, n.GID = 0o640, g.id
	}
	return a.root.Put(name, n)
}

// own gives the files of packages their owners' numbers.
func (a *assembly) own(db *accountDB) error {
	users, groups := map[string]uint32{}, map[string]uint32{}
	for _, u := range db.users {
		users[u.name] = u.id
	}
	for _, g := range db.groups {
		groups[g.name] = g.id
	}
	return a.root.Walk(func(p string, n *filetree.Node) error {
		o, ok := a.owners[n]
		if !ok {
			return nil
		}
		uid, okUser := users[o.user]
		gid, okGroup := groups[o.group]
		if !okUser || !okGroup {
			what, name := "user", o.user
			if okUser {
				what, name = "group", o.group
			}
			return fmt.Errorf("package %s: %s belongs to %s %s, which neither /etc/passwd and /etc/group of the packages nor their sysusers.d have", o.pkg, o.path, what, name)
		}
		n.UID, n.GID = uid, gid
		return nil
	})
}

// altfiles moves accounts but root's to usr/lib when the tree has the module that
// looks there, so that an upgrade can bring new ones.
func (a *assembly) altfiles() error {
	if !a.has("usr/lib", "libnss_altfiles.so.2") && !a.has("usr/lib64", "libnss_altfiles.so.2") {
		return nil
	}
	for _, name := range []string{"passwd", "group"} {
		b, err := a.read("etc/" + name)
		if err != nil || b == nil {
			return err
		}
		var stay, move strings.Builder
		for l := range strings.Lines(string(b)) {
			f := strings.Split(l, ":")
			isRoot := len(f) > 2 && f[2] == "0"
			if isRoot {
				stay.WriteString(l)
			} else {
				move.WriteString(l)
			}
			if !isRoot && name == "group" && slices.Contains(a.o.EtcGroupMembers, f[0]) {
				stay.WriteString(l)
			}
		}
		if err := a.put("etc/"+name, stay.String(), 0o644); err != nil {
			return err
		}
		if err := a.put("usr/lib/"+name, move.String(), 0o644); err != nil {
			return err
		}
	}
	return a.nsswitch()
}

// has looks for a file in a folder and in the folders below it.
func (a *assembly) has(dir, name string) bool {
	d := a.root.Lookup(dir)
	if d == nil {
		return false
	}
	if d.Child(name) != nil {
		return true
	}
	for _, sub := range d.Names() {
		if c := d.Child(sub); c.Kind == filetree.Dir && c.Child(name) != nil {
			return true
		}
	}
	return false
}

// nsswitch makes lookups of users and groups ask altfiles behind files.
func (a *assembly) nsswitch() error {
	n := a.root.Lookup("etc/nsswitch.conf")
	if n == nil || n.Kind != filetree.File {
		return nil
	}
	b, err := a.read("etc/nsswitch.conf")
	if err != nil {
		return err
	}
	lines := strings.SplitAfter(string(b), "\n")
	for i, l := range lines {
		if (strings.HasPrefix(l, "passwd:") || strings.HasPrefix(l, "group:")) && !strings.Contains(l, "altfiles") {
			lines[i] = strings.Replace(l, "files", "files altfiles", 1)
		}
	}
	return a.put("etc/nsswitch.conf", strings.Join(lines, ""), 0o644)
}
