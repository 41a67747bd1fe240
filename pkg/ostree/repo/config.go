package repo

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/ostree"
)

// config is a key file: "group.key" to value.
type config map[string]string

// parseConfig reads groups in brackets, KEY=VALUE lines and comments. What is none of
// these is passed over, and of a key that comes twice the last one counts, as in GLib.
func parseConfig(text string) config {
	c := config{}
	group := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if g, ok := groupOf(line); ok {
			group = g
		} else if k, v, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			c[group+"."+strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return c
}

func groupOf(line string) (string, bool) {
	if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
		return line[1 : len(line)-1], true
	}
	return "", false
}

// flag reads a boolean.
func (c config) flag(key string, otherwise bool) (bool, error) {
	switch v := c[key]; v {
	case "":
		return otherwise, nil
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	default:
		return false, fmt.Errorf("%s is %q, want true or false: %w", key, v, ostree.ErrUnsupported)
	}
}

// number reads an integer.
func (c config) number(key string, otherwise int) (int, error) {
	v := c[key]
	if v == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, fmt.Errorf("%s is %q, want a number: %w", key, v, ostree.ErrUnsupported)
	}
	return n, nil
}

// setConfig puts group.key=value into the configuration file and leaves the rest of
// it as it is. This Repo goes on with the configuration it was opened with.
func (r *Repo) setConfig(group, key, value string) error {
	name := r.file("config")
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	st, err := os.Stat(name)
	if err != nil {
		return err
	}
	text := editConfig(string(b), group, key, value)
	if text == string(b) {
		return nil
	}
	err = fsutil.WriteBytes(name, st.Mode().Perm(), []byte(text))
	if errors.Is(err, os.ErrPermission) {
		err = fmt.Errorf("%s.%s=%s: %w", group, key, value, err)
	}
	return err
}

// editConfig replaces the line of a key, or adds one behind the last of its group.
func editConfig(text, group, key, value string) string {
	var lines []string
	at, in := -1, false // where the line is, or belongs
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if g, ok := groupOf(trimmed); ok {
			in = g == group
		}
		if k, _, ok := strings.Cut(trimmed, "="); ok && in && strings.TrimSpace(k) == key {
			at = len(lines)
			continue
		}
		if lines = append(lines, strings.TrimSuffix(line, "\n")); in && trimmed != "" {
			at = len(lines)
		}
	}
	if at < 0 {
		lines = append(lines, "["+group+"]")
		at = len(lines)
	}
	lines = append(lines[:at], append([]string{key + "=" + value}, lines[at:]...)...)
	return strings.Join(lines, "\n") + "\n"
}
