package ostreecmd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// messageOptions are the flags that say what a commit is about.
type messageOptions struct {
	subject, body, bodyFile *string
	editor                  *bool
}

func addMessageFlags(f *pflag.FlagSet) messageOptions {
	return messageOptions{
		subject:  f.StringP("subject", "s", "", "`TEXT` of one line"),
		body:     f.StringP("body", "m", "", "longer `TEXT`"),
		bodyFile: f.StringP("body-file", "F", "", "the longer text is that of `FILE`"),
		editor:   f.BoolP("editor", "e", false, "write both in an editor"),
	}
}

// message is the subject and the body of the commit.
func (o messageOptions) message(e *env, branch string) (subject, body string, err error) {
	switch {
	case *o.editor:
		return o.edit(e, branch)
	case *o.bodyFile != "":
		b, err := readText(*o.bodyFile)
		return *o.subject, b, err
	}
	return *o.subject, *o.body, nil
}

// readText reads a file that must be UTF-8.
func readText(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("openat(%s): %s", path, strerror(err))
	}
	if !utf8.Valid(b) {
		return "", errors.New("Invalid UTF-8")
	}
	return string(b), nil
}

// edit asks for the message in an editor.
func (o messageOptions) edit(e *env, branch string) (subject, body string, err error) {
	var b strings.Builder
	b.WriteString("\n# The first line of the message is the commit's subject, the others are its body.\n" +
		"# Lines that begin with '#' do not count; without a subject no commit is made.\n")
	if branch != "" {
		fmt.Fprintf(&b, "#\n# Branch: %s\n", branch)
	}
	for _, s := range []string{*o.subject, *o.body} {
		if s != "" {
			b.WriteString(s + "\n")
		}
	}
	text, err := e.edit(b.String())
	if err != nil {
		return "", "", err
	}
	subject, body = splitMessage(text)
	if subject == "" {
		return "", "", errors.New("Aborting commit due to empty commit subject.")
	}
	return subject, body, nil
}

// splitMessage takes what an editor has left apart.
func splitMessage(text string) (subject, body string) {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, " \t\r\n\v\f")
		switch {
		case strings.HasPrefix(line, "#") || line == "" && len(lines) == 0:
		case subject == "":
			subject = line
		default:
			lines = append(lines, line)
		}
	}
	return subject, strings.TrimRight(strings.Join(lines, "\n"), " \t\r\n\v\f")
}

// edit lets the user change a text.
func (e *env) edit(text string) (string, error) {
	f, err := os.CreateTemp("", "COMMIT_MESSAGE-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	editor := "vi"
	for _, key := range []string{"EDITOR", "VISUAL", "OSTREE_EDITOR"} {
		if v := e.getenv(key); v != "" {
			editor = v
		}
	}
	cmd := exec.Command("sh", "-c", editor+` "$1"`, "sh", f.Name())
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = os.Stdin, os.Stdout, os.Stderr, e.program.Environ
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("There was a problem with the editor '%s'%s", editor, exited(err))
	}
	b, err := os.ReadFile(f.Name())
	return string(b), err
}

// exited tells how a program has ended, in GLib's words.
func exited(err error) string {
	var e *exec.ExitError
	if !errors.As(err, &e) {
		return err.Error()
	}
	if s, ok := e.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return fmt.Sprintf("Child process killed by signal %d", s.Signal())
	}
	return fmt.Sprintf("Child process exited with code %d", e.ExitCode())
}
