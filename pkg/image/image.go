// Package image writes a planned disk as a file in one of several formats, whole or
// not at all.
package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/treewright/treewright/pkg/fsutil"
	"github.com/treewright/treewright/pkg/image/qcow2"
	"github.com/treewright/treewright/pkg/image/vdi"
	"github.com/treewright/treewright/pkg/segment"
	"github.com/treewright/treewright/pkg/units"
)

// Disk is a planned disk.
type Disk struct {
	Size     int64 // bytes
	Segments segment.List
	Seed     [32]byte // from which identifiers are derived
}

// Options tells how an image is written.
type Options struct {
	Compression string            // "none" or "deflate"; empty: the format's default
	Workers     int               // 0: one a core
	Properties  map[string]string // of an OpenStack image
}

// File is a written image.
type File struct {
	Format      string
	Path        string
	Size        int64 // bytes
	VirtualSize int64 // bytes that a guest sees
	SHA256      string
	Sidecar     *File // properties of an OpenStack image
}

// format is how one is made.
type format struct {
	suffix      string // of the file name, with its dot or dash
	compression []string
	write       func(ctx context.Context, f *os.File, d *Disk, compression string, o Options) error
}

var formats = map[string]format{
	"raw":       {".raw", []string{"none"}, writeRaw},
	"qcow2":     {".qcow2", []string{"none", "deflate"}, writeQcow2},
	"openstack": {"-openstack.qcow2", []string{"deflate", "none"}, writeQcow2},
	"vdi":       {".vdi", []string{"none"}, writeVDI},
}

// Formats lists the formats by name.
func Formats() []string {
	var out []string
	for f := range formats {
		out = append(out, f)
	}
	sort.Strings(out)
	return out
}

// FileName is the name of an image: BASE and what belongs to the format.
func FileName(base, name string) (string, error) {
	f, ok := formats[name]
	if !ok {
		return "", fmt.Errorf("image format %q is not known: want one of %s", name, strings.Join(Formats(), ", "))
	}
	return base + f.suffix, nil
}

// Write writes a disk at path.
func Write(ctx context.Context, path, name string, d *Disk, o Options) (*File, error) {
	f, ok := formats[name]
	if !ok {
		_, err := FileName("", name)
		return nil, err
	}
	compression := o.Compression
	if compression == "" {
		compression = f.compression[0]
	}
	known := false
	for _, c := range f.compression {
		known = known || c == compression
	}
	if !known {
		return nil, fmt.Errorf("image format %s: compression %q: want one of %s", name, compression, strings.Join(f.compression, ", "))
	}
	err := fsutil.WriteFile(path, 0o644, func(w io.Writer) error {
		return f.write(ctx, w.(*os.File), d, compression, o)
	})
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", filepath.Base(path), err)
	}
	out, err := describe(name, path, d.Size)
	if err == nil && name == "openstack" {
		out.Sidecar, err = writeProperties(path, d.Size, o.Properties)
	}
	return out, err
}

// describe reads a written file for its size and checksum.
func describe(name, path string, virtual int64) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return nil, err
	}
	return &File{Format: name, Path: path, Size: n, VirtualSize: virtual, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

func writeRaw(ctx context.Context, f *os.File, d *Disk, _ string, _ Options) error {
	if err := f.Truncate(d.Size); err != nil {
		return err
	}
	return d.Segments.WriteSparse(ctx, f, d.Size)
}

func writeQcow2(ctx context.Context, f *os.File, d *Disk, compression string, o Options) error {
	return qcow2.Write(ctx, f, d.Segments, qcow2.Options{Size: d.Size, Compress: compression == "deflate", Workers: o.Workers})
}

func writeVDI(ctx context.Context, f *os.File, d *Disk, _ string, _ Options) error {
	return vdi.Write(ctx, f, d.Segments, vdi.Options{Size: d.Size, UUID: ID(d.Seed, "vdi"), Mod: ID(d.Seed, "vdi modification")})
}

// ID derives a UUID (version 4 in form) from a seed and a label.
func ID(seed [32]byte, label string) (id [16]byte) {
	sum := sha256.Sum256(append(seed[:], label...))
	copy(id[:], sum[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// writeProperties writes what `openstack image create` needs beside an image.
func writeProperties(path string, size int64, properties map[string]string) (*File, error) {
	minDisk := (units.Bytes(size) + units.GiB - 1) / units.GiB
	doc := map[string]any{
		"disk_format": "qcow2", "container_format": "bare", "min_disk": int64(minDisk), "min_ram": 512, "properties": properties,
	}
	var keys []string
	for k := range properties {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	command := fmt.Sprintf("openstack image create --disk-format qcow2 --container-format bare --min-disk %d --min-ram 512 --file %s", minDisk, filepath.Base(path))
	for _, k := range keys {
		command += fmt.Sprintf(" --property %s=%s", k, shellQuote(properties[k]))
	}
	doc["command"] = command + " NAME"
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(path, ".qcow2") + ".properties.json"
	if err := fsutil.WriteBytes(name, 0o644, append(b, '\n')); err != nil {
		return nil, err
	}
	return describe("openstack-properties", name, 0)
}

func shellQuote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:") == "" && s != "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
