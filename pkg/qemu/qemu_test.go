package qemu

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/treewright/treewright/pkg/fixture"
)

func TestConsole(t *testing.T) {
	var answer bytes.Buffer
	c := console{answer: &answer, steps: []Step{
		{Expect: regexp.MustCompile(`login: $`), Send: "root\n"},
		{Expect: regexp.MustCompile(`status=\d+`)},
	}}
	in := "\x1b[0;32m  OK  \x1b[0m Started.\r\nhost login: Password:\r\nstatus=\x1b[1m7\x1b[0m\r\n"
	// A reader that gives few bytes at a time, as a serial line does.
	if !c.follow(bufio.NewReaderSize(&slow{in}, 16)) {
		t.Fatalf("not all steps were seen: %q, last lines %q", c.seen, c.last)
	}
	if answer.String() != "root\n" {
		t.Errorf("typed %q, want %q", answer.String(), "root\n")
	}
	if want := "status=7"; c.seen[1] != want {
		t.Errorf("second step matched %q, want %q", c.seen[1], want)
	}
}

// slow reads up to the next blank or line end.
type slow struct{ s string }

func (r *slow) Read(p []byte) (int, error) {
	if r.s == "" {
		return 0, errors.New("end")
	}
	n := strings.IndexAny(r.s, " \n") + 1
	n = copy(p[:min(n, len(p))], r.s)
	r.s = r.s[n:]
	return n, nil
}

// program is a boot sector that prints "up" on the first serial port and stops:
// three times "mov al, C; mov dx, 3f8h; out dx, al", then "hlt".
func program() []byte {
	var b []byte
	for _, c := range []byte("up\n") {
		b = append(b, 0xb0, c, 0xba, 0xf8, 0x03, 0xee)
	}
	b = append(b, 0xf4, 0xeb, 0xfd)
	b = append(b, make([]byte, 510-len(b))...)
	return append(b, 0x55, 0xaa)
}

func TestBoot(t *testing.T) {
	fixture.Tool(t, "qemu-system-x86_64")
	image := filepath.Join(t.TempDir(), "disk, with a comma.img")
	if err := os.WriteFile(image, append(program(), make([]byte, 1<<20-512)...), 0o600); err != nil {
		t.Fatal(err)
	}
	var console bytes.Buffer
	r, err := Boot(context.Background(), Options{
		Image: image, Memory: 64, Timeout: time.Minute, Console: &console,
		Steps: []Step{{Expect: regexp.MustCompile(`^up$`)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Lines[0] != "up" || !strings.Contains(console.String(), "up") {
		t.Errorf("lines %q, console %q", r.Lines, console.String())
	}
	_, err = Boot(context.Background(), Options{
		Image: image, Memory: 64, Timeout: 5 * time.Second,
		Steps: []Step{{Expect: regexp.MustCompile(`never`)}},
	})
	if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "up") {
		t.Errorf("a machine that does not come up: %v, want ErrTimeout and the console's last lines", err)
	}
}

func TestDetect(t *testing.T) {
	vdi := make([]byte, 80)
	copy(vdi[64:], []byte{0x7f, 0x10, 0xda, 0xbe})
	for want, head := range map[string][]byte{
		"qcow2": append([]byte("QFI\xfb"), make([]byte, 80)...), "vdi": vdi, "raw": make([]byte, 512),
	} {
		f := filepath.Join(t.TempDir(), want)
		if err := os.WriteFile(f, head, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Detect(f); got != want || err != nil {
			t.Errorf("Detect(%s) = %q, %v", want, got, err)
		}
	}
}
