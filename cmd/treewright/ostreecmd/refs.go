package ostreecmd

import (
	"context"
	"maps"
	"slices"
	"strings"
)

func refsCommand() *command {
	c := newCommand("refs", "[PREFIX]", "List refs")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		refs, err := r.Refs()
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(refs)) {
			if len(e.args) > 0 {
				rest, ok := strings.CutPrefix(name, e.args[0]+"/")
				if !ok {
					continue
				}
				name = rest
			}
			e.printf("%s\n", name)
		}
		return nil
	}
	return c
}
