package sandbox

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// maxIDs is how many user and group ids there are inside at the most: those that a
// tree's accounts can have, and nobody.
const maxIDs = 1 << 16

// Users tells which users there can be inside.
type Users int

const (
	// OnlyRoot: the sandbox has the user who runs it, as root. What gives a file to
	// another user succeeds and changes nothing.
	OnlyRoot Users = iota
	// AllUsers: files can be given to any user, and programs can become any.
	AllUsers
)

// idMap is which ids of the host those inside are.
type idMap struct {
	uids, gids []syscall.SysProcIDMap
	helpers    bool // newuidmap and newgidmap write it, as the kernel lets only root
}

// AvailableUsers tells which users a sandbox has here. Root has them all; others do
// when /etc/subuid and /etc/subgid give them ids, and the programs newuidmap and
// newgidmap are there.
func AvailableUsers() Users {
	if len(hostIDs().uids) > 1 || hostIDs().uids[0].Size > 1 {
		return AllUsers
	}
	return OnlyRoot
}

// hostIDs is the map of this process. It does not change while it runs.
var hostIDs = sync.OnceValue(func() idMap {
	if os.Geteuid() == 0 {
		if m, ok := rootIDs(); ok {
			return m
		}
	} else if m, ok := subordinateIDs(); ok {
		return m
	}
	one := func(id int) []syscall.SysProcIDMap { return []syscall.SysProcIDMap{{HostID: id, Size: 1}} }
	return idMap{uids: one(os.Geteuid()), gids: one(os.Getegid())}
})

// rootIDs are those that root has here, which in a container may not be all, as the
// same ids.
func rootIDs() (idMap, bool) {
	n := min(firstIDs("/proc/self/uid_map"), firstIDs("/proc/self/gid_map"), maxIDs)
	m := []syscall.SysProcIDMap{{Size: n}}
	return idMap{uids: m, gids: m}, n > 1
}

// firstIDs is how many ids from 0 on a map of /proc has without a gap.
func firstIDs(file string) (n int) {
	f, err := os.Open(file)
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var inside, outside, size int
		if _, err := fmt.Sscan(s.Text(), &inside, &outside, &size); err == nil && inside == n {
			n = min(n+size, maxIDs)
		}
	}
	return n
}

// subordinateIDs are this user as root and, behind, the ids that /etc/subuid gives.
func subordinateIDs() (idMap, bool) {
	for _, program := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(program); err != nil {
			return idMap{}, false
		}
	}
	names := []string{strconv.Itoa(os.Geteuid())}
	if u, err := user.LookupId(names[0]); err == nil {
		names = append(names, u.Username)
	}
	m := idMap{helpers: true}
	for _, k := range []struct {
		file string
		own  int
		out  *[]syscall.SysProcIDMap
	}{{"/etc/subuid", os.Geteuid(), &m.uids}, {"/etc/subgid", os.Getegid(), &m.gids}} {
		first, size := subordinate(k.file, names)
		if size < 1000 { // not even those of a system's own accounts
			return idMap{}, false
		}
		*k.out = []syscall.SysProcIDMap{{HostID: k.own, Size: 1}, {ContainerID: 1, HostID: first, Size: min(size, maxIDs-1)}}
	}
	return m, true
}

// subordinate is the largest range that a file has for a user.
func subordinate(file string, names []string) (first, size int) {
	f, err := os.Open(file)
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		p := strings.Split(s.Text(), ":")
		if len(p) != 3 || p[0] != names[0] && p[0] != names[len(names)-1] {
			continue
		}
		start, err1 := strconv.Atoi(p[1])
		n, err2 := strconv.Atoi(p[2])
		if err1 == nil && err2 == nil && start > 0 && n > size {
			first, size = start, n
		}
	}
	return first, size
}

// write makes the helpers write the map of a process that waits for it.
func (m idMap) write(pid int) error {
	for _, h := range []struct {
		program string
		ids     []syscall.SysProcIDMap
	}{{"newuidmap", m.uids}, {"newgidmap", m.gids}} {
		args := []string{strconv.Itoa(pid)}
		for _, r := range h.ids {
			args = append(args, strconv.Itoa(r.ContainerID), strconv.Itoa(r.HostID), strconv.Itoa(r.Size))
		}
		if out, err := exec.Command(h.program, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", h.program, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
