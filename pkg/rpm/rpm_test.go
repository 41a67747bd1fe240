package rpm_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/fixture/tinyrpm"
	"github.com/treewright/treewright/pkg/rpm"
)

func samples(t testing.TB) []string {
	t.Helper()
	found, err := filepath.Glob("testdata/*.rpm")
	if err != nil || len(found) < 10 {
		t.Fatalf("packages in testdata: %q, %v", found, err)
	}
	return found
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// query asks rpm.
func query(t testing.TB, file, format string) string {
	t.Helper()
	out, err := exec.Command(fixture.Tool(t, "rpm"), "-qp", "--nosignature", "--nodigest", "--qf", format, file).Output()
	if err != nil {
		t.Fatalf("rpm -qp %s: %v", file, err)
	}
	return string(out)
}

// TestHeaders compares what we read with what rpm reads.
func TestHeaders(t *testing.T) {
	for _, file := range samples(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			h, err := rpm.ReadHeader(bytes.NewReader(read(t, file)))
			if err != nil {
				t.Fatal(err)
			}
			n, i := h.NEVRA(), h.Info()
			got := fmt.Sprintf("%s|%s|%s|%s|%s|%d|%d", n.Name, n.Version, n.Release, n.Arch, i.License, i.BuildTime, i.InstalledSize)
			want := query(t, file, "%{NAME}|%{VERSION}|%{RELEASE}|%{ARCH}|%{LICENSE}|%{BUILDTIME}|%|LONGSIZE?{%{LONGSIZE}}:{%{SIZE}}|")
			if got != want {
				t.Errorf("identity %q, rpm has %q", got, want)
			}
			files, err := h.Files()
			if err != nil {
				t.Fatal(err)
			}
			var lines strings.Builder
			for _, f := range files {
				fmt.Fprintf(&lines, "%s %s %s %d %s\n", f.Path, f.User, f.Group, f.Flags, f.Target)
			}
			if want := query(t, file, `[%{FILENAMES} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILEFLAGS} %{FILELINKTOS}\n]`); lines.String() != want {
				t.Errorf("files\n%s\nrpm has\n%s", &lines, want)
			}
			deps, err := h.Dependencies()
			if err != nil {
				t.Fatal(err)
			}
			var requires strings.Builder
			for _, d := range deps.Requires {
				fmt.Fprintf(&requires, "%s %d\n", d.Name, d.Sense)
			}
			if want := query(t, file, `[%{REQUIRENAME} %{REQUIREFLAGS}\n]`); requires.String() != want {
				t.Errorf("requires\n%s\nrpm has\n%s", &requires, want)
			}
			var posttrans string
			for _, s := range h.Scriptlets() {
				if s.Kind == "posttrans" {
					posttrans = s.Body
				}
			}
			if want := query(t, file, "%|POSTTRANS?{%{POSTTRANS}}|"); posttrans != want {
				t.Errorf("posttrans %q, rpm has %q", posttrans, want)
			}
		})
	}
}

func payload(b []byte) (map[string]string, error) {
	r := bytes.NewReader(b)
	h, err := rpm.ReadHeader(r)
	if err != nil {
		return nil, err
	}
	files, err := h.Files()
	if err != nil {
		return nil, err
	}
	p, err := rpm.NewPayload(h, files, r)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	out := map[string]string{}
	for {
		e, err := p.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if e.Content == nil {
			continue
		}
		body, err := io.ReadAll(io.LimitReader(e.Content, 1<<20))
		if err != nil {
			return nil, err
		}
		for _, i := range append(e.Links, e.Index) {
			out[files[i].Path] = string(body)
		}
	}
}

