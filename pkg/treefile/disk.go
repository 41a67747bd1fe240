package treefile

import (
	"regexp"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/units"
)

// Image is a disk image to make.
type Image struct {
	Format      string      `json:"format"`
	Size        units.Bytes `json:"size,omitempty"`        // virtual size; 0: the disk's
	Compression string      `json:"compression,omitempty"` // "none" or "deflate"; empty: the format's default
}

// Disk shapes the disk that the images hold.
type Disk struct {
	Size       units.Bytes // virtual size; 0: what the content needs
	Firmware   []string    // "bios", "uefi"; nil: those the tree has a boot loader for
	RootFS     string      // "ext4"
	KernelArgs []string
	Stateroot  string // empty: the ID of os-release
}

// Deltas says which static deltas are made.
type Deltas struct {
	From  *int // from so many of the newest earlier commits of the ref; nil: not set, which means 1
	Empty bool // also from nothing
}

// Formats are the image formats that a treefile may name.
var Formats = []string{"qcow2", "vdi", "openstack", "raw"}

// compressions are the kinds of compression that a format has.
var compressions = map[string][]string{
	"openstack": {"none", "deflate"},
	"qcow2":     {"none", "deflate"},
	"raw":       {"none"},
	"vdi":       {"none"},
}

// smallestDisk is below every bootable disk; a smaller number lacks its unit.
const smallestDisk = 16 * units.MiB

func readSize(n node) (any, error) {
	if k := n.kind(); k != aString && k != anInt {
		return nil, n.wrongType("a size, as 10GiB")
	}
	size, err := units.Parse(n.y.Value)
	switch {
	case err != nil:
		return nil, n.errorf("%w", err)
	case size < smallestDisk:
		return nil, n.errorf("%s: less than %s; write a unit, as 10GiB", clip(n.y.Value), smallestDisk)
	}
	return size, nil
}

func readFormat(n node) (any, error) {
	return oneOf(Formats...)(n)
}

var imageFields = map[string]reader{
	"format":      readFormat,
	"size":        readSize,
	"compression": oneOf("none", "deflate"),
}

// readImages reads a list of formats and mappings, to []Image.
func readImages(n node) (any, error) {
	l, err := n.items("a list of formats")
	if err != nil {
		return nil, err
	}
	out := make([]Image, 0, len(l))
	for _, e := range l {
		image, err := readImage(e)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(out, func(o Image) bool { return o.Format == image.Format }); i >= 0 {
			return nil, e.errorf("%s: is already images[%d]", image.Format, i)
		}
		out = append(out, image)
	}
	return out, nil
}

func readImage(n node) (Image, error) {
	if n.kind() != aMapping {
		if n.kind() != aString {
			return Image{}, n.wrongType("a format or a mapping")
		}
		format, err := readFormat(n)
		if err != nil {
			return Image{}, err
		}
		return Image{Format: format.(string)}, nil
	}
	v, err := fields(imageFields)(n)
	if err != nil {
		return Image{}, err
	}
	m := v.(map[string]item)
	image := Image{
		Format: field[string](m, "format"), Size: field[units.Bytes](m, "size"), Compression: field[string](m, "compression"),
	}
	if image.Format == "" {
		return Image{}, n.errorf("%q is missing", "format")
	}
	if kinds := compressions[image.Format]; image.Compression != "" && !slices.Contains(kinds, image.Compression) {
		return Image{}, m["compression"].at.errorf("%s: %s takes %s", image.Compression, image.Format, anyOf(kinds))
	}
	return image, nil
}

var diskFields = map[string]reader{
	"size":      readSize,
	"firmware":  readFirmware,
	"rootfs":    oneOf("ext4"),
	"kargs":     words(check(wrongKernelArg)),
	"stateroot": check(wrongStateroot),
}

func readFirmware(n node) (any, error) {
	v, err := words(oneOf("bios", "uefi"))(n)
	if err != nil {
		return nil, err
	}
	if len(v.([]string)) == 0 {
		return nil, n.errorf("no firmware: want bios, uefi or both")
	}
	return v, nil
}

var quotes = regexp.MustCompile(`"[^"]*"`)

// wrongKernelArg lets spaces be where the kernel takes them: in double quotes.
func wrongKernelArg(s string) string {
	if bad := margins(s); bad != "" {
		return bad
	}
	return blanks(quotes.ReplaceAllString(s, "_"))
}

var stateroot = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

func wrongStateroot(s string) string {
	if !stateroot.MatchString(s) {
		return "is no folder's name of letters, digits, '.', '_' and '-'"
	}
	return ""
}

var deltaFields = map[string]reader{
	"from":  func(n node) (any, error) { return n.number(0, 1000) },
	"empty": readBool,
}

var refName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$`)

// wrongRef says what is wrong with the name of a branch, by the rule of libostree's
// ostree_validate_rev.
func wrongRef(s string) string {
	if refName.MatchString(s) {
		return ""
	}
	if bad := blanks(s); bad != "" {
		return strings.TrimSuffix(bad, ": write one an entry")
	}
	return "is no ref: want names of letters, digits, '.', '_' and '-' with '/' between them"
}

func (t *Treefile) buildOurs(m layer) {
	t.Images = get[[]Image](m, "images")
	d := get[map[string]item](m, "disk")
	t.Disk = Disk{
		Size: field[units.Bytes](d, "size"), Firmware: field[[]string](d, "firmware"), RootFS: "ext4",
		KernelArgs: field[[]string](d, "kargs"), Stateroot: field[string](d, "stateroot"),
	}
	deltas := get[map[string]item](m, "deltas")
	t.Deltas = Deltas{Empty: field[bool](deltas, "empty")}
	if _, ok := deltas["from"]; ok {
		from := int(field[uint64](deltas, "from"))
		t.Deltas.From = &from
	}
}
