package image_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treewright/treewright/pkg/fixture"
	"github.com/treewright/treewright/pkg/image"
	"github.com/treewright/treewright/pkg/segment"
)

// disk has pieces at odd places: text, noise, zeros, and the last sector.
func disk(size int64) *image.Disk {
	rnd := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300000)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	text := []byte(strings.Repeat("a line of text that compresses well\n", 10000))
	d := &image.Disk{Size: size, Seed: [32]byte{1}}
	add := func(at int64, b []byte) {
		if at+int64(len(b)) <= size {
			d.Segments = append(d.Segments, segment.Segment{Offset: at, Length: int64(len(b)), From: segment.Bytes(b)})
		}
	}
	add(0, []byte("start"))
	add(70001, text)
	add(700000, noise)
	add(1100000, make([]byte, 200000))
	add(1400000, text)
	add(40<<20+7, noise)
	add(size-3, []byte("end"))
	return d
}

var sizes = []int64{2 << 20, 3<<20 + 7*512, 65<<20 + 512, 600 << 20}

func TestQemu(t *testing.T) {
	tool := fixture.Tool(t, "qemu-img")
	for _, size := range sizes {
		dir := t.TempDir()
		d := disk(size)
		raw, err := image.Write(t.Context(), filepath.Join(dir, "disk.raw"), "raw", d, image.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct{ format, compression, qemu string }{
			{"qcow2", "none", "qcow2"}, {"qcow2", "deflate", "qcow2"}, {"openstack", "", "qcow2"}, {"vdi", "", "vdi"},
		} {
			path := filepath.Join(dir, tc.format+tc.compression)
			f, err := image.Write(t.Context(), path, tc.format, d, image.Options{Compression: tc.compression})
			if err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(tool, "check", "-f", tc.qemu, path).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("No errors were found")) {
				t.Errorf("qemu-img check of %s %s, %d bytes: %v\n%s", tc.format, tc.compression, size, err, out)
			}
			if out, err := exec.Command(tool, "compare", "-f", "raw", "-F", tc.qemu, raw.Path, path).CombinedOutput(); err != nil {
				t.Errorf("qemu-img compare of %s %s, %d bytes: %v\n%s", tc.format, tc.compression, size, err, out)
			}
			var info struct {
				Virtual int64 `json:"virtual-size"`
			}
			out, err := exec.Command(tool, "info", "--output=json", path).Output()
			if err := errors.Join(err, json.Unmarshal(out, &info)); err != nil || info.Virtual != size || f.VirtualSize != size {
				t.Errorf("virtual size of %s is %d, want %d (%v)", tc.format, info.Virtual, size, err)
			}
		}
	}
}

// TestWorkers has the same bytes whatever the number of workers.
func TestWorkers(t *testing.T) {
	var sums []string
	for _, n := range []int{1, 2, 7} {
		f, err := image.Write(t.Context(), filepath.Join(t.TempDir(), "d"), "qcow2", disk(sizes[2]), image.Options{Compression: "deflate", Workers: n})
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, f.SHA256)
	}
	if sums[0] != sums[1] || sums[1] != sums[2] {
		t.Errorf("checksums differ: %q", sums)
	}
}

// TestWhole leaves nothing when a source breaks off.
func TestWhole(t *testing.T) {
	for _, format := range image.Formats() {
		dir := t.TempDir()
		d := disk(sizes[0])
		d.Segments[1].Length += 100 // more than there is
		_, err := image.Write(t.Context(), filepath.Join(dir, "disk"), format, d, image.Options{})
		left, readErr := os.ReadDir(dir)
		if err == nil || readErr != nil || len(left) > 0 {
			t.Errorf("%s: %v, left %v", format, err, left)
		}
	}
}

func TestUnknown(t *testing.T) {
	if _, err := image.FileName("x", "vhdx"); err == nil || !strings.Contains(err.Error(), "want one of openstack, qcow2, raw, vdi") {
		t.Errorf("an unknown format: %v", err)
	}
	if _, err := image.Write(t.Context(), filepath.Join(t.TempDir(), "x"), "vdi", disk(sizes[0]), image.Options{Compression: "zstd"}); err == nil {
		t.Error("a compression that the format has not got was taken")
	}
}

func TestProperties(t *testing.T) {
	f, err := image.Write(t.Context(), filepath.Join(t.TempDir(), "host-openstack.qcow2"), "openstack", disk(sizes[1]), image.Options{
		Properties: map[string]string{"os_type": "linux", "ostree_ref": "a b"}})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		MinDisk int `json:"min_disk"`
		Command string
	}
	b, err := os.ReadFile(f.Sidecar.Path)
	if err := errors.Join(err, json.Unmarshal(b, &doc)); err != nil {
		t.Fatal(err)
	}
	want := "openstack image create --disk-format qcow2 --container-format bare --min-disk 1 --min-ram 512 --file host-openstack.qcow2 --property os_type=linux --property ostree_ref='a b' NAME"
	if doc.MinDisk != 1 || doc.Command != want {
		t.Errorf("min_disk %d, command %s, want %s", doc.MinDisk, doc.Command, want)
	}
}

func BenchmarkWrite(b *testing.B) {
	text := []byte(strings.Repeat("a line of text that compresses well, more or less\n", 1<<20))
	d := &image.Disk{Size: 1 << 30, Segments: segment.List{{Offset: 0, Length: int64(len(text)), From: segment.Bytes(text)}}, Seed: [32]byte{1}}
	for _, tc := range []struct{ format, compression string }{{"qcow2", "none"}, {"qcow2", "deflate"}, {"vdi", "none"}} {
		b.Run(tc.format+"-"+tc.compression, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := image.Write(b.Context(), filepath.Join(b.TempDir(), "d"), tc.format, d, image.Options{Compression: tc.compression}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPeer is qemu-img on the same disk as BenchmarkWrite.
func BenchmarkPeer(b *testing.B) {
	tool := fixture.Tool(b, "qemu-img")
	text := []byte(strings.Repeat("a line of text that compresses well, more or less\n", 1<<20))
	raw := filepath.Join(b.TempDir(), "raw")
	d := &image.Disk{Size: 1 << 30, Segments: segment.List{{Offset: 0, Length: int64(len(text)), From: segment.Bytes(text)}}}
	if _, err := image.Write(b.Context(), raw, "raw", d, image.Options{}); err != nil {
		b.Fatal(err)
	}
	for name, args := range map[string][]string{"qcow2-none": {"-O", "qcow2"}, "qcow2-deflate": {"-c", "-W", "-O", "qcow2"}, "vdi-none": {"-O", "vdi"}} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				all := append(append([]string{"convert", "-f", "raw"}, args...), raw, filepath.Join(b.TempDir(), "out"))
				if out, err := exec.Command(tool, all...).CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
			}
		})
	}
}