// TestPayload reads each file once; content is compared with the header's digests.
func TestPayload(t *testing.T) {
	for _, file := range samples(t) {
		got, err := payload(read(t, file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		h, err := rpm.ReadHeader(bytes.NewReader(read(t, file)))
		if err != nil {
			t.Fatal(err)
		}
		files, err := h.Files()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			_, ok := got[f.Path]
			if want := f.Kind == filetree.File && f.Flags&rpm.FlagGhost == 0; ok != want {
				t.Errorf("%s: content of %s: %v, want %v", file, f.Path, ok, want)
			}
		}
	}
}

// TestDamage flips a byte in many places: what a digest covers is found.
func TestDamage(t *testing.T) {
	good := read(t, "testdata/basic-v6-zstd.noarch.rpm")
	h, err := rpm.ReadHeader(bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	for at := int(h.Start); at < len(good); at += 37 {
		bad := bytes.Clone(good)
		bad[at] ^= 0x10
		if _, err := payload(bad); !errors.Is(err, rpm.ErrCorrupt) && !errors.Is(err, rpm.ErrMalformed) && !errors.Is(err, rpm.ErrUnsupported) {
			t.Errorf("damage at byte %d: %v", at, err)
		}
	}
	for _, n := range []int{0, 50, 200, int(h.End) - 1, int(h.End), len(good) - 1} {
		if _, err := payload(good[:n]); !errors.Is(err, rpm.ErrCorrupt) && !errors.Is(err, rpm.ErrMalformed) {
			t.Errorf("cut at byte %d: %v", n, err)
		}
	}
	if _, err := payload(read(t, "testdata/bad/hello-2.0-1.x86_64-corrupted.rpm")); !errors.Is(err, rpm.ErrCorrupt) {
		t.Errorf("rpm's own corrupted package: %v", err)
	}
}

// TestTiny makes packages that rpm accepts.
func TestTiny(t *testing.T) {
	b, err := tinyrpm.Build(tinyrpm.Package{Name: "tiny", Epoch: "2", Version: "1.0", Requires: []string{"(a or b)", "c >= 2"}, Compressor: "zstd",
		Files: []tinyrpm.File{{Path: "/usr/bin/tiny", Body: "x", Mode: 0o755}, {Path: "/usr/bin/link", Target: "tiny"}, {Path: "/etc/tiny.d", Dir: true}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "tiny.rpm")
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, want := query(t, file, `%{NEVRA} [%{REQUIRES} ][%{PROVIDES} %{PROVIDEVERSION}]`), "tiny-2:1.0-1.noarch (a or b) c >= 2 tiny 2:1.0-1"; !strings.HasPrefix(got, "tiny-2:1.0-1.noarch") || !strings.HasSuffix(got, "2:1.0-1") {
		t.Errorf("rpm reads %q, want like %q", got, want)
	}
	if got, err := payload(b); err != nil || got["/usr/bin/tiny"] != "x" {
		t.Errorf("payload %v, %v", got, err)
	}
}

// The values are setcap's, read with getfattr -e hex.
func TestEncodeCaps(t *testing.T) {
	for text, want := range map[string]string{
		"cap_net_raw=ep":              "0100000200200000000000000000000000000000",
		"cap_net_admin,cap_net_raw+p": "0000000200300000000000000000000000000000",
		"cap_setuid=ei cap_setgid=+p": "",
		"":                            "",
	} {
		got, err := rpm.EncodeCaps(text)
		if text == "cap_setuid=ei cap_setgid=+p" {
			if err == nil {
				t.Errorf("EncodeCaps(%q) = %x, want an error", text, got)
			}
			continue
		}
		if err != nil || hex.EncodeToString(got) != want {
			t.Errorf("EncodeCaps(%q) = %x, %v, want %s", text, got, err, want)
		}
	}
	if _, err := rpm.EncodeCaps("cap_nosuch=ep"); !errors.Is(err, rpm.ErrMalformed) {
		t.Errorf("an unknown capability: %v", err)
	}
}

func FuzzPackage(f *testing.F) {
	for _, file := range samples(f) {
		f.Add(read(f, file))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		_, err := payload(in)
		if err != nil && !errors.Is(err, rpm.ErrMalformed) && !errors.Is(err, rpm.ErrCorrupt) && !errors.Is(err, rpm.ErrUnsupported) {
			t.Fatal(err)
		}
	})
}

func BenchmarkReadHeader(b *testing.B) {
	raw := read(b, "testdata/capstest-1.0-1.noarch.rpm")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rpm.ReadHeader(bytes.NewReader(raw)); err != nil {
			b.Fatal(err)
		}
	}
}
