package delta_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
	"github.com/treewright/treewright/pkg/ostree/delta"
)

// TestReadStock reads deltas that the ostree command has generated, with all of its
// operations, in both byte orders, and counts as its show does.
func TestReadStock(t *testing.T) {
	r, v1, v2 := twoVersions(t)
	for _, args := range [][]string{
		{"--from=" + v1.String(), "--to=" + v2.String()},
		{"--from=" + v1.String(), "--to=" + v2.String(), "--swap-endianness"},
		{"--empty", "--to=" + v2.String()},
	} {
		run(t, append([]string{"--repo=" + r.Path(), "static-delta", "generate"}, args...)...)
		from := &v1
		if args[0] == "--empty" {
			from = nil
		}
		show := run(t, "--repo="+r.Path(), "static-delta", "show", delta.Name(from, v2))
		d, err := delta.OpenFile(filepath.Join(r.Path(), delta.Dir(from, v2), "superblock"))
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("Number of fallback entries: %d\n", len(d.Fallbacks)); !strings.Contains(show, want) {
			t.Errorf("%q: %q is not in\n%s", args, want, show)
		}
		for i, h := range d.Parts {
			file, err := d.Part(i)
			if err != nil {
				t.Fatal(err)
			}
			p, err := delta.StatPart(file, h.Objects)
			if err != nil {
				t.Fatal(err)
			}
			n := p.Count
			want := fmt.Sprintf("PartMeta%d: nobjects=%d size=%d usize=%d\nPartPayload%d: nmodes=%d nxattrs=%d blobsize=%d opsize=%d\n"+
				"PartPayloadOps%d: openspliceclose=%d open=%d write=%d setread=%d unsetread=%d close=%d bspatch=%d\n",
				i, len(h.Objects), h.Size, h.USize, i, p.Modes, p.Xattrs, p.Blob, p.Ops, i, n['S'], n['o'], n['w'], n['r'], n['R'], n['c'], n['B'])
			if !strings.Contains(show, want) {
				t.Errorf("%q: %s is not in\n%s", args, want, show)
			}
		}
	}
}

// TestStockReadsForms has the ostree command apply and show what our options make.
func TestStockReadsForms(t *testing.T) {
	r, v1, v2 := twoVersions(t)
	client := filepath.Join(t.TempDir(), "client")
	run(t, "--repo="+client, "init", "--mode=bare-user")
	run(t, "--repo="+client, "pull-local", r.Path(), v1.String())
	file := filepath.Join(t.TempDir(), "a.delta")
	o := delta.Options{From: &v1, To: v2, MinFallbackSize: -1, Order: 'B', Inline: true, File: file}
	report, err := delta.Generate(t.Context(), r, r.Path(), o)
	if err != nil || report.Size == 0 {
		t.Fatalf("Generate = %+v, %v", report, err)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("beside the inline delta: %v, %v", left, err)
	}
	run(t, "--repo="+client, "static-delta", "apply-offline", file)
	run(t, "--repo="+client, "fsck")
	run(t, "--repo="+client, "ls", v2.String())
	o.Inline, o.File = false, ""
	if _, err := delta.Generate(t.Context(), r, r.Path(), o); err != nil {
		t.Fatal(err)
	}
	if show := run(t, "--repo="+r.Path(), "static-delta", "show", delta.Name(&v1, v2)); !strings.Contains(show, "Endianness: big\n") {
		t.Errorf("byte order: %s", show)
	}
}

func TestSigned(t *testing.T) {
	r, _, v2 := twoVersions(t)
	var signed []byte
	file := filepath.Join(t.TempDir(), "a.delta")
	_, err := delta.Generate(t.Context(), r, r.Path(), delta.Options{To: v2, File: file, Inline: true, Sign: func(b []byte) (ostree.Metadata, error) {
		signed = b
		return ostree.Metadata{{Key: "ostree.sign.test", Value: gvariant.Variant{Type: "s", Value: "mine"}}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := delta.OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d.Signed == nil || !bytes.Equal(d.Signed.Superblock, signed) || d.Signed.Signatures.Text("ostree.sign.test") != "mine" || d.To != v2 {
		t.Errorf("signed superblock = %+v", d.Signed)
	}
	if _, err := d.Part(0); err != nil {
		t.Error(err)
	}
}

func FuzzStatPart(f *testing.F) {
	r, v1, v2 := twoVersions(f)
	report, err := delta.Generate(f.Context(), r, r.Path(), delta.Options{From: &v1, To: v2, MaxPartSize: 2000})
	if err != nil {
		f.Fatal(err)
	}
	for i := range min(report.Parts, 3) {
		b, err := os.ReadFile(filepath.Join(report.Dir, fmt.Sprint(i)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	objects := make([]delta.ObjectName, 50)
	for i := range objects {
		objects[i].Type = ostree.ObjectType(1 + i%3)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if _, err := delta.StatPart(in, objects); err != nil && !errors.Is(err, delta.ErrMalformed) && !errors.Is(err, ostree.ErrUnsupported) {
			t.Fatal(err)
		}
	})
}
