package ostreecmd

import "context"

func revParseCommand() *command {
	c := newCommand("rev-parse", "REV", "Print the checksum that a revision stands for")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) == 0 {
			return usagef("REV must be specified")
		}
		for _, rev := range e.args {
			sum, err := r.Resolve(rev)
			if err != nil {
				return err
			}
			e.printf("%s\n", sum)
		}
		return nil
	}
	return c
}
