package rootfs_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"slices"
	"testing"

	"github.com/cavaliergopher/cpio"

	"github.com/treewright/treewright/pkg/rootfs"
	"github.com/treewright/treewright/pkg/segment"
)

// memory is a Cache.
type memory map[string]segment.Bytes

func (m memory) Load(key string) (segment.Source, int64, bool) {
	b, ok := m[key]
	return b, int64(len(b)), ok
}

func (m memory) Store(key string, from segment.Source) error {
	rc, err := from.Open()
	if err != nil {
		return err
	}
	m[key], err = io.ReadAll(rc)
	return err
}

// image is an initramfs as dracut makes it, with an early archive before the main one.
func image(t *testing.T, names ...string) string {
	t.Helper()
	archive := func(names ...string) []byte {
		var b bytes.Buffer
		w := cpio.NewWriter(&b)
		for _, name := range names {
			if err := w.WriteHeader(&cpio.Header{Name: name, Mode: 0o100644, Size: int64(len(name))}); err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, name)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var b bytes.Buffer
	b.Write(archive("early_cpio"))
	b.Write(make([]byte, 512-b.Len()%512))
	z := gzip.NewWriter(&b)
	z.Write(archive(names...))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestInitramfsCache: dracut runs when something changed that it could have looked at.
func TestInitramfsCache(t *testing.T) {
	files := map[string]string{
		"/usr/share/initramfs":                 "",
		"/usr/lib/dracut/modules.d/98ostree/x": "x", "/usr/lib/ostree/ostree-prepare-root": "prepare", "/usr/lib/in.so": "in", "/usr/lib/out.so": "out",
		"/usr/share/doc/app": "doc", "/etc/app.conf": "conf",
		"/usr/bin/dracut": "#!/bin/sh\nfor last; do :; done\ncat /usr/share/initramfs >$last\n",
	}
	files["/usr/share/initramfs"] = image(t, "usr/lib/in.so", "usr/lib/ostree/ostree-prepare-root", "generated")
	user, cache := userland(t), memory{}
	build := func(change map[string]string, args ...string) bool {
		t.Helper()
		now := map[string]string{}
		for _, m := range []map[string]string{files, change} {
			for k, v := range m {
				now[k] = v
			}
		}
		p := pkg("dracut", now)
		for i := range p.Files {
			if p.Files[i].Path == "/usr/bin/dracut" {
				p.Files[i].Mode = 0o755
			}
		}
		var steps []string
		r, err := rootfs.Assemble(t.Context(), []rootfs.Package{pkg("filesystem", base), user, p}, rootfs.Options{
			WorkDir: t.TempDir(), Cache: cache, InitramfsArgs: args, Step: func(s string) { steps = append(steps, s) },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close(context.WithoutCancel(t.Context()))
		if got := content(t, r.Root, "usr/lib/modules/6.1/initramfs.img"); got != files["/usr/share/initramfs"] {
			t.Errorf("the initramfs has %d bytes", len(got))
		}
		return slices.Contains(steps, "running dracut")
	}
	for _, tc := range []struct {
		what   string
		change map[string]string
		args   []string
		ran    bool
	}{
		{what: "nothing was made before", ran: true},
		{what: "nothing changed"},
		{what: "content that is not in it", change: map[string]string{"/usr/lib/out.so": "new"}},
		{what: "documentation", change: map[string]string{"/usr/share/doc/app": "new", "/usr/share/doc/more": "new"}},
		{what: "content that is in it", change: map[string]string{"/usr/lib/in.so": "new"}, ran: true},
		{what: "that again", change: map[string]string{"/usr/lib/in.so": "new"}},
		{what: "a name", change: map[string]string{"/usr/lib/more.so": "new"}, ran: true},
		{what: "configuration", change: map[string]string{"/etc/app.conf": "new"}, ran: true},
		{what: "a module of dracut", change: map[string]string{"/usr/lib/dracut/modules.d/98ostree/x": "new"}, ran: true},
		{what: "arguments", args: []string{"--no-hostonly", "--strip"}, ran: true},
	} {
		if ran := build(tc.change, tc.args...); ran != tc.ran {
			t.Errorf("%s: dracut ran: %v, want %v", tc.what, ran, tc.ran)
		}
	}
}
