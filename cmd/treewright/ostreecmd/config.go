package ostreecmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/treewright/treewright/pkg/keyfile"
)

func configCommand() *command {
	c := newCommand("config", "(get KEY|set KEY VALUE|unset KEY)", "Read or change the configuration; KEY is GROUP.NAME")
	group := c.flags.String("group", "", "the group is `NAME`, and KEY is the rest")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) == 0 {
			return usagef("OPERATION must be specified")
		}
		key, err := e.configKey(*group)
		if err != nil {
			return err
		}
		switch e.args[0] {
		case "get":
			v, ok := r.Config().Get(key.group, key.name)
			if !ok {
				return key.missing(r.Config())
			}
			e.printf("%s\n", v)
			return nil
		case "set":
			return r.EditConfig(func(f *keyfile.File) error { return f.Set(key.group, key.name, key.value) })
		}
		return r.EditConfig(func(f *keyfile.File) error { f.Unset(key.group, key.name); return nil })
	}
	return c
}

// configKey is what an operation of config works on.
type configKey struct{ group, name, value string }

// missing tells which part of a key is not there.
func (k configKey) missing(f *keyfile.File) error {
	if !f.HasGroup(k.group) {
		return fmt.Errorf("Key file does not have group “%s”", k.group)
	}
	return fmt.Errorf("Key file does not have key “%s” in group “%s”", k.name, k.group)
}

// configKey reads the arguments of an operation.
func (e *env) configKey(group string) (configKey, error) {
	op, args := e.args[0], e.args[1:]
	want := 1
	few, fewInGroup := "KEY must be specified", "Group name and key must be specified"
	switch op {
	case "get", "unset":
	case "set":
		want, few, fewInGroup = 2, "KEY and VALUE must be specified", "GROUP name, KEY and VALUE must be specified"
	default:
		return configKey{}, fmt.Errorf("Unknown operation %s", op)
	}
	if e.given("group") {
		few = fewInGroup
	}
	switch {
	case len(args) < want:
		return configKey{}, fmt.Errorf("%s", few)
	case len(args) > want:
		return configKey{}, usagef("Too many arguments given")
	}
	k := configKey{group: group, name: args[0]}
	if !e.given("group") {
		var ok bool
		if k.group, k.name, ok = strings.Cut(args[0], "."); !ok {
			return k, fmt.Errorf("Key must be of the form \"sectionname.keyname\"")
		}
	}
	if want > 1 {
		k.value = args[1]
	}
	return k, nil
}
