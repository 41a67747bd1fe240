package modulemd_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/repodata/modulemd"
)

func document(t testing.TB) []byte {
	t.Helper()
	found, err := filepath.Glob("testdata/modular/repodata/*-modules.yaml.gz")
	if err != nil || len(found) != 1 {
		t.Fatalf("%q, %v", found, err)
	}
	f, err := os.Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRead reads libdnf's test repository; the wanted values are read off the YAML.
func TestRead(t *testing.T) {
	var m modulemd.Modules
	if err := m.Read(bytes.NewReader(document(t))); err != nil {
		t.Fatal(err)
	}
	if len(m.Builds) != 6 || m.Stream["httpd"] != "2.4" || len(m.Stream) != 1 {
		t.Fatalf("%d builds, default streams %v", len(m.Builds), m.Stream)
	}
	b := m.Builds[5]
	if b.Module != "httpd" || b.Stream != "2.4" || b.Version != 2 || b.Context != "3b6beaf8" || b.Arch != "x86_64" || len(b.Artifacts) != 3 ||
		b.Artifacts[0].String() != "httpd-2.4.25-8.x86_64" || !slices.Equal(b.Requires[0]["base-runtime"], []string{"f26"}) || !slices.Equal(b.Profiles["doc"], []string{"httpd-doc"}) {
		t.Errorf("the last build is %+v", b)
	}
}

// How dnf chooses among these is tested in composer.
func TestSelect(t *testing.T) {
	var m modulemd.Modules
	if err := m.Read(bytes.NewReader(document(t))); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		ask, want string
		err       error
	}{
		{"", "base-runtime:f26 httpd:2.4", nil},
		{"httpd:2.2", "base-runtime:f26 httpd:2.2", nil},
		{"base-runtime:rhel73", "base-runtime:rhel73", nil}, // the default stream of httpd does not fit
		{"base-runtime:rhel73 httpd:2.4", "module httpd:2.4: module base-runtime: stream f26 is needed, and rhel73 is on", modulemd.ErrConflict},
		{"httpd:2.2 httpd:2.4", "module httpd: both streams 2.2 and 2.4 are asked for", modulemd.ErrConflict},
		{"httpd:9", "module httpd: stream 9: not found; there are 2.2, 2.4", modulemd.ErrNotFound},
		{"base-runtime", "module base-runtime: it has no default stream; there are f26, rhel73", modulemd.ErrNotFound},
		{"nosuch:1", "module nosuch: not found", modulemd.ErrNotFound},
	} {
		var specs []modulemd.Spec
		for _, w := range strings.Fields(tc.ask) {
			s, err := modulemd.ParseSpec(w)
			if err != nil || s.String() != w {
				t.Fatalf("ParseSpec(%q) = %v, %v", w, s, err)
			}
			specs = append(specs, s)
		}
		on, err := m.Select("x86_64", specs)
		if tc.err != nil {
			if !errors.Is(err, tc.err) || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("%q: %v, want %s", tc.ask, err, tc.want)
			}
			continue
		}
		if err != nil || strings.Join(on.Streams(), " ") != tc.want {
			t.Errorf("%q: %v, want %s", tc.ask, err, tc.want)
		}
	}
	for _, s := range []string{"", ":1", "a:", "a/", "a:1:2", "a b"} {
		if got, err := modulemd.ParseSpec(s); err == nil {
			t.Errorf("ParseSpec(%q) = %+v", s, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(document(f))
	f.Add([]byte("document: modulemd\nversion: 1\ndata: {name: a, stream: 1.10, dependencies: {requires: {platform: x}}}\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var m modulemd.Modules
		if err := m.Read(bytes.NewReader(in)); err != nil {
			if !errors.Is(err, modulemd.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		on, err := m.Select("", nil)
		if err != nil {
			t.Fatal(err)
		}
		on.Packages()
	})
}
