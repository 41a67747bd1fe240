package rpm

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// capabilities are Linux's, by number.
var capabilities = []string{
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
	"linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
	"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
	"checkpoint_restore",
}

// CapabilityXattr is the name of the extended attribute with a file's capabilities.
const CapabilityXattr = "security.capability"

// EncodeCaps turns the text form of file capabilities, such as
// "cap_net_admin,cap_net_raw=ep", into the value of [CapabilityXattr], revision 2.
// An empty text gives nil.
func EncodeCaps(text string) ([]byte, error) {
	if strings.TrimSpace(text) == "" || strings.TrimSpace(text) == "=" {
		return nil, nil
	}
	var permitted, inheritable uint64
	effective := false
	for clause := range strings.FieldsSeq(text) {
		i := strings.IndexAny(clause, "=+")
		if i < 0 {
			return nil, fmt.Errorf("file capabilities %q: %q: want NAMES=FLAGS: %w", text, clause, ErrMalformed)
		}
		set, err := capSet(clause[:i])
		if err != nil {
			return nil, fmt.Errorf("file capabilities %q: %w", text, err)
		}
		for _, f := range clause[i+1:] {
			switch f {
			case 'p':
				permitted |= set
			case 'i':
				inheritable |= set
			case 'e':
				effective = true
			default:
				return nil, fmt.Errorf("file capabilities %q: flag %q: %w", text, f, ErrMalformed)
			}
		}
	}
	const revision2 = 0x02000000
	magic := uint32(revision2)
	if effective {
		magic |= 1
	}
	le := binary.LittleEndian
	b := le.AppendUint32(nil, magic)
	for shift := 0; shift < 64; shift += 32 {
		b = le.AppendUint32(b, uint32(permitted>>shift))
		b = le.AppendUint32(b, uint32(inheritable>>shift))
	}
	return b, nil
}

func capSet(names string) (set uint64, err error) {
	if names == "" || names == "all" {
		return 1<<len(capabilities) - 1, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		i := slices.Index(capabilities, strings.TrimPrefix(strings.ToLower(name), "cap_"))
		if i < 0 {
			return 0, fmt.Errorf("capability %q is not known: %w", name, ErrMalformed)
		}
		set |= 1 << i
	}
	return set, nil
}
