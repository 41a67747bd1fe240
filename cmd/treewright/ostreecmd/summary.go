package ostreecmd

import (
	"context"
	"time"
)

func summaryCommand() *command {
	c := newCommand("summary", "", "Show or write the summary")
	update := c.flags.BoolP("update", "u", false, "write it anew")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if !*update {
			return usagef("No option specified; use -u to update summary")
		}
		now, err := e.now()
		if err != nil {
			return err
		}
		return r.UpdateSummary(int64(now.Unix()))
	}
	return c
}

// now is SOURCE_DATE_EPOCH when it is set, else the time.
func (e *env) now() (time.Time, error) {
	s := e.getenv("SOURCE_DATE_EPOCH")
	if s == "" {
		return time.Now(), nil
	}
	sec, err := parseEpoch(s)
	return time.Unix(sec, 0), err
}
