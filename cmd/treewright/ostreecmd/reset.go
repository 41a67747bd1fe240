package ostreecmd

import (
	"context"
	"fmt"
)

func resetCommand() *command {
	c := newCommand("reset", "REF COMMIT", "Make a ref that is there point to another commit")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) < 2 {
			return usagef("A REF and COMMIT argument is required")
		}
		if !isLocal(r, e.args[0]) {
			return fmt.Errorf("Invalid ref '%s'", e.args[0])
		}
		sum, err := r.Resolve(e.args[1])
		if err != nil {
			return err
		}
		return r.SetRef(e.args[0], sum)
	}
	return c
}
