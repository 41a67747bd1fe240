package main

import (
	"encoding/json"

	"github.com/urfave/cli/v2"
)

// printJSON prints a result as one JSON object.
func printJSON(c *cli.Context, v any) error {
	e := json.NewEncoder(c.App.Writer)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
